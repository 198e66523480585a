#pragma once

// Memory for message headers and lists of pieces, from the filling of an SQE until the kernel has
// taken it. They need not live longer, because the kernel copies what it still needs
// (IORING_FEAT_SUBMIT_STABLE, Linux 5.5).

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <new>

#include "sys/sys.hpp"

namespace proa::uring {

/// A message header; its pieces are behind it in memory.
struct Message {
  msghdr header{};
  iovec* pieces() noexcept { return reinterpret_cast<iovec*>(this + 1); }
};

class Arena {
 public:
  static constexpr std::size_t size = std::size_t{256} << 10;  // mapped, but touched only as used

  Arena() noexcept = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { close(); }

  /// 0 or -errno.
  long open() noexcept {
    void* memory = nullptr;
    const long mapped = sys::map(size, &memory);
    if (mapped == 0) memory_ = static_cast<char*>(memory);
    return mapped;
  }
  void close() noexcept {
    if (memory_) sys::unmap(memory_, size);
    memory_ = nullptr;
    used_ = 0;
  }
  /// nullptr when this batch is full: the operation waits for the next one.
  Message* take(std::size_t pieces) noexcept {
    const std::size_t bytes = sizeof(Message) + pieces * sizeof(iovec);
    if (size - used_ < bytes) return nullptr;
    void* const taken = memory_ + used_;
    used_ += bytes;
    return new (taken) Message;
  }
  /// Gives back the memory of the last take() from `end` on.
  void trim(const void* end) noexcept {
    used_ = static_cast<std::size_t>(static_cast<const char*>(end) - memory_);
  }
  void reset() noexcept { used_ = 0; }

 private:
  static_assert(sizeof(Message) % alignof(Message) == 0 && sizeof(iovec) % alignof(Message) == 0);

  char* memory_ = nullptr;
  std::size_t used_ = 0;
};

}  // namespace proa::uring
