#pragma once

// Reads and writes of files beside an epoll set. The loop's thread tries a transfer of a buffered
// file without waiting (RWF_NOWAIT); kernel AIO takes transfers of files that were opened with
// O_DIRECT; a worker performs what neither of them can.

#include <proa/file_requests.hpp>

#include "backend/epoll/aio.hpp"
#include "backend/file_queue.hpp"
#include "base/descriptor_table.hpp"
#include "base/rotation.hpp"
#include "file/file_calls.hpp"

namespace proa {
inline namespace v0 {

class FileEngine final : public FileQueue {
 public:
  FileEngine(BlockingCalls& blocking, Counters& counters) noexcept
      : FileQueue(blocking, counters) {}

  static bool takes(const Operation& operation) noexcept { return transfers(operation); }
  AioContext& aio() noexcept { return aio_; }
  const AioContext& aio() const noexcept { return aio_; }

  /// Whether there is something that a child of fork(2) cannot go on with.
  bool busy() const noexcept { return aio_.begun(); }
  /// Such a child goes on with the rest.
  void renewed() noexcept { adopt_all(runnable_, aio_.queued()); }

  void submit(Operation& operation) noexcept;
  /// Cancels the operations that the kernel does not have, of one descriptor or of all (-1).
  void withdraw(int number) noexcept;
  void flush() noexcept;
  bool wants_flush() const noexcept { return aio_.wants_flush(); }
  bool due() const noexcept { return has_finished() || !runnable_.empty() || aio_.has_next(); }
  /// Returns, in turns, an operation that has finished in a list, the one for which the engine
  /// makes a system call now, and one that the kernel has completed.
  Operation* next() noexcept;
  /// The caller closes the file: forgets what the kernel refused for this descriptor.
  void forget(int number) noexcept;

 private:
  struct Traits {
    FileKind kind = FileKind::unknown;
    bool read_waits = false;  // the file system refuses RWF_NOWAIT for reads
    bool write_waits =
        false;            // the file system refuses RWF_NOWAIT for writes, or every write is synced
    bool no_aio = false;  // the file system refuses kernel AIO
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
  Rotation<3> rotation_;
};

}  // namespace v0
}  // namespace proa
