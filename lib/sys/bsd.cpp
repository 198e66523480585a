// The calls that FreeBSD and macOS make in their own ways.
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "sys/call.hpp"
#include "sys/names.hpp"
#include "sys/sys.hpp"

#ifdef __FreeBSD__
#include <pthread_np.h>
#endif

namespace proa {
inline namespace v0 {
namespace sys {

bool on_pseudo_file_system(int) noexcept { return false; }

namespace direct {

namespace {
template <class... Arguments>
long unsupported(Arguments...) noexcept {
  return -ENOSYS;
}
}  // namespace
#define PROA_SYS_REFUSE(name, parameters, arguments) \
  long name parameters noexcept { return unsupported arguments; }
PROA_SYS_LINUX_CALLS(PROA_SYS_REFUSE)
#undef PROA_SYS_REFUSE

#ifdef __APPLE__

long openat(int at, const char* path, int flags, unsigned mode) noexcept {
  const long opened =
      retried([&] { return ::openat(at, path, (flags & ~direct_io) | O_CLOEXEC, mode); });
  if (opened >= 0 && (flags & direct_io) != 0) ::fcntl(static_cast<int>(opened), F_NOCACHE, 1);
  return opened;
}

// On macOS fsync(2) leaves the bytes in the memory of the drive, and F_FULLFSYNC does not. Where a
// file system has no F_FULLFSYNC, this calls fsync(2). Any other error is the sync's own, which the
// system reports only once.
long fsync(int fd) noexcept {
  const long result = retried([&] { return ::fcntl(fd, F_FULLFSYNC); });
  const bool unknown =
      result == -EOPNOTSUPP || result == -ENOTTY || result == -EINVAL || result == -ENODEV;
  return unknown ? retried([&] { return ::fsync(fd); }) : result;
}
long fdatasync(int fd) noexcept { return fsync(fd); }

// F_PREALLOCATE leaves the length of the file as it is. Setting the length here could cut off what
// another thread is writing behind it.
long fallocate(int, std::int64_t, std::int64_t) noexcept { return -EOPNOTSUPP; }

long name_thread(const char* name) noexcept { return -::pthread_setname_np(name); }

#else

long socket(int family, int type) noexcept {
  const int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  return with_room(checked(::socket(family, type | flags, 0)), family, type);
}
long accept(int fd, void* address, socklen_t* size) noexcept {
  return retried([&] {
    return ::accept4(fd, static_cast<sockaddr*>(address), size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  });
}

// posix_fallocate(2) also answers EINVAL where the file system cannot allocate.
long fallocate(int fd, std::int64_t offset, std::int64_t size) noexcept {
  const int error = ::posix_fallocate(fd, offset, size);
  return error == EINVAL && offset >= 0 && size > 0 ? -EOPNOTSUPP : -error;
}
long name_thread(const char* name) noexcept {
  ::pthread_set_name_np(::pthread_self(), name);
  return 0;
}

#endif

}  // namespace direct
}  // namespace sys
}  // namespace v0
}  // namespace proa
