// Why something could not be measured.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>

namespace measure {

/// Empty if all went well, else what failed and why, such as "epoll_ctl: EPERM".
using Trouble = std::string;

/// The name of an error, such as "EPERM", or what the system says of it.
inline std::string error_name(int error) {
#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
  if (const char* const name = ::strerrorname_np(error)) return name;
#endif
  return std::strerror(error);
}

inline Trouble failed(const char* call, int error = errno) {
  return std::string(call) + ": " + error_name(error);
}

}  // namespace measure
