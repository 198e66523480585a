#pragma once

// Reads and writes of files beside an epoll set. A buffered one is tried on the loop's thread and
// must not wait (RWF_NOWAIT); one with O_DIRECT goes to kernel AIO; what neither can do goes to a
// worker.

#include <cstdint>
#include <proa/file_requests.hpp>
#include <proa/proactor.hpp>

#include "backend/epoll/aio.hpp"
#include "descriptor_table.hpp"
#include "file/file_calls.hpp"
#include "operation_list.hpp"

namespace proa {

class FileEngine {
 public:
  FileEngine(BlockingCalls& blocking, Counters& counters) noexcept
      : blocking_(blocking), counters_(counters) {}

  AioContext& aio() noexcept { return aio_; }
  const AioContext& aio() const noexcept { return aio_; }

  /// A ReadAt or a WriteAt.
  void submit(Operation& operation) noexcept;
  void cancel(Operation& operation) noexcept;
  /// Cancels what the kernel does not have, of one descriptor or of all (-1).
  void withdraw(int number) noexcept;
  /// Before sleeping: gives the kernel what waits for that.
  void flush() noexcept;
  /// An operation that finished here, or nullptr.
  Operation* finished() noexcept { return finished_.pop_front(); }
  /// Looks at one that the kernel has finished; returns it if there is no more to do for it.
  Operation* next_completed() noexcept;
  bool has_completed() const noexcept { return aio_.has_next(); }
  bool has_runnable() const noexcept { return !runnable_.empty(); }
  /// Whether finished(), next_completed() or perform_next() has something to do.
  bool ready() const noexcept {
    return !runnable_.empty() || !finished_.empty() || aio_.has_next();
  }
  bool wants_flush() const noexcept { return aio_.wants_flush(); }
  /// One system call for the operation that waited longest; returns it if that finished it.
  Operation* perform_next() noexcept;
  /// The number will be another file's.
  void forget(int number) noexcept;

 private:
  struct Traits {
    FileKind kind = FileKind::unknown;
    bool read_waits = false;   // RWF_NOWAIT is refused
    bool write_waits = false;  // as well
    bool no_aio = false;       // kernel AIO is refused
  };

  void finish(Operation& operation, long result) noexcept;
  void withdraw(OperationList& from, int number) noexcept;
  void run(Operation& operation, FilePhase phase) noexcept;
  Operation* perform_read(ReadAt& read) noexcept;
  Operation* perform_write(WriteAt& write) noexcept;
  Operation* pass(Operation& operation) noexcept;
  void refused(Operation& operation, long error) noexcept;
  bool completed(Operation& operation, long result) noexcept;

  BlockingCalls& blocking_;
  Counters& counters_;
  AioContext aio_;
  DescriptorTable<Traits> traits_;
  OperationList runnable_;
  OperationList finished_;
};

}  // namespace proa
