#pragma once

// Reads, writes and syncs of files beside a kqueue, by aio(4). Each is a request of its own, and
// the kqueue has an event when the kernel has finished it. A worker performs what the kernel
// refuses.

#include <cstddef>
#include <memory>
#include <proa/file_requests.hpp>

#include "backend/file_queue.hpp"
#include "base/descriptor_table.hpp"
#include "file/file_calls.hpp"

namespace proa {
inline namespace v0 {

class AioFiles final : public FileQueue {
 public:
  AioFiles(BlockingCalls& blocking, Counters& counters) noexcept;
  ~AioFiles();

  static bool takes(const Operation& operation) noexcept;
  /// Asks the system how many requests it takes; usable() tells afterwards whether it takes any.
  void open(int kqueue) noexcept;
  bool usable() const noexcept { return limit_ > 0; }

  /// Whether there is something that a child of fork(2) cannot go on with: no request begins before
  /// the first flush().
  bool busy() const noexcept { return in_flight_ > 0; }
  /// Such a child goes on with the rest.
  void renewed() noexcept { adopt_all(queued_); }
  void flush() noexcept { begun_ = true; }
  bool due() const noexcept { return has_finished() || waits_; }
  Operation* next() noexcept;

  void submit(Operation& operation) noexcept;
  void cancel(Operation& operation) noexcept;
  void withdraw(int number) noexcept { FileQueue::withdraw(queued_, number); }
  /// The kqueue has told of the request with this udata. If its operation is over, next() returns
  /// it.
  void event(void* udata) noexcept;
  /// The caller closes the file: forgets what kind of file this descriptor was.
  void forget(int number) noexcept;

 private:
  struct Slot;

  void go_on(Operation& operation) noexcept override;
  void start_queued() noexcept;
  long start(Operation& operation, Slot& slot) noexcept;

  int kqueue_ = -1;
  bool begun_ = false;     // the loop runs: requests begin when they are submitted
  bool waits_ = false;     // requests were submitted before, and next() begins them
  std::size_t limit_ = 0;  // so many requests may be in flight
  std::size_t in_flight_ = 0;
  std::unique_ptr<Slot[]> slots_;
  Slot* free_ = nullptr;
  OperationList queued_;
  DescriptorTable<FileKind> kinds_;
};

}  // namespace v0
}  // namespace proa
