#pragma once

#include <cstddef>

// Definitions for backends that only Linux has.

struct io_uring;
struct statx;

namespace proa {
inline namespace v0 {
namespace sys {

struct FileInfo;

/// IORING_FEAT_NO_IOWAIT and IORING_ENTER_NO_IOWAIT (io_uring_enter(2), Linux 6.15), which the
/// headers of Debian 12 do not have. A ring whose `features` lack the first sleeps without the
/// flag.
constexpr unsigned uring_feature_no_iowait = 1u << 17;
constexpr unsigned uring_enter_no_iowait = 1u << 7;

/// IORING_REGISTER_RESIZE_RINGS (io_uring_register(2), Linux 6.13), which they do not have either.
constexpr unsigned uring_register_resize_rings = 33;
/// Memory that is kept free for the queues of a ring that grows, until the kernel has made them: a
/// ring whose new queues find no memory is lost.
struct QueueRoom {
  void* queues = nullptr;
  std::size_t queues_size = 0;
  void* entries = nullptr;
  std::size_t entries_size = 0;
};
/// 0 or -errno: without memory, or if uring_remap() would not know where the queues of this ring
/// lie once the kernel has resized it.
long uring_make_room(const io_uring& ring, unsigned entries, QueueRoom& room) noexcept;
void uring_leave_room(const QueueRoom& room) noexcept;

/// What the user may lock in memory (RLIMIT_MEMLOCK); SIZE_MAX without a limit.
std::size_t lockable_bytes() noexcept;

/// Converts the status that io_uring has written.
FileInfo to_info(const struct statx& from) noexcept;

}  // namespace sys
}  // namespace v0
}  // namespace proa
