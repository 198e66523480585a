// kqueue(2) and aio(4). Only on FreeBSD does aio(4) tell a kqueue of requests that are done, so
// elsewhere aio_limit() is 0. On Linux these calls reach the emulation of the tests.
#include "sys/kqueue.hpp"

#include <fcntl.h>
#include <sys/event.h>
#include <sys/types.h>

#include "sys/call.hpp"
#include "sys/sys.hpp"

#if defined(__FreeBSD__) || defined(__linux__)
#define PROA_SYS_KEVENT_AIO 1
#include <aio.h>
#include <sys/sysctl.h>
#endif

namespace proa {
inline namespace v0 {
namespace sys {

#ifdef PROA_SYS_KEVENT_AIO
void describe(aiocb& block, int kqueue, void* udata, iovec* pieces, int count) noexcept {
  block.aio_sigevent.sigev_notify = SIGEV_KEVENT;
  block.aio_sigevent.sigev_notify_kqueue = kqueue;
  block.aio_sigevent.sigev_notify_kevent_flags = EV_ONESHOT;
  block.aio_sigevent.sigev_value.sival_ptr = udata;
  block.aio_iov = pieces;
  block.aio_iovcnt = static_cast<decltype(block.aio_iovcnt)>(count);
}
#else
void describe(aiocb&, int, void*, iovec*, int) noexcept {}
#endif

namespace direct {
namespace {

// The kernel of macOS refuses a timeout of more than 100,000,000 seconds.
constexpr timespec longest_wait = {24 * 60 * 60, 0};

}  // namespace

long kqueue() noexcept {
  const long result = checked(::kqueue());
  if (result >= 0) ::fcntl(static_cast<int>(result), F_SETFD, FD_CLOEXEC);
  return result;
}
long kevent(int kq, const struct kevent* changes, int count, struct kevent* events, int most,
            const timespec* timeout) noexcept {
  const int before = errno;  // signal handlers call this too, and must leave errno alone
  if (timeout && timeout->tv_sec > longest_wait.tv_sec) timeout = &longest_wait;
  const long result = checked(::kevent(kq, changes, count, events, most, timeout));
  errno = before;
  return result;
}

#ifdef PROA_SYS_KEVENT_AIO
long aio_limit() noexcept {
  int limit = 0;
  std::size_t size = sizeof limit;
  const long result =
      checked(::sysctlbyname("vfs.aio.max_aio_queue_per_proc", &limit, &size, nullptr, 0));
  return result < 0 ? result : limit;
}
long aio_readv(aiocb* block) noexcept { return checked(::aio_readv(block)); }
long aio_writev(aiocb* block) noexcept { return checked(::aio_writev(block)); }
long aio_fsync(int how, aiocb* block) noexcept { return checked(::aio_fsync(how, block)); }
long aio_return(aiocb* block) noexcept { return checked(::aio_return(block)); }
long aio_cancel(int fd, aiocb* block) noexcept { return checked(::aio_cancel(fd, block)); }
#else
long aio_limit() noexcept { return -ENOSYS; }
long aio_readv(aiocb*) noexcept { return -ENOSYS; }
long aio_writev(aiocb*) noexcept { return -ENOSYS; }
long aio_fsync(int, aiocb*) noexcept { return -ENOSYS; }
long aio_return(aiocb*) noexcept { return -ENOSYS; }
long aio_cancel(int, aiocb*) noexcept { return -ENOSYS; }
#endif

}  // namespace direct
}  // namespace sys
}  // namespace v0
}  // namespace proa
