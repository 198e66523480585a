// The system calls that POSIX has. The files of lib/sys are the only ones that read errno.
// Everything returns a result or -errno, so that the rest of the library has one kind of error
// (R11: EINTR ends here).
#include "sys/sys.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>

#include "sys/call.hpp"

namespace proa {
inline namespace v0 {
namespace sys {

#ifdef PROA_SYS_SEAM
Table table;
#endif

short poll_now(int fd, short events) noexcept {
  pollfd asked = {fd, events, 0};
  return retried([&] { return ::poll(&asked, 1, 0); }) == 0 ? short{0} : asked.revents;
}

namespace {

// What the descriptor is not open for will never be ready.
long not_ready(int fd, int open_for) noexcept {
  const long flags = checked(::fcntl(fd, F_GETFL));
  const bool other = flags >= 0 && (flags & O_ACCMODE) != O_RDWR && (flags & O_ACCMODE) != open_for;
  return other ? -EBADF : -EAGAIN;
}

}  // namespace

long read_if_ready(int fd, const iovec* pieces, int count) noexcept {
  if (!ready_now(fd, POLLIN)) return not_ready(fd, O_RDONLY);
  return retried([&] { return ::readv(fd, pieces, count); });
}

namespace {

// The master of a pseudoterminal polls writable while there is room for a byte, and no call tells
// for how many. If it is in blocking mode, it is non-blocking for the length of the call.
long write_to_master(int fd, const iovec* pieces, int count) noexcept {
  const long flags = checked(::fcntl(fd, F_GETFL));
  if (flags < 0) return flags;
  const bool blocking = (flags & O_NONBLOCK) == 0;
  if (blocking) set_nonblocking(fd);
  const long result = retried([&] { return ::writev(fd, pieces, count); });
  if (blocking) set_blocking(fd);
  return result;
}

}  // namespace

long write_if_ready(int fd, const iovec* pieces, int count) noexcept {
  if (!ready_now(fd, POLLOUT)) return not_ready(fd, O_WRONLY);
  struct stat status {};
  if (const long result = checked(::fstat(fd, &status)); result < 0) return result;
  // A pipe that polls writable has a free page, which takes PIPE_BUF bytes, and so much is asked of
  // a terminal. What else polls writable may take messages (a tun interface, an eventfd), and such
  // a write must not be cut.
  if (!S_ISFIFO(status.st_mode) && ::isatty(fd) == 0) {
    return retried([&] { return ::writev(fd, pieces, count); });
  }
  if (!S_ISFIFO(status.st_mode) && is_pty_master(fd) != 0) {
    return write_to_master(fd, pieces, count);
  }
  const std::size_t size = std::min<std::size_t>(pieces->iov_len, PIPE_BUF);
  return retried([&] { return ::write(fd, pieces->iov_base, size); });
}

long call_in_children(void (*function)()) noexcept {
  return -::pthread_atfork(nullptr, nullptr, function);
}

long poll_many(pollfd* asked, std::size_t count) noexcept {
  return checked(::poll(asked, static_cast<nfds_t>(count), -1));
}

long wake_pipe(int (&ends)[2]) noexcept {
#ifdef __APPLE__
  const long result = checked(::pipe(ends));
  for (const int end : ends) {
    if (result < 0) break;
    ::fcntl(end, F_SETFD, FD_CLOEXEC);
    ::fcntl(end, F_SETFL, O_NONBLOCK);
  }
  return result;
#else
  return checked(::pipe2(ends, O_CLOEXEC | O_NONBLOCK));
#endif
}
void wake_by_pipe(int end) noexcept {
  retried([&] { return ::write(end, "", 1); });  // EAGAIN: it is full of such bytes already
}
void empty_pipe(int end) noexcept {
  char bytes[64];
  while (retried([&] { return ::read(end, bytes, sizeof bytes); }) == sizeof bytes) continue;
}

sigset_t write_signals() noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  sigaddset(&set, SIGXFSZ);
  return set;
}

long begin_connect(int fd, const void* address, std::size_t size) noexcept {
  // A connect that a signal interrupts goes on in the background, like a non-blocking one
  // (connect(2)).
  const long result = checked(::connect(fd, static_cast<const sockaddr*>(address), length(size)));
  return result == -EINTR ? -EINPROGRESS : result;
}

namespace direct {

long bind(int fd, const void* address, std::size_t size) noexcept {
  return checked(::bind(fd, static_cast<const sockaddr*>(address), length(size)));
}
long listen(int fd, int backlog) noexcept { return checked(::listen(fd, backlog)); }
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
long read(int fd, void* data, std::size_t size) noexcept {
  return retried([&] { return ::read(fd, data, size); });
}
long writev(int fd, const iovec* pieces, int count) noexcept {
  return retried([&] { return ::writev(fd, pieces, count); });
}
long shutdown(int fd, int how) noexcept { return checked(::shutdown(fd, how)); }
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
  // Nobody repeats close(): the descriptor is closed even after EINTR (close(2), NOTES; FreeBSD
  // too).
  const long result = checked(::close(fd));
  return result == -EINTR ? 0 : result;
}
long open(const char* path, int flags) noexcept {
  return retried([&] { return ::open(path, flags | O_CLOEXEC); });
}
#ifndef __APPLE__  // bsd.cpp has openat() for macOS
long openat(int at, const char* path, int flags, unsigned mode) noexcept {
  return retried([&] { return ::openat(at, path, flags | O_CLOEXEC, mode); });
}
long fsync(int fd) noexcept {
  return retried([&] { return ::fsync(fd); });
}
long fdatasync(int fd) noexcept {
  return retried([&] { return ::fdatasync(fd); });
}
#endif
long set_blocking(int fd) noexcept {
  const long flags = checked(::fcntl(fd, F_GETFL));
  if (flags < 0 || (flags & O_NONBLOCK) == 0) return flags;
  return checked(::fcntl(fd, F_SETFL, static_cast<int>(flags) & ~O_NONBLOCK));
}
long set_close_on_exec(int fd) noexcept {
  const long flags = checked(::fcntl(fd, F_GETFD));
  return flags < 0 ? flags : checked(::fcntl(fd, F_SETFD, static_cast<int>(flags) | FD_CLOEXEC));
}
long set_nonblocking(int fd) noexcept {
  const long flags = checked(::fcntl(fd, F_GETFL));
  if (flags < 0) return flags;
  return checked(::fcntl(fd, F_SETFL, static_cast<int>(flags) | O_NONBLOCK));
}
// Bytes that a stream holds (FIONREAD, ioctl_tty(2), tcp(7)).
long unread(int fd) noexcept {
  int bytes = 0;
  const long result = checked(::ioctl(fd, FIONREAD, &bytes));
  return result < 0 ? result : bytes;
}
long file_flags(int fd) noexcept { return checked(::fcntl(fd, F_GETFL)); }
long duplicate(int fd) noexcept { return checked(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }
long ftruncate(int fd, std::int64_t size) noexcept {
  return retried([&] { return ::ftruncate(fd, size); });
}
long unlinkat(int at, const char* path, int flags) noexcept {
  return retried([&] { return ::unlinkat(at, path, flags); });
}
long renameat(int at, const char* from, const char* to) noexcept {
  return retried([&] { return ::renameat(at, from, at, to); });
}
long mkdirat(int at, const char* path, unsigned mode) noexcept {
  return retried([&] { return ::mkdirat(at, path, static_cast<mode_t>(mode)); });
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
long fstat(int fd, struct stat* status) noexcept { return checked(::fstat(fd, status)); }
long is_pty_master(int fd) noexcept {
#if defined(TIOCGPTN)
  unsigned number = 0;
  return ::ioctl(fd, Number{TIOCGPTN}, &number) == 0;
#elif defined(TIOCPTMASTER)
  return ::ioctl(fd, TIOCPTMASTER) == 0;
#elif defined(TIOCPTYGNAME)
  char name[128];
  return ::ioctl(fd, TIOCPTYGNAME, name) == 0;
#else
  return 0;
#endif
}
// 0 also for the master of a pseudoterminal: to open that anew would make another one.
long is_tty(int fd) noexcept { return ::isatty(fd) != 0 && is_pty_master(fd) == 0; }
long clock(timespec* now) noexcept { return checked(::clock_gettime(CLOCK_MONOTONIC, now)); }
long map(std::size_t size, void** memory) noexcept {
  void* const mapped =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return -errno;
  *memory = mapped;
  return 0;
}
long unmap(void* memory, std::size_t size) noexcept { return checked(::munmap(memory, size)); }
// After fork(2) the child finds zeros in this memory.
long wipe_on_fork([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t size) noexcept {
#if defined(MADV_WIPEONFORK)
  return checked(::madvise(memory, size, MADV_WIPEONFORK));
#elif defined(INHERIT_ZERO)
  return checked(::minherit(memory, size, INHERIT_ZERO));
#else
  return -ENOSYS;
#endif
}
long process() noexcept { return ::getpid(); }
long raise(int number) noexcept { return checked(::raise(number)); }
long sigaction(int number, const struct sigaction* action, struct sigaction* previous) noexcept {
  return checked(::sigaction(number, action, previous));
}

long begin_thread(void* (*work)(void*), void* argument, pthread_t* thread) noexcept {
  return -::pthread_create(thread, nullptr, work, argument);
}
long join_thread(pthread_t thread) noexcept { return -::pthread_join(thread, nullptr); }

long block_signals(sigset_t* before) noexcept {
  sigset_t all;
  sigfillset(&all);
  return -::pthread_sigmask(SIG_SETMASK, &all, before);
}
long restore_signals(const sigset_t* before) noexcept {
  return -::pthread_sigmask(SIG_SETMASK, before, nullptr);
}
long block_write_signals() noexcept {
  const sigset_t set = write_signals();
  return -::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace direct
}  // namespace sys
}  // namespace v0
}  // namespace proa
