#pragma once

// Flags and structures of the system whose names or layouts differ between systems, and that the
// library uses in more than one place.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ctime>

namespace proa {
inline namespace v0 {
namespace sys {

/// One datagram of recvmmsg(2) or sendmmsg(2): their struct mmsghdr.
struct Message {
  msghdr header;
  unsigned bytes;
};

/// What the system knows of a file: the part of statx(2) that the library uses.
struct FileInfo {
  std::uint32_t mode;
  std::uint32_t user;
  std::uint32_t group;
  std::uint64_t device;
  std::uint64_t inode;
  std::uint64_t links;
  std::uint64_t size;
  std::uint64_t sectors;  // of 512 bytes
  timespec modified;
  timespec changed;
  timespec accessed;
  std::uint32_t direct_memory;  // the alignment of direct transfers; 0: the system does not say
  std::uint32_t direct_offset;
  bool on_device;  // the file system lies on a block device
};

/// All signals have smaller numbers than this. NSIG of FreeBSD leaves out those of real time.
#ifdef __FreeBSD__
inline constexpr int signal_count = _SIG_MAXSIG + 1;
#else
inline constexpr int signal_count = NSIG;
#endif

/// Flags of preadv2() and pwritev2().
#ifdef RWF_NOWAIT
inline constexpr int nowait = RWF_NOWAIT;
inline constexpr int append = RWF_APPEND;
#else
inline constexpr int nowait = 1;
inline constexpr int append = 2;
#endif

/// A flag of sends that asks for no SIGPIPE. Systems without the flag have an option of the socket
/// for that.
#ifdef MSG_NOSIGNAL
inline constexpr int no_signal = MSG_NOSIGNAL;
#else
inline constexpr int no_signal = 0;
#endif

/// A flag of sendmmsg() by which the kernel borrows the memory. Used only if the socket accepted
/// the option.
#ifdef MSG_ZEROCOPY
inline constexpr int zero_copy = MSG_ZEROCOPY;
#else
inline constexpr int zero_copy = 0;
#endif

/// A flag of openat() that bypasses the page cache. macOS has a call for that instead, which
/// openat() makes.
#ifdef O_DIRECT
inline constexpr int direct_io = O_DIRECT;
#else
inline constexpr int direct_io = 1 << 30;
#endif

/// On the BSDs the first byte of a sockaddr is its length.
#ifdef __linux__
inline void set_length(void*, std::size_t) noexcept {}
#else
inline void set_length(void* raw, std::size_t size) noexcept {
  *static_cast<std::uint8_t*>(raw) = static_cast<std::uint8_t>(size);
}
#endif

/// Whether UNIX sockets may have names that are no paths (unix(7), "abstract").
#ifdef __linux__
inline constexpr bool abstract_names = true;
#else
inline constexpr bool abstract_names = false;
#endif

}  // namespace sys
}  // namespace v0
}  // namespace proa
