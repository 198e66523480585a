// Waiting that goes on after an interruption: a stop of the process, or io_uring's work for a ring
// that was closed a moment ago.
#pragma once

#include <cerrno>

namespace measure {

/// Makes a system call again for as long as it is interrupted.
template <class Call>
auto restart(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace measure
