// Calls that have nothing to do with kqueue, and that FreeBSD answers in its own way: the linker
// sends setsockopt(), sendmsg(), recvmsg() and readlinkat() of the program through here (--wrap).
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel.hpp"

extern "C" {
int __real_setsockopt(int descriptor, int level, int name, const void* value, socklen_t size);
ssize_t __real_sendmsg(int descriptor, const msghdr* message, int flags);
ssize_t __real_recvmsg(int descriptor, msghdr* message, int flags);
ssize_t __real_readlinkat(int at, const char* path, char* target, size_t size);
}

namespace proa_test::emulated {

namespace {

// kern.ipc.maxsockbuf (8388608), less an mbuf of 256 bytes for each cluster of 2048.
constexpr int largest_buffer = 7456540;

int family_of(int descriptor) noexcept {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  return ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) == 0
             ? address.ss_family
             : AF_UNSPEC;
}

bool is_local_datagram(int descriptor) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size);
  return type == SOCK_DGRAM && family_of(descriptor) == AF_UNIX;
}

// Why FreeBSD refuses this option, or 0.
int refusal(int descriptor, int level, int name, const void* value) noexcept {
  if (level == SOL_SOCKET && (name == SO_SNDBUF || name == SO_RCVBUF)) {
    int bytes = 0;
    std::memcpy(&bytes, value, sizeof bytes);
    return bytes > largest_buffer ? ENOBUFS : 0;
  }
  const bool joins = name == MCAST_JOIN_GROUP || name == MCAST_LEAVE_GROUP ||
                     name == MCAST_JOIN_SOURCE_GROUP || name == MCAST_LEAVE_SOURCE_GROUP;
  return level == IPPROTO_IP && joins && family_of(descriptor) == AF_INET6 ? EINVAL : 0;
}

}  // namespace

// As with net.inet.ip.connect_inaddr_wild = 0, which is what FreeBSD 15 begins with.
bool is_unspecified(const sockaddr* address) noexcept {
  if (address->sa_family == AF_INET) {
    return reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr == htonl(INADDR_ANY);
  }
  return address->sa_family == AF_INET6 &&
         IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
}

}  // namespace proa_test::emulated

using namespace proa_test::emulated;

extern "C" int __wrap_setsockopt(int descriptor, int level, int name, const void* value,
                                 socklen_t size) {
  if (const int error = in_use() ? refusal(descriptor, level, name, value) : 0) {
    errno = error;
    return -1;
  }
  return __real_setsockopt(descriptor, level, name, value, size);
}

extern "C" ssize_t __wrap_sendmsg(int descriptor, const msghdr* message, int flags) {
  if (in_use() && message->msg_name &&
      is_unspecified(static_cast<const sockaddr*>(message->msg_name))) {
    errno = ENETUNREACH;
    return -1;
  }
  const ssize_t sent = __real_sendmsg(descriptor, message, flags);
  if (sent >= 0 || !in_use() || message->msg_name) return sent;
  const int error = errno;
  const bool lost = error == ECONNREFUSED || error == ENOTCONN;
  errno = !lost || !is_local_datagram(descriptor) ? error
          : error == ECONNREFUSED                 ? ECONNRESET
                                                  : EDESTADDRREQ;
  return sent;
}

// An unnamed UNIX socket has an address whose path is NUL bytes (sun_noname, of a sockaddr's size).
extern "C" ssize_t __wrap_recvmsg(int descriptor, msghdr* message, int flags) {
  const socklen_t room = message->msg_namelen;
  const ssize_t got = __real_recvmsg(descriptor, message, flags);
  if (got < 0 || !in_use() || !message->msg_name || message->msg_namelen > sizeof(sa_family_t) ||
      !is_local_datagram(descriptor)) {
    return got;
  }
  sockaddr unnamed{};
  unnamed.sa_family = AF_UNIX;
  message->msg_namelen = std::min<socklen_t>(room, sizeof unnamed);
  std::memcpy(message->msg_name, &unnamed, message->msg_namelen);
  return got;
}

// An empty path is the directory itself, which is no link.
extern "C" ssize_t __wrap_readlinkat(int at, const char* path, char* target, size_t size) {
  if (!in_use() || *path != '\0') return __real_readlinkat(at, path, target, size);
  errno = EINVAL;
  return -1;
}
