// sysctlbyname(3): the numbers that a FreeBSD 13.2 kernel gave.
#include <sys/sysctl.h>

#include <cerrno>
#include <cstring>

#include "kernel.hpp"

namespace {

// -1 if there is no such name.
int number_of(const char* name) noexcept {
  struct Known {
    const char* name;
    int value;
  };
  static constexpr Known known[] = {
      {"vfs.aio.max_aio_queue", 1024},
      {"vfs.aio.max_aio_queue_per_proc", proa_test::emulated::most_aio},
      {"vfs.aio.max_aio_per_proc", 32},
      {"vfs.aio.max_aio_procs", 32},
      {"vfs.aio.enable_unsafe", 0},
      {"vfs.aio.num_buf_aio", 0},
      {"p1003_1b.aio_listio_max", 256},
      {"kern.osreldate", 1302001}};
  for (const Known& each : known) {
    if (std::strcmp(each.name, name) == 0) return each.value;
  }
  return -1;
}

int failed(int error) noexcept {
  errno = error;
  return -1;
}

}  // namespace

int sysctlbyname(const char* name, void* old_value, size_t* old_size, const void* new_value,
                 size_t) {
  const int value = proa_test::emulated::macos() ? -1 : number_of(name);
  if (value < 0) return failed(ENOENT);
  if (new_value) return failed(EPERM);
  if (!old_value) {
    *old_size = sizeof value;
    return 0;
  }
  if (*old_size < sizeof value) return failed(ENOMEM);
  *old_size = sizeof value;
  std::memcpy(old_value, &value, sizeof value);
  return 0;
}
