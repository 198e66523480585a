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
  /// False when there can be no context here; remembered for good.
  bool usable() const noexcept { return !impossible_; }
  /// Takes a ReadAt or a WriteAt; it goes to the kernel with the next flush(), and until then may
  /// be unlinked.
  void submit(Operation& operation) noexcept {
    set_phase(operation, FilePhase::queued);
    queued_.push_back(operation);
  }
  /// What the kernel does not have yet.
  OperationList& queued() noexcept { return queued_; }
  /// Gives the kernel what was submitted, all with one call if it takes all. Returns an operation
  /// that it refuses, and why, and is to be called again; nullptr when it is through.
  Operation* flush(long& error) noexcept;
  /// Whether flush() would do something now.
  bool wants_flush() const noexcept { return !queued_.empty() && !full_ && in_flight_ < entries_; }
  /// The token came out of the epoll set.
  void event() noexcept { signalled_ = true; }
  /// Whether next() has one.
  bool has_next() const noexcept;
  /// An operation that the kernel has finished, and the result; or nullptr.
  Operation* next(long& result) noexcept;

 private:
  static constexpr unsigned most_entries = 256;
  static constexpr unsigned least_entries = 16;
  static constexpr int most_pieces = 64;  // of one operation; the rest is another step
  static constexpr std::size_t most_events = 64;

  struct Ring;
  struct Storage;

  bool open() noexcept;
  long submit_batch() noexcept;

  int epoll_ = -1;
  std::uint64_t token_ = 0;
  void* context_ = nullptr;
  Ring* ring_ = nullptr;  // nullptr if its layout is not the one we know
  int event_ = -1;
  std::unique_ptr<Storage> storage_;
  OperationList queued_;
  std::size_t entries_ = most_entries;
  std::size_t in_flight_ = 0;
  std::size_t next_ = 0;  // of the events that io_getevents(2) brought
  std::size_t count_ = 0;
  bool impossible_ = false;
  bool full_ = false;       // the kernel takes no more before something completes
  bool signalled_ = false;  // without a ring: there may be events
};

#else

class AioContext {
 public:
  void set_epoll(int, std::uint64_t) noexcept {}
  bool usable() const noexcept { return false; }
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

}  // namespace proa
