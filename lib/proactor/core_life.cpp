// How a core begins and ends: with a backend, or a sentence that says why there is none, and only
// when nothing is left that would refer to it.
#include <atomic>
#include <cstdint>

#include "backend/select.hpp"
#include "base/error_code.hpp"
#include "base/memory.hpp"
#include "base/misuse.hpp"
#include "file/file_calls.hpp"
#include "proactor/core.hpp"
#include "proactor/options.hpp"

namespace proa {

namespace {

std::atomic<std::uint16_t> cores_made{0};

}  // namespace

Core::Core(const Options& options)
    : options_(options),
      pool_(new Pool(options.buffer_size, options.buffers, counters_)),
      paged_pool_(new Pool(Pool::Paged(), options.buffer_size, options.buffers, counters_)),
      files_("proa-file", options.workers, SIZE_MAX, &perform_file, &perform_cached),
      devices_("proa-device", options.workers, &perform_device),
      now_(TimePoint()),
      number_(cores_made.fetch_add(1, std::memory_order_relaxed)) {
  workers_.push_back(files_);
  workers_.push_back(devices_);
  nobody_was_told();
}

std::unique_ptr<Core> Core::create(Make make, const Options& options, std::error_code& error,
                                   std::string* detail) {
  error.clear();
  std::string reason;
  std::unique_ptr<Core> core;
  const bool enough = with_memory([&] {
    reason = complaint(options);
    if (!reason.empty()) {
      error = std::make_error_code(std::errc::invalid_argument);
      return;
    }
    core.reset(make(options));
    const BackendContext context{core->options_,  *core->pool_, *core,
                                 core->counters_, *core,        core->paged_pool_.get()};
    core->backend_ = select_backend(context, core->report_, error, reason);
  });
  if (!enough) {
    error = to_error_code(-ENOMEM);
    reason = "out of memory";  // short enough to need none
  }
  if (core && core->backend_) {
    core->system().set_watch(core.get());
    core->tries_sends_ = core->backend_->tries_sends();
    core->now_ = core->system().now();
    core->pool_->set_waiter(core.get());
    core->paged_pool_->set_waiter(core.get());
    core->files_.set_backend(core->backend_.get());
    core->devices_.set_backend(core->backend_.get());
    return core;
  }
  if (detail) *detail = std::move(reason);
  return nullptr;
}

Core::~Core() {
  pool_->set_waiter(nullptr);
  paged_pool_->set_waiter(nullptr);
  if (backend_ && system().is_watched_by(this)) system().set_watch(nullptr);
}

// A backend may find out late that the system refuses it a feature.
const BackendReport& Core::report() noexcept {
  // Those of the last call are better than none.
  with_memory([&] { report_.features = backend_->features(); });
  return report_;
}

void Core::end_of_life() noexcept {
  if (!backend_) return;
  if (in_callback_) misuse("Proactor %p: ~Proactor() inside a callback", owner_);
  if (left() > 0 || !shut_down_) {
    check("~Proactor");
    const std::size_t still = shutdown(options_.linger);
    if (inherited()) return;
    if (still > 0) {
      misuse("Proactor %p destroyed, and %zu handlers or requests did not end", owner_, still);
    }
  }
  if (workers_.after(devices_)) {
    misuse("Proactor %p destroyed before a WorkerPool of it", owner_);
  }
  if (inherited()) return;  // a child of fork(2) may end in any order (R14)
  if (kept_alive_ > 0) {
    misuse("Proactor %p destroyed before a KeepAlive of it", owner_);
  }
  if (const int owned = system().owned(); owned > 0 && system().is_watched_by(this)) {
    misuse("Proactor %p destroyed while %d of its Sockets and Files are open", owner_, owned);
  }
}

}  // namespace proa
