#pragma once

// What the file engines of epoll and kqueue have in common: an operation waits in a list until the
// kernel takes it, is passed to a worker where the kernel cannot do it, and goes on after a short
// result.

#include <cerrno>
#include <cstdint>
#include <proa/proactor.hpp>

#include "base/operation_list.hpp"

namespace proa {

/// Where an operation on a file is while the backend has it.
enum class FilePhase : std::uint8_t {
  runnable,  // a system call is due
  refused,   // is to go to a worker
  queued,    // for the kernel
  kernel,    // there, and in no list
  finished,
};

inline void set_phase(Operation& operation, FilePhase phase) noexcept {
  BackendSide::phase(operation) = static_cast<std::uint8_t>(phase);
}
inline FilePhase phase_of(Operation& operation) noexcept {
  return static_cast<FilePhase>(BackendSide::phase(operation));
}

inline bool transfers(const Operation& operation) noexcept {
  return operation.opcode() == Opcode::read_at || operation.opcode() == Opcode::write_at;
}
inline bool unsupported(long result) noexcept {
  return result == -EOPNOTSUPP || result == -ENOTSUP;
}

class FileQueue {
 public:
  /// One that the kernel has is left alone.
  void cancel(Operation& operation) noexcept;
  /// An operation that finished here, or nullptr.
  Operation* finished() noexcept { return finished_.pop_front(); }
  bool has_finished() const noexcept { return !finished_.empty(); }

  // An engine that works between events too hides these.

  /// Before sleeping: gives the kernel what waits for that.
  void flush() noexcept {}
  bool wants_flush() const noexcept { return false; }
  /// Whether next() has something to do.
  bool due() const noexcept { return false; }
  /// One step; returns an operation if that finished it.
  Operation* next() noexcept { return nullptr; }

 protected:
  FileQueue(BlockingCalls& blocking, Counters& counters) noexcept
      : blocking_(blocking), counters_(counters) {}
  ~FileQueue() = default;

  /// Takes on what is left of an operation.
  virtual void go_on(Operation& operation) noexcept = 0;

  /// Cancels what is in a list, of one descriptor or of all (-1).
  void withdraw(OperationList& from, int number) noexcept;
  /// To a worker.
  void pass(Operation& operation) noexcept;
  /// What the kernel says of a step; true if the operation has its result with that.
  bool completed(Operation& operation, long result) noexcept;

  BlockingCalls& blocking_;
  Counters& counters_;

 private:
  OperationList finished_;
};

}  // namespace proa
