#pragma once

// Kernel AIO (io_submit(2)) for files that were opened with O_DIRECT: reads and writes go out in
// batches, completions signal an eventfd of an epoll set and are read from the ring that the
// kernel maps into the process.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "backend/file_queue.hpp"

#ifdef PROA_HAVE_AIO
#include <libaio.h>
#endif

namespace proa {
inline namespace v0 {

#ifdef PROA_HAVE_AIO

class AioContext {
 public:
  AioContext() noexcept;
  ~AioContext();
  AioContext(const AioContext&) = delete;
  AioContext& operator=(const AioContext&) = delete;

  /// The epoll set that completions wake, and with which token.
  void set_epoll(int epoll, std::uint64_t token) noexcept {
    epoll_ = epoll;
    token_ = token;
  }
  /// False once the kernel has refused a context; the engine does not ask again.
  bool usable() const noexcept { return !impossible_; }
  /// Whether there is a context. A child of fork(2) does not inherit it.
  bool begun() const noexcept { return context_ != nullptr; }
  /// Queues a ReadAt or a WriteAt. The next flush() gives it to the kernel; until then the caller
  /// may unlink it from queued().
  void submit(Operation& operation) noexcept {
    set_phase(operation, FilePhase::queued);
    queued_.push_back(operation);
  }
  /// The operations that the kernel does not have yet.
  OperationList& queued() noexcept { return queued_; }
  /// Gives the kernel the queued operations, with one call if the kernel takes all of them. Returns
  /// an operation that the kernel refuses, with its error, and the caller calls again; nullptr when
  /// no more can be given.
  Operation* flush(long& error) noexcept;
  /// Whether flush() would do something now.
  bool wants_flush() const noexcept { return !queued_.empty() && !full_ && in_flight_ < entries_; }
  /// The epoll set has told of the context's eventfd.
  void event() noexcept { signalled_ = true; }
  /// Whether next() has an operation to return.
  bool has_next() const noexcept;
  /// An operation that the kernel has finished, and the result; or nullptr.
  Operation* next(long& result) noexcept;

 private:
  static constexpr unsigned most_entries = 256;
  static constexpr unsigned least_entries = 16;
  static constexpr int most_pieces = 64;  // of one submission; a later one transfers the rest
  static constexpr std::size_t most_events = 64;

  struct Ring;
  struct Storage;

  bool open() noexcept;
  long submit_batch() noexcept;

  int epoll_ = -1;
  std::uint64_t token_ = 0;
  void* context_ = nullptr;
  Ring* ring_ = nullptr;  // nullptr if the kernel's ring has another layout than Ring
  int event_ = -1;
  std::unique_ptr<Storage> storage_;
  OperationList queued_;
  std::size_t entries_ = most_entries;
  std::size_t in_flight_ = 0;
  std::size_t next_ = 0;   // the first event of storage_ that next() has not returned,
  std::size_t count_ = 0;  // of so many that io_getevents(2) brought
  bool impossible_ = false;
  bool full_ = false;       // the kernel takes no more before something completes
  bool signalled_ = false;  // where ring_ is nullptr: io_getevents(2) may have events
};

#else

class AioContext {
 public:
  void set_epoll(int, std::uint64_t) noexcept {}
  bool usable() const noexcept { return false; }
  bool begun() const noexcept { return false; }
  void submit(Operation&) noexcept {}
  OperationList& queued() noexcept { return queued_; }
  Operation* flush(long&) noexcept { return nullptr; }
  bool wants_flush() const noexcept { return false; }
  void event() noexcept {}
  bool has_next() const noexcept { return false; }
  Operation* next(long&) noexcept { return nullptr; }

 private:
  OperationList queued_;
};

#endif

}  // namespace v0
}  // namespace proa
