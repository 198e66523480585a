#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <proa/time.hpp>

namespace proa_test {

// How long this thread has waited for a processor while it could have run. A pause less this is the
// thread's own: it computed, or it waited for something else. 0 where the kernel does not tell.
inline proa::Duration waited_for_cpu() {
  char text[100] = "";
  const int file = ::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  const ssize_t size = ::read(file, text, sizeof text - 1);
  ::close(file);
  unsigned long long ran = 0;
  unsigned long long waited = 0;
  if (size <= 0 || std::sscanf(text, "%llu %llu", &ran, &waited) != 2) return {};
  return proa::Duration(waited);
}

}  // namespace proa_test
