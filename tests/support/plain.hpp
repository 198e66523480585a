#pragma once

// Descriptors of the tests' own, made by calls that every system has. A child does not inherit
// them.

#include <fcntl.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <proa/address.hpp>
#include <string_view>

namespace proa_test {

inline int not_inherited(int descriptor) {
  if (descriptor >= 0) ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return descriptor;
}

inline int plain_socket(int family, int type) { return not_inherited(::socket(family, type, 0)); }

// connect(2); whether it succeeded.
inline bool plain_connect(int socket, const proa::Address& to) {
  return ::connect(socket, static_cast<const sockaddr*>(to.data()),
                   static_cast<socklen_t>(to.size())) == 0;
}

// The number of the loopback interface, which Linux calls "lo", and the others "lo0".
inline unsigned loopback_interface() {
  const unsigned number = ::if_nametoindex("lo");
  return number != 0 ? number : ::if_nametoindex("lo0");
}

inline bool plain_pipe(int (&ends)[2]) {
  if (::pipe(ends) != 0) return false;
  for (const int end : ends) not_inherited(end);
  return true;
}

inline bool plain_pair(int (&ends)[2], bool blocking = true, int type = SOCK_STREAM) {
  if (::socketpair(AF_UNIX, type, 0, ends) != 0) return false;
  for (const int end : ends) {
    not_inherited(end);
    if (!blocking) ::fcntl(end, F_SETFL, O_NONBLOCK);
  }
  return true;
}

// Sends bytes with a descriptor beside them; to whom the socket is connected if there is no name.
inline bool send_with_descriptor(int socket, std::string_view bytes, int passed,
                                 const proa::Address& to = {}) {
  iovec piece = {const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof passed)] = {};
  msghdr message = {};
  if (to.is_set()) {
    message.msg_name = const_cast<void*>(to.data());
    message.msg_namelen = static_cast<socklen_t>(to.size());
  }
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof passed);
  std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
  return ::sendmsg(socket, &message, 0) == static_cast<ssize_t>(bytes.size());
}

}  // namespace proa_test
