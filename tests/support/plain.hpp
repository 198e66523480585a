#pragma once

// Descriptors of the tests' own, made by calls that every system has. A child does not inherit
// them.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace proa_test {

inline int not_inherited(int descriptor) {
  if (descriptor >= 0) ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return descriptor;
}

inline int plain_socket(int family, int type) { return not_inherited(::socket(family, type, 0)); }

inline bool plain_pipe(int (&ends)[2]) {
  if (::pipe(ends) != 0) return false;
  for (const int end : ends) not_inherited(end);
  return true;
}

inline bool plain_pair(int (&ends)[2], bool blocking = true) {
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return false;
  for (const int end : ends) {
    not_inherited(end);
    if (!blocking) ::fcntl(end, F_SETFL, O_NONBLOCK);
  }
  return true;
}

}  // namespace proa_test
