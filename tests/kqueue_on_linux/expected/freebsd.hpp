#pragma once

// Included before all else, so that the probes ask what they asked on FreeBSD, where __linux__ is
// not defined; the headers of the system itself still have to know what it is.
#include <aio.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysctl.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

// The order in which arguments are evaluated is the compiler's choice. It was from left to right,
// as it always is in braces.
struct PrintInOrder {
  template <class... Values>
  explicit PrintInOrder(const char* format, Values... values) {
    std::printf(format, values...);
  }
};

// Files of the probes are made in the current folder, where two runs do not meet.
inline const char* here(const char* path) {
  const char* const last = strrchr(path, '/');
  return last ? last + 1 : path;
}

// As there, where the second file system was mounted read-only.
inline int open_here(const char* path, int flags, int mode = 0) {
  if (std::string(path).rfind("/var/", 0) != 0) return open(here(path), flags, mode);
  errno = EROFS;
  return -1;
}

#undef __linux__
#define printf(...) PrintInOrder{__VA_ARGS__}
#define open open_here
