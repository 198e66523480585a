#pragma once

// Reads and writes of files beside an epoll set. A buffered one is tried on the loop's thread and
// must not wait (RWF_NOWAIT); one with O_DIRECT goes to kernel AIO; what neither can do goes to a
// worker.

#include <proa/file_requests.hpp>

#include "backend/epoll/aio.hpp"
#include "backend/file_queue.hpp"
#include "base/descriptor_table.hpp"
#include "file/file_calls.hpp"

namespace proa {

class FileEngine final : public FileQueue {
 public:
  FileEngine(BlockingCalls& blocking, Counters& counters) noexcept
      : FileQueue(blocking, counters) {}

  static bool takes(const Operation& operation) noexcept { return transfers(operation); }
  AioContext& aio() noexcept { return aio_; }
  const AioContext& aio() const noexcept { return aio_; }

  void submit(Operation& operation) noexcept;
  /// Cancels what the kernel does not have, of one descriptor or of all (-1).
  void withdraw(int number) noexcept;
  void flush() noexcept;
  bool wants_flush() const noexcept { return aio_.wants_flush(); }
  bool due() const noexcept { return !runnable_.empty() || aio_.has_next(); }
  /// A system call for the operation that waited longest, and a completion of the kernel's, in
  /// turns.
  Operation* next() noexcept;
  /// The number will be another file's.
  void forget(int number) noexcept;

 private:
  struct Traits {
    FileKind kind = FileKind::unknown;
    bool read_waits = false;   // RWF_NOWAIT is refused
    bool write_waits = false;  // as well
    bool no_aio = false;       // kernel AIO is refused
  };

  void go_on(Operation& operation) noexcept override { aio_.submit(operation); }
  void run(Operation& operation, FilePhase phase) noexcept;
  Operation* next_completed() noexcept;
  Operation* perform_next() noexcept;
  Operation* perform_read(ReadAt& read) noexcept;
  Operation* perform_write(WriteAt& write) noexcept;
  Operation* passed(Operation& operation) noexcept;
  void refused(Operation& operation, long error) noexcept;

  AioContext aio_;
  DescriptorTable<Traits> traits_;
  OperationList runnable_;
  bool completions_turn_ = false;
};

}  // namespace proa
