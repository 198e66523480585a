#pragma once

// What the file engines of epoll and kqueue have in common. An operation waits in a list of the
// engine until the kernel takes the operation. The engine passes to a worker what the kernel cannot
// do, and asks the kernel for the rest after a short result.

#include <cerrno>
#include <cstdint>
#include <proa/backend.hpp>
#include <proa/file_requests.hpp>

#include "base/operation_list.hpp"
#include "file/file_calls.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {

/// Where an operation on a file is while the backend has it.
enum class FilePhase : std::uint8_t {
  runnable,  // in a list: the engine will make a system call for the operation
  refused,   // in a list: the kernel has refused the operation, and a worker will perform it
  queued,    // in a list: the engine will give the operation to the kernel
  kernel,    // in no list: the kernel has the operation
  finished,  // in a list: the operation has its result
};

inline void set_phase(Operation& operation, FilePhase phase) noexcept {
  BackendSide::phase(operation) = static_cast<std::uint8_t>(phase);
}
inline FilePhase phase_of(Operation& operation) noexcept {
  return static_cast<FilePhase>(BackendSide::phase(operation));
}

inline bool unsupported(long result) noexcept {
  return result == -EOPNOTSUPP || result == -ENOTSUP;
}

class FileQueue {
 public:
  /// Ends an operation that is in a list. An operation that the kernel has goes on, because the
  /// kernel cannot take back a transfer that it has begun.
  void cancel(Operation& operation) noexcept;

  // The engine of epoll, which has work between events too, hides the following four; that of
  // kqueue hides all but wants_flush().

  /// The backend is about to sleep: gives the kernel the operations that are queued.
  void flush() noexcept {}
  bool wants_flush() const noexcept { return false; }
  /// Whether next() has something to do.
  bool due() const noexcept { return has_finished(); }
  /// Makes one system call or takes one completion; returns the operation if it has its result now.
  Operation* next() noexcept { return finished(); }

 protected:
  /// An operation that finished here, or nullptr.
  Operation* finished() noexcept { return finished_.pop_front(); }
  bool has_finished() const noexcept { return !finished_.empty(); }

  /// A child of fork(2) has taken over what is finished, and what waits in these lists.
  template <class... Lists>
  void adopt_all(Lists&... waiting) noexcept {
    const long process = sys::process();
    adopt(finished_, process);
    (adopt(waiting, process), ...);
  }

  FileQueue(BlockingCalls& blocking, Counters& counters) noexcept
      : blocking_(blocking), counters_(counters) {}
  ~FileQueue() = default;

  /// Queues for the kernel what is left of an operation after a short result.
  virtual void go_on(Operation& operation) noexcept = 0;

  /// Cancels the operations of a list, those of one descriptor or all (-1).
  void withdraw(OperationList& from, int number) noexcept;
  /// Gives the operation to a worker.
  void pass(Operation& operation) noexcept;
  /// The kernel has finished a part of the operation with this result, a count or -errno. True if
  /// the operation is over, and has its result; false if the engine or a worker goes on with the
  /// operation.
  bool completed(Operation& operation, long result) noexcept;
  /// Lists an operation that has its result for next().
  void list(Operation& operation) noexcept;

  BlockingCalls& blocking_;
  Counters& counters_;

 private:
  OperationList finished_;
};

}  // namespace v0
}  // namespace proa
