// The system calls. This is the only file that reads errno. Everything returns a result or -errno,
// so that the rest of the library has one kind of error (R11: EINTR ends here).
#include "sys/sys.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

#ifdef PROA_HAVE_URING
#include <liburing.h>
#endif
#ifdef PROA_HAVE_AIO
#include <libaio.h>
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
long recvmsg(int fd, msghdr* message, int flags) noexcept {
  return retried([&] { return ::recvmsg(fd, message, flags); });
}
long recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags) noexcept {
  return retried([&] { return ::recvmmsg(fd, messages, count, flags, nullptr); });
}
long sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) noexcept {
  return retried([&] { return ::sendmmsg(fd, messages, count, flags); });
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
long openat(int at, const char* path, int flags, unsigned mode) noexcept {
  return retried([&] { return ::openat(at, path, flags | O_CLOEXEC, mode); });
}
long set_blocking(int fd) noexcept {
  const long flags = checked(::fcntl(fd, F_GETFL));
  if (flags < 0 || (flags & O_NONBLOCK) == 0) return flags;
  return checked(::fcntl(fd, F_SETFL, static_cast<int>(flags) & ~O_NONBLOCK));
}
long file_flags(int fd) noexcept { return checked(::fcntl(fd, F_GETFL)); }
long fsync(int fd) noexcept {
  return retried([&] { return ::fsync(fd); });
}
long fdatasync(int fd) noexcept {
  return retried([&] { return ::fdatasync(fd); });
}
long statx(int at, const char* path, int flags, unsigned mask, struct statx* status) noexcept {
  return retried([&] { return ::statx(at, path, flags, mask, status); });
}
long ftruncate(int fd, std::int64_t size) noexcept {
  return retried([&] { return ::ftruncate(fd, size); });
}
long fallocate(int fd, std::int64_t offset, std::int64_t length) noexcept {
  return retried([&] { return ::fallocate(fd, 0, offset, length); });
}
long unlinkat(int at, const char* path, int flags) noexcept {
  return retried([&] { return ::unlinkat(at, path, flags); });
}
long renameat(int at, const char* from, const char* to) noexcept {
  return retried([&] { return ::renameat(at, from, at, to); });
}
long mkdirat(int at, const char* path, unsigned mode) noexcept {
  return retried([&] { return ::mkdirat(at, path, mode); });
}
long readlinkat(int at, const char* path, char* target, std::size_t size) noexcept {
  return retried([&] { return ::readlinkat(at, path, target, size); });
}
long open_directory(int at, const char* path, void** directory) noexcept {
  const long fd = openat(at, path, O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0) return fd;
  *directory = ::fdopendir(static_cast<int>(fd));
  if (*directory) return 0;
  const long error = -errno;
  ::close(static_cast<int>(fd));
  return error;
}
long next_entry(void* directory, const char** name, unsigned* mode) noexcept {
  errno = 0;
  const dirent* const entry = ::readdir(static_cast<DIR*>(directory));
  if (!entry) return -errno;
  *name = entry->d_name;
  *mode = static_cast<unsigned>(DTTOIF(entry->d_type));
  return 1;
}
long close_directory(void* directory) noexcept {
  return checked(::closedir(static_cast<DIR*>(directory)));
}
long sendfile(int to, int from, std::int64_t offset, std::size_t size) noexcept {
  return retried([&] {
    off_t at = offset;
    return ::sendfile(to, from, &at, size);
  });
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

long block_signals(sigset_t* before) noexcept {
  sigset_t all;
  sigfillset(&all);
  return -::pthread_sigmask(SIG_SETMASK, &all, before);
}
long restore_signals(const sigset_t* before) noexcept {
  return -::pthread_sigmask(SIG_SETMASK, before, nullptr);
}
long name_thread(const char* name) noexcept {
  char cut[16] = {};
  std::strncpy(cut, name, sizeof cut - 1);
  return -::pthread_setname_np(::pthread_self(), cut);
}

namespace {
sigset_t write_signals() noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  sigaddset(&set, SIGXFSZ);
  return set;
}
}  // namespace
long block_write_signals() noexcept {
  const sigset_t set = write_signals();
  return -::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}
long take_write_signals() noexcept {
  const sigset_t set = write_signals();
  const timespec at_once{};
  return retried([&] { return ::sigtimedwait(&set, nullptr, &at_once); });
}

// libaio returns -errno by itself.
#ifdef PROA_HAVE_AIO
long aio_setup(unsigned entries, void** context) noexcept {
  io_context_t made = nullptr;
  const long result = ::io_setup(static_cast<int>(entries), &made);
  *context = made;
  return result;
}
long aio_destroy(void* context) noexcept {
  return ::io_destroy(static_cast<io_context_t>(context));
}
long aio_submit(void* context, long count, iocb** blocks) noexcept {
  return ::io_submit(static_cast<io_context_t>(context), count, blocks);
}
long aio_events(void* context, long least, long most, io_event* events) noexcept {
  timespec at_once{};
  return ::io_getevents(static_cast<io_context_t>(context), least, most, events, &at_once);
}
#else
long aio_setup(unsigned, void**) noexcept { return -ENOSYS; }
long aio_destroy(void*) noexcept { return -ENOSYS; }
long aio_submit(void*, long, iocb**) noexcept { return -ENOSYS; }
long aio_events(void*, long, long, io_event*) noexcept { return -ENOSYS; }
#endif

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
