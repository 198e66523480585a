// The calls that only Linux has, or that Linux has in its own way.
#include "sys/linux.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/time_types.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "sys/call.hpp"
#include "sys/names.hpp"
#include "sys/sys.hpp"

#ifdef PROA_HAVE_AIO
#include <libaio.h>
#endif

namespace proa {
inline namespace v0 {
namespace sys {

namespace {
timespec time_of(const statx_timestamp& from) noexcept { return {from.tv_sec, from.tv_nsec}; }

// The headers of Linux before 6.1 have no name for the alignment of direct I/O.
#ifdef STATX_DIOALIGN
constexpr unsigned asked = STATX_BASIC_STATS | STATX_DIOALIGN;
#else
constexpr unsigned asked = STATX_BASIC_STATS;
#endif
}  // namespace

FileInfo to_info(const struct statx& from) noexcept {
  FileInfo info{};
  info.mode = from.stx_mode;
  info.user = from.stx_uid;
  info.group = from.stx_gid;
  info.device = std::uint64_t{from.stx_dev_major} << 32 | from.stx_dev_minor;
  info.inode = from.stx_ino;
  info.links = from.stx_nlink;
  info.size = from.stx_size;
  info.sectors = from.stx_blocks;
  info.modified = time_of(from.stx_mtime);
  info.changed = time_of(from.stx_ctime);
  info.accessed = time_of(from.stx_atime);
#ifdef STATX_DIOALIGN
  if ((from.stx_mask & STATX_DIOALIGN) != 0) {
    info.direct_memory = from.stx_dio_mem_align;
    info.direct_offset = from.stx_dio_offset_align;
  }
#endif
  info.on_device = from.stx_dev_major != 0;
  return info;
}

bool on_pseudo_file_system(int fd) noexcept {
  struct statfs told {};
  if (retried([&] { return ::fstatfs(fd, &told); }) < 0) return false;
  switch (told.f_type) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
      return true;
    default:
      return false;
  }
}

namespace direct {

namespace {

mmsghdr* raw(Message* messages) noexcept {
  static_assert(sizeof(Message) == sizeof(mmsghdr) &&
                offsetof(Message, bytes) == offsetof(mmsghdr, msg_len));
  return reinterpret_cast<mmsghdr*>(messages);
}

long ask(int at, const char* path, int flags, FileInfo& info) noexcept {
  struct statx told {};
  const long result = retried([&] { return ::statx(at, path, flags, asked, &told); });
  if (result == 0) info = to_info(told);
  return result;
}

}  // namespace

long status(int at, const char* path, int flags, FileInfo* info) noexcept {
  return path ? ask(at, path, flags, *info) : ask(at, "", AT_EMPTY_PATH, *info);
}
long file_info(int fd, FileInfo* info) noexcept {
  return ask(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, *info);
}
// Whether the kernel reports events of the descriptor. Only epoll tells: poll(2) calls a descriptor
// ready that knows no events (epoll_ctl(2), EPERM).
long pollable(int fd) noexcept {
  const long set = direct::epoll_create(EPOLL_CLOEXEC);
  if (set < 0) return set;
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  const long added = direct::epoll_ctl(static_cast<int>(set), EPOLL_CTL_ADD, fd, &wanted);
  ::close(static_cast<int>(set));
  if (added == -EPERM) return 0;
  return added < 0 ? added : 1;
}
long reopen_tty(int fd, int flags) noexcept {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return open(path, flags);
}
long socket(int family, int type) noexcept {
  return checked(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

long accept(int fd, void* address, socklen_t* size) noexcept {
  return retried([&] {
    return ::accept4(fd, static_cast<sockaddr*>(address), size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  });
}

long connect(int fd, const void* address, std::size_t size) noexcept {
  return begin_connect(fd, address, size);
}
long setsockopt(int fd, int level, int name, const void* value, std::size_t size) noexcept {
  return checked(::setsockopt(fd, level, name, value, length(size)));
}
long readlinkat(int at, const char* path, char* target, std::size_t size) noexcept {
  return retried([&] { return ::readlinkat(at, path, target, size); });
}

// Says how a connect in the background went. On Linux a second connect(2) tells, so there is
// nothing to do here.
long connect_error(int) noexcept { return 0; }
// Ends a connect that goes on in the background, or that has failed and was not asked for its
// result: dissolves the association, and takes the error that the socket has for that. In any other
// state, or if bytes came before the connection failed, the call would lose what came.
long abandon_connect(int fd) noexcept {
  tcp_info info{};
  socklen_t size = sizeof info;
  const long known = checked(::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size));
  if (known < 0) return -EOPNOTSUPP;
  const bool failed = info.tcpi_state == TCP_CLOSE && unread(fd) <= 0;
  if (info.tcpi_state != TCP_SYN_SENT && !failed) return 0;
  const sockaddr nobody{};  // AF_UNSPEC (connect(2))
  const long result = checked(::connect(fd, &nobody, sizeof nobody));
  if (result < 0) return result;
  int error = 0;
  size = sizeof error;
  return checked(::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
}
long recvmmsg(int fd, Message* messages, unsigned count, int flags) noexcept {
  return retried([&] { return ::recvmmsg(fd, raw(messages), count, Number{flags}, nullptr); });
}

long sendmmsg(int fd, Message* messages, unsigned count, int flags) noexcept {
  return retried([&] { return ::sendmmsg(fd, raw(messages), count, Number{flags}); });
}

namespace {

// Seccomp filters of a time before preadv2(2) let the older calls pass. Those know no flags.
bool is_filtered(long result) noexcept {
  return result == -EPERM || result == -EACCES || result == -ENOSYS;
}

}  // namespace

// Reads without waiting from what has no offsets. Many kinds of descriptors refuse RWF_NOWAIT
// (named pipes, inotify, most devices; before Linux 6.4 all pipes): this asks poll(2) first then.
long preadv2(int fd, const iovec* pieces, int count, std::int64_t offset, int flags) noexcept {
  long result = retried([&] { return ::preadv2(fd, pieces, count, offset, flags); });
  if (is_filtered(result) && flags == 0) {
    return retried([&] {
      return offset == -1 ? ::readv(fd, pieces, count) : ::preadv(fd, pieces, count, offset);
    });
  }
  if (is_filtered(result) && flags == RWF_NOWAIT) result = -EOPNOTSUPP;
  if (result != -EOPNOTSUPP || flags != RWF_NOWAIT || offset != -1) return result;
  return read_if_ready(fd, pieces, count);
}

long pwritev2(int fd, const iovec* pieces, int count, std::int64_t offset, int flags) noexcept {
  long result = retried([&] { return ::pwritev2(fd, pieces, count, offset, flags); });
  if (is_filtered(result) && flags == 0) {
    return retried([&] {
      return offset == -1 ? ::writev(fd, pieces, count) : ::pwritev(fd, pieces, count, offset);
    });
  }
  if (is_filtered(result) && flags == RWF_NOWAIT) result = -EOPNOTSUPP;
  if (result != -EOPNOTSUPP || flags != RWF_NOWAIT || offset != -1) return result;
  return write_if_ready(fd, pieces, count);
}

long fallocate(int fd, std::int64_t offset, std::int64_t length) noexcept {
  return retried([&] { return ::fallocate(fd, 0, offset, length); });
}

long sendfile(int to, int from, std::int64_t offset, std::size_t size) noexcept {
  return retried([&] {
    off_t at = offset;
    return ::sendfile(to, from, &at, size);
  });
}

long eventfd(int flags) noexcept { return checked(::eventfd(0, flags)); }

long event_signal(int fd) noexcept {
  const int before = errno;  // signal handlers call this too, and must leave errno alone
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
  // By its number, because glibc before 2.35 and musl have no function for it.
  const __kernel_timespec limit{timeout->tv_sec, timeout->tv_nsec};
  const long result =
      checked(::syscall(SYS_epoll_pwait2, epoll, events, count, &limit, nullptr, 0));
  if (result != -ENOSYS) return result;
  // Before Linux 5.11 there is no epoll_pwait2(2). Milliseconds are rounded up, so that no timer is
  // early.
  const long milliseconds = timeout->tv_sec >= INT_MAX / 1000
                                ? INT_MAX
                                : timeout->tv_sec * 1000 + (timeout->tv_nsec + 999999) / 1000000;
  return checked(::epoll_wait(epoll, events, count, static_cast<int>(milliseconds)));
}

long entropy(void* data, std::size_t size) noexcept {
  return retried([&] { return ::getrandom(data, size, 0); });
}

long name_thread(const char* name) noexcept {
  char cut[16] = {};
  std::strncpy(cut, name, sizeof cut - 1);
  return -::pthread_setname_np(::pthread_self(), cut);
}

long take_write_signals() noexcept {
  const sigset_t set = write_signals();
  const timespec at_once{};
  return retried([&] { return ::sigtimedwait(&set, nullptr, &at_once); });
}
// The functions of libaio return -errno.
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

}  // namespace direct

std::size_t lockable_bytes() noexcept {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return 0;
  return limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : static_cast<std::size_t>(limit.rlim_cur);
}

}  // namespace sys
}  // namespace v0
}  // namespace proa
