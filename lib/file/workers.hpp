#pragma once

// Threads that wait so that the loop need not: for files, and behind WorkerPool. An operation is
// in one list at a time: fresh (given since the last flush()), queued, with a worker, or done. The
// first and the last step are the loop's alone; the two between are under the mutex.

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/operation_list.hpp"

namespace proa {

class Backend;

class Workers {
 public:
  /// What a worker does with an operation; the result is for BackendSide::finish().
  using Perform = long (*)(Operation&) noexcept;

  Workers(std::string name, unsigned most, std::size_t limit, Perform perform);
  /// Waits for what is being performed. Nothing may be queued.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // The loop's thread, all of it.

  /// Who is woken when an operation is done.
  void set_backend(Backend* backend) noexcept { backend_ = backend; }
  /// Whether submit() would take one more: there is room, and a thread.
  bool ready() noexcept;
  void submit(Operation& operation) noexcept;
  /// Hands to the workers what was submitted since the last time.
  void flush() noexcept;
  /// True if no worker had begun; then the operation is the caller's.
  bool cancel(Operation& operation) noexcept;
  /// Whether a worker has taken it up; of one that was submitted here.
  bool begun(const Operation& operation) noexcept;
  /// Takes what no worker has begun of one descriptor, or of all (-1).
  void withdraw(int descriptor, OperationList& taken) noexcept;
  /// Whether collect() would find something, or flush() has to be called.
  bool waits() const noexcept {
    return !fresh_.empty() || any_done_.load(std::memory_order_acquire);
  }
  void collect(OperationList& done) noexcept;
  /// Operations that no worker has begun.
  std::size_t queued() const noexcept {
    return fresh_count_ + count_.load(std::memory_order_relaxed);
  }
  /// Operations that were submitted and neither collected nor taken back.
  std::size_t pending() const noexcept { return pending_; }
  const std::string& name() const noexcept { return name_; }
  unsigned threads() const noexcept { return static_cast<unsigned>(threads_.size()); }
  /// This process is a child of fork(2), where the threads do not exist: there are none then.
  void disown() noexcept;
  /// For the core's list of all.
  ListHook& hook() noexcept { return hook_; }
  static Workers& from_hook(ListHook& hook) noexcept;

 private:
  bool begin_thread() noexcept;
  void work() noexcept;

  ListHook hook_;
  const std::string name_;
  const unsigned most_;
  const std::size_t limit_;
  const Perform perform_;
  Backend* backend_ = nullptr;
  std::vector<std::thread> threads_;
  OperationList fresh_;
  std::size_t fresh_count_ = 0;
  std::size_t pending_ = 0;

  std::mutex mutex_;
  std::condition_variable some_;
  OperationList queue_;
  OperationList done_;
  std::size_t busy_ = 0;
  bool ending_ = false;
  std::atomic<std::size_t> count_{0};  // of queue_
  std::atomic<bool> any_done_{false};
};

}  // namespace proa
