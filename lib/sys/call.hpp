#pragma once

// With these helpers the files of lib/sys make their calls. Only those files include this header,
// and only they read errno.

#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <cstddef>

namespace proa::sys {

/// The result of a call, or -errno. macOS has two numbers for "not supported", of which the library
/// knows one.
inline long checked(long result) noexcept {
  if (result >= 0) return result;
  return errno == ENOTSUP ? -EOPNOTSUPP : -errno;
}

/// The same; the call is repeated as long as signals interrupt it (R11).
template <class Call>
long retried(Call call) noexcept {
  for (;;) {
    const long result = checked(call());
    if (result != -EINTR) return result;
  }
}

inline socklen_t length(std::size_t size) noexcept { return static_cast<socklen_t>(size); }

/// The new socket fd, or the error that it is, made to take the longest datagrams: the BSDs refuse
/// those above its send buffer, 9216 bytes unless told otherwise.
long with_room(long fd, int family, int type) noexcept;

/// What a write may raise: SIGPIPE and SIGXFSZ.
sigset_t write_signals() noexcept;

}  // namespace proa::sys
