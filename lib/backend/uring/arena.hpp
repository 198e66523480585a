#pragma once

// The arena holds message headers and lists of pieces from the moment when the backend fills an SQE
// until the kernel has taken the SQE. The backend may reuse the memory then, because the kernel
// copies what it still needs (IORING_FEAT_SUBMIT_STABLE, Linux 5.5).

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <new>

#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

/// A message header. The pieces of the message follow the header in memory.
struct Message {
  msghdr header{};
  iovec* pieces() noexcept { return reinterpret_cast<iovec*>(this + 1); }
};

class Arena {
 public:
  // the kernel provides a page only when the arena first uses it
  static constexpr std::size_t size = std::size_t{256} << 10;

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
  /// Returns nullptr if the arena has no room left: the operation waits until the kernel has taken
  /// all SQEs, and reset() empties the arena.
  Message* take(std::size_t pieces) noexcept {
    const std::size_t bytes = sizeof(Message) + pieces * sizeof(iovec);
    if (size - used_ < bytes) return nullptr;
    void* const taken = memory_ + used_;
    used_ += bytes;
    return new (taken) Message;
  }
  /// Shortens what the last take() returned: the memory from `end` on is free again.
  void trim(const void* end) noexcept {
    used_ = static_cast<std::size_t>(static_cast<const char*>(end) - memory_);
  }
  void reset() noexcept { used_ = 0; }

 private:
  static_assert(sizeof(Message) % alignof(Message) == 0 && sizeof(iovec) % alignof(Message) == 0);

  char* memory_ = nullptr;
  std::size_t used_ = 0;
};

}  // namespace uring
}  // namespace v0
}  // namespace proa
