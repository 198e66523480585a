// Threads for the program's work: a Workers beside the one for files; the core looks after both.
#include <cerrno>
#include <proa/worker_pool.hpp>

#include "base/error_code.hpp"
#include "base/misuse.hpp"
#include "handler/handler_loop.hpp"

namespace proa {

namespace {

// A thread's name has 15 bytes at most (pthread_setname_np(3)).
std::string cut(const std::string& name) { return name.substr(0, 15); }

}  // namespace

WorkerPool::WorkerPool(Proactor& proactor, const Options& options)
    : proactor_(proactor),
      workers_(std::make_unique<Workers>(cut(options.name), options.threads, options.queue,
                                         &Core::perform_work)) {
  proactor_.core().add_workers(*workers_);
}

WorkerPool::~WorkerPool() { proactor_.core().remove_workers(*workers_, this); }

std::error_code WorkerPool::run(Work& work, TimePoint deadline) noexcept {
  proactor_.check_thread("WorkerPool::run");
  if (!work.pending()) work.workers_ = workers_.get();
  return proactor_.submit(work, deadline);
}

std::size_t WorkerPool::queued() const noexcept { return workers_->queued(); }
unsigned WorkerPool::threads() const noexcept { return workers_->threads(); }

}  // namespace proa
