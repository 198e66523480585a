// Replaces the calls for sockets that Linux has alone, or answers in its own way. Tests on Linux
// run through these substitutes too.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>

#include "sys/call.hpp"
#include "sys/names.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {
namespace sys {

long with_room(long fd, [[maybe_unused]] int family, [[maybe_unused]] int type) noexcept {
#ifndef __linux__
  const int largest = UINT16_MAX;
  if (fd >= 0 && type == SOCK_DGRAM && family != AF_UNIX) {
    ::setsockopt(static_cast<int>(fd), SOL_SOCKET, SO_SNDBUF, &largest, sizeof largest);
  }
#endif
  return fd;
}

namespace portable {

namespace {

// Makes a new socket non-blocking, close-on-exec and free of SIGPIPE. macOS has no single call for
// that: between these, a child of another thread may inherit the socket.
long settled(long fd) noexcept {
  if (fd < 0) return fd;
  const int made = static_cast<int>(fd);
  ::fcntl(made, F_SETFD, FD_CLOEXEC);
  ::fcntl(made, F_SETFL, O_NONBLOCK);
#ifdef SO_NOSIGPIPE
  const int on = 1;
  ::setsockopt(made, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
  return fd;
}

// Whether a datagram has arrived. If none has, a receive could take the socket's error, which the
// socket reports only once, and recvmmsg() could not pass that error on.
bool more(int fd) noexcept {
  int bytes = 0;
  return ::ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

int family_of(int fd) noexcept {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 ? address.ss_family
                                                                              : AF_UNSPEC;
}

// Linux takes the unspecified address for this machine. FreeBSD 15 refuses it, and earlier releases
// choose the address of some interface.
const void* destination(const void* address, std::size_t size, sockaddr_in6& copy) noexcept {
  if (size < sizeof(sockaddr_in) || size > sizeof copy) return address;
  std::memcpy(&copy, address, size);
  if (copy.sin6_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof v4);
    if (v4.sin_addr.s_addr != htonl(INADDR_ANY)) return address;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::memcpy(&copy, &v4, sizeof v4);
    return &copy;
  }
  if (copy.sin6_family != AF_INET6 || size < sizeof copy) return address;
  if (!IN6_IS_ADDR_UNSPECIFIED(&copy.sin6_addr)) return address;
  copy.sin6_addr = IN6ADDR_LOOPBACK_INIT;
  return &copy;
}

// Linux names no address if the sender is a UNIX socket without a name. FreeBSD names one whose
// path is NUL bytes.
void forget_unnamed(msghdr& header) noexcept {
  constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);
  const auto* const name = static_cast<const char*>(header.msg_name);
  if (!name || header.msg_namelen < path_offset) return;
  sockaddr_un address{};
  std::memcpy(&address, name, path_offset);
  const bool is_zero =
      std::all_of(name + path_offset, name + header.msg_namelen, [](char c) { return c == 0; });
  if (address.sun_family == AF_UNIX && is_zero) header.msg_namelen = 0;
}

// A connected UNIX socket has lost its peer. FreeBSD may say ECONNRESET once, where Linux says
// ECONNREFUSED, and from then on EDESTADDRREQ.
long error_of_send(int fd, const msghdr& header, long error) noexcept {
  const bool lost = error == -ECONNRESET || error == -EDESTADDRREQ;
  if (!lost || header.msg_name || family_of(fd) != AF_UNIX) return error;
  return error == -ECONNRESET ? -ECONNREFUSED : -ENOTCONN;
}

long set(int fd, int level, int name, const void* value, std::size_t size) noexcept {
  return checked(::setsockopt(fd, level, name, value, length(size)));
}

// Linux gives a buffer the largest size that it can, and the BSDs refuse what is larger than that.
// No number tells where that begins: the kernel counts its own costs against kern.ipc.maxsockbuf,
// and RLIMIT_SBSIZE may be lower. So this looks for it, to a KiB.
long set_largest(int fd, int name, int refused) noexcept {
  int given = 0;
  while (refused - given > 1024) {
    const int size = given + (refused - given) / 2;
    const long result = set(fd, SOL_SOCKET, name, &size, sizeof size);
    if (result < 0 && result != -ENOBUFS) return result;
    (result < 0 ? refused : given) = size;
  }
  return given > 0 ? 0 : -ENOBUFS;
}

bool is_of_groups(int name) noexcept {
  return name == MCAST_JOIN_GROUP || name == MCAST_LEAVE_GROUP || name == MCAST_JOIN_SOURCE_GROUP ||
         name == MCAST_LEAVE_SOURCE_GROUP;
}

}  // namespace

long socket(int family, int type) noexcept {
  return with_room(settled(checked(::socket(family, type, 0))), family, type);
}
long accept(int fd, void* address, socklen_t* size) noexcept {
  return settled(retried([&] { return ::accept(fd, static_cast<sockaddr*>(address), size); }));
}
// Says how a connect in the background went. On the BSDs a second connect(2) may begin anew, or
// fail for another reason, so this asks for the pending error.
long connect_error(int fd) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  const long result = checked(::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
  return result < 0 ? result : -error;
}
// The BSDs cannot end a connect but with the socket.
long abandon_connect(int) noexcept { return -EOPNOTSUPP; }
long connect(int fd, const void* address, std::size_t size) noexcept {
  sockaddr_in6 copy;
  return begin_connect(fd, destination(address, size, copy), size);
}
long recvmmsg(int fd, Message* messages, unsigned count, int flags) noexcept {
  unsigned done = 0;
  do {
    msghdr& header = messages[done].header;
    const long result = retried([&] { return ::recvmsg(fd, &header, flags); });
    if (result < 0) return done > 0 ? static_cast<long>(done) : result;
    forget_unnamed(header);
    messages[done].bytes = static_cast<unsigned>(result);
  } while (++done < count && more(fd));
  return static_cast<long>(done);
}
// Like the call of Linux, this returns an error only if the first datagram has failed.
long sendmmsg(int fd, Message* messages, unsigned count, int flags) noexcept {
  for (unsigned done = 0; done < count; ++done) {
    msghdr header = messages[done].header;
    sockaddr_in6 copy;
    if (header.msg_name) {
      header.msg_name = const_cast<void*>(destination(header.msg_name, header.msg_namelen, copy));
    }
    const long result = retried([&] { return ::sendmsg(fd, &header, flags); });
    if (result < 0) return done > 0 ? static_cast<long>(done) : error_of_send(fd, header, result);
    messages[done].bytes = static_cast<unsigned>(result);
  }
  return static_cast<long>(count);
}

// Where a buffer would be too large, this sets the largest that the system gives, and an IPv4 group
// on an IPv6 socket is a family that the system does not support there.
long setsockopt(int fd, int level, int name, const void* value, std::size_t size) noexcept {
  const long result = set(fd, level, name, value, size);
  const bool sizes = level == SOL_SOCKET && (name == SO_SNDBUF || name == SO_RCVBUF);
  int asked = 0;
  if (result == -ENOBUFS && sizes && size == sizeof asked) {
    std::memcpy(&asked, value, sizeof asked);
    return set_largest(fd, name, asked);
  }
  if (result == -EINVAL && level == IPPROTO_IP && is_of_groups(name) && family_of(fd) == AF_INET6) {
    return -EAFNOSUPPORT;
  }
  return result;
}

}  // namespace portable
}  // namespace sys
}  // namespace v0
}  // namespace proa
