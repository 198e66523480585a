#pragma once

// With these helpers the files of lib/sys make their calls. Only those files include this header,
// and only they read errno.

#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <cstddef>

struct iovec;

namespace proa {
inline namespace v0 {
namespace sys {

/// Returns the result of a call, or -errno. macOS has two numbers for "not supported"; the library
/// knows one of them.
inline long checked(long result) noexcept {
  if (result >= 0) return result;
  return errno == ENOTSUP ? -EOPNOTSUPP : -errno;
}

/// The same, but repeats the call as long as signals interrupt it (R11).
template <class Call>
long retried(Call call) noexcept {
  for (;;) {
    const long result = checked(call());
    if (result != -EINTR) return result;
  }
}

/// An argument in the type that the system declares for it: for flags and the codes of ioctl(2)
/// that of musl has another sign than that of glibc.
struct Number {
  template <class Declared>
  operator Declared() const noexcept {
    return static_cast<Declared>(value);
  }
  long long value;
};

inline socklen_t length(std::size_t size) noexcept { return static_cast<socklen_t>(size); }

/// connect(2), which may go on in the background.
long begin_connect(int fd, const void* address, std::size_t size) noexcept;

/// `fd` is a new socket or an error. Gives a datagram socket room for the longest datagrams: the
/// BSDs refuse a datagram above the send buffer, which is 9216 bytes unless the program asks for
/// more.
long with_room(long fd, int family, int type) noexcept;

/// Reads or writes only if poll(2) says that the descriptor is ready, else -EAGAIN. May wait all
/// the same if another process uses the descriptor in between.
long read_if_ready(int fd, const iovec* pieces, int count) noexcept;
long write_if_ready(int fd, const iovec* pieces, int count) noexcept;

/// The signals that a write may raise: SIGPIPE and SIGXFSZ.
sigset_t write_signals() noexcept;

}  // namespace sys
}  // namespace v0
}  // namespace proa
