// The system calls. This is the only file that reads errno. Everything returns a result or -errno,
// so that the rest of the library has one kind of error (R11: EINTR ends here).
#include "sys/sys.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#ifdef PROA_HAVE_URING
#include <liburing.h>
#endif

namespace proa::sys {

#ifdef PROA_SYS_SEAM
Table table;
#endif

namespace direct {
namespace {

long checked(long result) noexcept { return result < 0 ? -errno : result; }

template <class Call>
long retried(Call call) noexcept {
  for (;;) {
    const long result = checked(call());
    if (result != -EINTR) return result;
  }
}

// Named pipes, and all pipes before Linux 6.4, refuse RWF_NOWAIT. Who asks first does not block
// either, as long as nobody else uses that end.
bool ready_now(int fd, short events) noexcept {
  pollfd asked = {fd, events, 0};
  return retried([&] { return ::poll(&asked, 1, 0); }) != 0;
}

socklen_t length(std::size_t size) noexcept { return static_cast<socklen_t>(size); }

}  // namespace

long socket(int family, int type, int protocol) noexcept {
  return checked(::socket(family, type, protocol));
}
long bind(int fd, const void* address, std::size_t size) noexcept {
  return checked(::bind(fd, static_cast<const sockaddr*>(address), length(size)));
}
long listen(int fd, int backlog) noexcept { return checked(::listen(fd, backlog)); }
long connect(int fd, const void* address, std::size_t size) noexcept {
  // Interrupted, a connect goes on in the background like a non-blocking one (connect(2)).
  const long result = checked(::connect(fd, static_cast<const sockaddr*>(address), length(size)));
  return result == -EINTR ? -EINPROGRESS : result;
}
long accept(int fd, void* address, socklen_t* size) noexcept {
  return retried([&] {
    return ::accept4(fd, static_cast<sockaddr*>(address), size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  });
}
long recv(int fd, void* data, std::size_t size, int flags) noexcept {
  return retried([&] { return ::recv(fd, data, size, flags); });
}
long send(int fd, const void* data, std::size_t size, int flags) noexcept {
  return retried([&] { return ::send(fd, data, size, flags); });
}
long sendmsg(int fd, const msghdr* message, int flags) noexcept {
  return retried([&] { return ::sendmsg(fd, message, flags); });
}
long read(int fd, void* data, std::size_t size) noexcept {
  return retried([&] { return ::read(fd, data, size); });
}
long writev(int fd, const iovec* pieces, int count) noexcept {
  return retried([&] { return ::writev(fd, pieces, count); });
}
long preadv2(int fd, const iovec* pieces, int count, std::int64_t offset, int flags) noexcept {
  const long result = retried([&] { return ::preadv2(fd, pieces, count, offset, flags); });
  if (result != -EOPNOTSUPP || flags != RWF_NOWAIT || offset != -1) return result;
  return ready_now(fd, POLLIN) ? read(fd, pieces->iov_base, pieces->iov_len) : -EAGAIN;
}
long pwritev2(int fd, const iovec* pieces, int count, std::int64_t offset, int flags) noexcept {
  const long result = retried([&] { return ::pwritev2(fd, pieces, count, offset, flags); });
  if (result != -EOPNOTSUPP || flags != RWF_NOWAIT || offset != -1) return result;
  // Of a pipe that polls writable a page is free, which is PIPE_BUF bytes.
  const std::size_t size = std::min<std::size_t>(pieces->iov_len, PIPE_BUF);
  if (!ready_now(fd, POLLOUT)) return -EAGAIN;
  return retried([&] { return ::write(fd, pieces->iov_base, size); });
}
long shutdown(int fd, int how) noexcept { return checked(::shutdown(fd, how)); }
long setsockopt(int fd, int level, int name, const void* value, std::size_t size) noexcept {
  return checked(::setsockopt(fd, level, name, value, length(size)));
}
long getsockopt(int fd, int level, int name, void* value, socklen_t* size) noexcept {
  return checked(::getsockopt(fd, level, name, value, size));
}
long getsockname(int fd, void* address, socklen_t* size) noexcept {
  return checked(::getsockname(fd, static_cast<sockaddr*>(address), size));
}
long getpeername(int fd, void* address, socklen_t* size) noexcept {
  return checked(::getpeername(fd, static_cast<sockaddr*>(address), size));
}
long close(int fd) noexcept {
  // Never retried: on Linux the descriptor is gone also after EINTR (close(2), NOTES).
  const long result = checked(::close(fd));
  return result == -EINTR ? 0 : result;
}
long open(const char* path, int flags) noexcept {
  return retried([&] { return ::open(path, flags | O_CLOEXEC); });
}
long fstat(int fd, struct stat* status) noexcept { return checked(::fstat(fd, status)); }
long is_tty(int fd) noexcept { return ::isatty(fd); }
long eventfd(int flags) noexcept { return checked(::eventfd(0, flags)); }
long event_signal(int fd) noexcept {
  const int before = errno;  // also called from signal handlers
  const long result = retried([&] { return ::eventfd_write(fd, 1); });
  errno = before;
  return result;
}
long event_clear(int fd) noexcept {
  eventfd_t value = 0;
  return retried([&] { return ::eventfd_read(fd, &value); });
}
long epoll_create(int flags) noexcept { return checked(::epoll_create1(flags)); }
long epoll_ctl(int epoll, int what, int fd, epoll_event* event) noexcept {
  return checked(::epoll_ctl(epoll, what, fd, event));
}
long epoll_wait(int epoll, epoll_event* events, int count, const timespec* timeout) noexcept {
  if (timeout == nullptr) return checked(::epoll_wait(epoll, events, count, -1));
  if (timeout->tv_sec == 0 && timeout->tv_nsec == 0) {
    return checked(::epoll_wait(epoll, events, count, 0));
  }
  const long result = checked(::epoll_pwait2(epoll, events, count, timeout, nullptr));
  if (result != -ENOSYS) return result;
  // Before Linux 5.11: whole milliseconds, rounded up so that no timer is early.
  const long milliseconds = timeout->tv_sec >= INT_MAX / 1000
                                ? INT_MAX
                                : timeout->tv_sec * 1000 + (timeout->tv_nsec + 999999) / 1000000;
  return checked(::epoll_wait(epoll, events, count, static_cast<int>(milliseconds)));
}
long clock(timespec* now) noexcept { return checked(::clock_gettime(CLOCK_MONOTONIC, now)); }
long entropy(void* data, std::size_t size) noexcept {
  return retried([&] { return ::getrandom(data, size, 0); });
}
long map(std::size_t size, void** memory) noexcept {
  void* const mapped =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return -errno;
  *memory = mapped;
  return 0;
}
long unmap(void* memory, std::size_t size) noexcept { return checked(::munmap(memory, size)); }
long sigaction(int number, const struct sigaction* action, struct sigaction* previous) noexcept {
  return checked(::sigaction(number, action, previous));
}

namespace {
sigset_t only_sigpipe() noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  return set;
}
}  // namespace
long sigpipe_block() noexcept {
  const sigset_t set = only_sigpipe();
  return -::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}
long sigpipe_take() noexcept {
  const sigset_t set = only_sigpipe();
  const timespec at_once{};
  return retried([&] { return ::sigtimedwait(&set, nullptr, &at_once); });
}

#ifdef PROA_HAVE_URING
long uring_setup(unsigned entries, io_uring* ring, io_uring_params* parameters) noexcept {
  return ::io_uring_queue_init_params(entries, ring, parameters);
}
long uring_register(int fd, unsigned opcode, void* argument, unsigned count) noexcept {
  return checked(::syscall(__NR_io_uring_register, fd, opcode, argument, count));
}
long uring_submit_and_wait(io_uring* ring, unsigned want, const timespec* timeout) noexcept {
  if (want == 0) return ::io_uring_submit_and_get_events(ring);
  if (timeout == nullptr) return ::io_uring_submit_and_wait(ring, want);
  __kernel_timespec limit = {timeout->tv_sec, timeout->tv_nsec};
  io_uring_cqe* ignored = nullptr;
  return ::io_uring_submit_and_wait_timeout(ring, &ignored, want, &limit, nullptr);
}
long uring_exit(io_uring* ring) noexcept {
  ::io_uring_queue_exit(ring);
  return 0;
}
#else
long uring_setup(unsigned, io_uring*, io_uring_params*) noexcept { return -ENOSYS; }
long uring_register(int, unsigned, void*, unsigned) noexcept { return -ENOSYS; }
long uring_submit_and_wait(io_uring*, unsigned, const timespec*) noexcept { return -ENOSYS; }
long uring_exit(io_uring*) noexcept { return -ENOSYS; }
#endif

}  // namespace direct
}  // namespace proa::sys
