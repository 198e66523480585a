#pragma once

// Threads that wait so that the loop need not: for operations on files, and behind WorkerPool. An
// operation is in one place at a time: in the list `fresh` since submit(), in the queue since
// flush(), in the list `begun` while a worker has it, or in the list `done`; or in the list `kept`,
// if a derived class tries it again. Only the loop's thread touches `fresh`; the mutex guards the
// rest.
//
// To wake a thread costs more than a quick operation does. So flush() wakes one thread for up to
// eight quick operations, which performs them in a row, and wakes the loop behind the last one. All
// others get a thread each, as long as there are threads. The operations of such a run stay in the
// queue until their turn. If one of them blocks although it was taken for quick, then the loop,
// which looks after a while whether anything was done, wakes threads for those behind it.

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <proa/time.hpp>
#include <string>
#include <vector>

#include "base/operation_list.hpp"
#include "sys/mutex.hpp"

namespace proa {
inline namespace v0 {

class Backend;

class Workers {
 public:
  /// Performs an operation on a worker's thread. The result is for BackendSide::finish().
  using Perform = long (*)(Operation&) noexcept;

  /// `quickly` performs a quick operation, or returns -EAGAIN if it would have to wait; `perform`
  /// does the rest then. Without `quickly`, `perform` does all.
  Workers(std::string name, unsigned most, std::size_t limit, Perform perform,
          Perform quickly = nullptr);
  /// Waits for the operations that workers have begun. The queue must be empty. A derived class has
  /// called end_threads() before.
  virtual ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // All of the following is for the loop's thread.

  /// Sets the backend that a worker wakes when an operation is done.
  void set_backend(Backend* backend) noexcept { backend_ = backend; }
  /// Whether submit() may be called: there is room in the queue, and a thread. No thread begins
  /// before the first flush(), because a child of fork(2) would not have it.
  bool ready() noexcept;
  /// `quick` says that the operation probably does not block.
  void submit(Operation& operation, bool quick = false) noexcept;
  /// Hands the workers the operations that were submitted since the last flush(). The loop calls
  /// this in each round. False if there are operations, and no thread can be had.
  bool flush() noexcept;
  /// When flush() has to look whether a quick operation holds up others; `never` if none can. The
  /// loop does not sleep longer.
  TimePoint look_again() const noexcept { return look_again_; }
  /// Takes an operation back. False if a worker has begun the operation.
  bool cancel(Operation& operation) noexcept;
  /// Whether a worker has begun the operation, which was submitted here.
  bool begun(const Operation& operation) noexcept;
  /// Takes back the operations of one descriptor, or of all (-1), that no worker has begun. Those
  /// that are begun end with what they have, and are not tried again.
  void withdraw(int descriptor, OperationList& taken) noexcept;
  /// Whether collect() would find an operation, or there is something to flush().
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
  /// A child of fork(2), this process, has taken over what waits for the first flush().
  void adopt(long process) noexcept { proa::adopt(fresh_, process); }
  /// Drops the threads: this process is a child of fork(2), where they do not exist.
  void disown() noexcept;
  /// The core keeps all Workers in a list.
  ListHook& hook() noexcept { return hook_; }
  static Workers& from_hook(ListHook& hook) noexcept;

 protected:
  // What a derived class may do in its own way. The threads call these, except may_begin().

  /// Before a thread begins; false if it cannot.
  virtual bool may_begin() noexcept { return true; }
  /// A thread has nothing to do: waits until there may be something, and at least until rouse().
  /// Called with the lock, which it may give up meanwhile.
  virtual void rest(std::unique_lock<std::mutex>& lock) noexcept { some_.wait(lock); }
  /// Ends the rest of a thread.
  virtual void rouse() noexcept { some_.notify_one(); }
  /// An operation that was not begun has been taken back.
  virtual void taken_back() noexcept {}
  /// Whether the operation, taken off the queue, has to wait before a thread tries it, and goes
  /// into the list kept(). Called with the lock.
  virtual bool holds(Operation&) noexcept { return false; }
  /// Whether the operation has this result only for now, and goes into the list kept(), from where
  /// the derived class moves it to the queue. Called with the lock.
  virtual bool keeps(Operation&, long) noexcept { return false; }

  /// Ends all threads, when they have done what they have begun.
  void end_threads() noexcept;

  // Guarded by the lock.
  OperationList& queue() noexcept { return queue_; }
  OperationList& under_way() noexcept { return begun_; }
  OperationList& kept() noexcept { return kept_; }
  std::condition_variable& some() noexcept { return some_; }

 private:
  bool begin_thread() noexcept;
  std::size_t take_back(OperationList& from, int descriptor, OperationList& taken) noexcept;
  bool run_is_late(bool news) noexcept;
  std::size_t threads_needed() const noexcept;
  std::size_t wake_some(std::size_t needed) noexcept;
  void take_for_slow(Operation& operation) noexcept;
  void work() noexcept;
  long carry_out(Operation& operation, bool quick) noexcept;
  bool must_tell(const Operation& operation) noexcept;
  void sleep(std::unique_lock<std::mutex>& lock) noexcept;

  ListHook hook_;
  const std::string name_;
  const unsigned most_;
  const std::size_t limit_;
  const Perform perform_;
  const Perform quickly_;
  Backend* backend_ = nullptr;
  std::vector<pthread_t> threads_;  // with room for all from the beginning
  OperationList fresh_;
  bool running_ = false;  // the loop has called flush()
  std::size_t fresh_count_ = 0;
  std::size_t pending_ = 0;
  std::size_t quick_pending_ = 0;  // of these, submitted as quick
  TimePoint look_again_ = never;

  sys::Mutex mutex_;
  std::condition_variable some_;
  OperationList queue_;
  OperationList begun_;  // a thread is at it
  OperationList kept_;   // not possible when a worker tried them; counted with the queue
  OperationList done_;
  std::size_t quick_queued_ = 0;  // of the queue
  std::size_t quick_begun_ = 0;   // of `begun`
  std::size_t untold_ = 0;        // of `done`: nobody has woken the loop for them
  bool told_ = false;             // the loop was woken, and has not collected yet
  bool tells_each_ = false;       // nobody waits for the end of a run: something has blocked
  // Threads: all, those that wait in rest(), those that are to leave it, and those that perform.
  std::size_t present_ = 0;
  std::size_t asleep_ = 0;
  std::size_t roused_ = 0;
  std::size_t busy_ = 0;
  bool ending_ = false;
  std::atomic<std::size_t> count_{0};  // length of queue_ and kept_
  std::atomic<bool> any_done_{false};
  std::atomic<bool> wants_thread_{false};  // a worker has found that one more thread is needed
};

}  // namespace v0
}  // namespace proa
