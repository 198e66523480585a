// What FreeBSD and macOS have, each in its own way.
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstring>

#include "sys/call.hpp"
#include "sys/names.hpp"
#include "sys/sys.hpp"

#ifdef __FreeBSD__
#include <pthread_np.h>
#endif

namespace proa::sys::direct {

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

// fsync(2) leaves the bytes in the memory of the drive. Some file systems have no more than it.
long fsync(int fd) noexcept {
  const long result = retried([&] { return ::fcntl(fd, F_FULLFSYNC); });
  return result < 0 ? retried([&] { return ::fsync(fd); }) : result;
}
long fdatasync(int fd) noexcept { return fsync(fd); }

// Blocks are reserved from the end of the file on, which then is made as long as Linux makes it.
long fallocate(int fd, std::int64_t offset, std::int64_t size) noexcept {
  if (offset < 0 || size <= 0) return -EINVAL;
  if (offset > INT64_MAX - size) return -EFBIG;
  struct stat status {};
  const long result = checked(::fstat(fd, &status));
  if (result < 0) return result;
  const std::int64_t end = offset + size;
  // macOS cannot fill the holes before that.
  if (end <= status.st_size) return -EOPNOTSUPP;
  fstore_t request{};
  request.fst_flags = F_ALLOCATEALL;
  request.fst_posmode = F_PEOFPOSMODE;
  request.fst_length = end - status.st_size;
  const long reserved = retried([&] { return ::fcntl(fd, F_PREALLOCATE, &request); });
  if (reserved < 0) return reserved == -ENOTSUP ? -EOPNOTSUPP : reserved;
  return retried([&] { return ::ftruncate(fd, end); });
}

long name_thread(const char* name) noexcept { return -::pthread_setname_np(name); }

#else

long openat(int at, const char* path, int flags, unsigned mode) noexcept {
  return retried([&] { return ::openat(at, path, flags | O_CLOEXEC, mode); });
}
long fsync(int fd) noexcept {
  return retried([&] { return ::fsync(fd); });
}
long fdatasync(int fd) noexcept {
  return retried([&] { return ::fdatasync(fd); });
}
// EINVAL also says that the file system cannot (posix_fallocate(2)).
long fallocate(int fd, std::int64_t offset, std::int64_t size) noexcept {
  const int error = ::posix_fallocate(fd, offset, size);
  return error == EINVAL && offset >= 0 && size > 0 ? -EOPNOTSUPP : -error;
}
long name_thread(const char* name) noexcept {
  ::pthread_set_name_np(::pthread_self(), name);
  return 0;
}

#endif

}  // namespace proa::sys::direct
