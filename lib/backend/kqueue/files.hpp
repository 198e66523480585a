#pragma once

// Reads, writes and syncs of files beside a kqueue, by aio(4): each goes to the kernel by itself,
// and its end is an event of the kqueue. What the kernel refuses goes to a worker.

#include <cstddef>
#include <memory>
#include <proa/file_requests.hpp>

#include "backend/file_queue.hpp"
#include "base/descriptor_table.hpp"
#include "file/file_calls.hpp"

namespace proa {

class AioFiles final : public FileQueue {
 public:
  AioFiles(BlockingCalls& blocking, Counters& counters) noexcept;
  ~AioFiles();

  static bool takes(const Operation& operation) noexcept;
  /// Asks how much aio(4) there is; then usable().
  void open(int kqueue) noexcept;
  bool usable() const noexcept { return limit_ > 0; }

  void submit(Operation& operation) noexcept;
  void cancel(Operation& operation) noexcept;
  void withdraw(int number) noexcept { FileQueue::withdraw(queued_, number); }
  /// The event with this udata came; an operation if that is its end.
  Operation* event(void* udata) noexcept;
  /// The number will be another file's.
  void forget(int number) noexcept;

 private:
  struct Slot;

  void go_on(Operation& operation) noexcept override;
  void start_queued() noexcept;
  long start(Operation& operation, Slot& slot) noexcept;

  int kqueue_ = -1;
  std::size_t limit_ = 0;  // of those in flight
  std::size_t in_flight_ = 0;
  std::unique_ptr<Slot[]> slots_;
  Slot* free_ = nullptr;
  OperationList queued_;
  DescriptorTable<FileKind> kinds_;
};

}  // namespace proa
