#pragma once

// Every system call of the library, once. Results are those of the manual pages with -errno in
// place of -1; EINTR is retried here, except by the calls that wait. In the installed library a
// call is direct; in the test build (PROA_SYS_SEAM) it goes through one table, which tests replace
// to inject faults and to keep a ledger.

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ctime>

struct epoll_event;
struct io_uring;
struct io_uring_params;
struct io_uring_cqe;
struct iovec;
struct msghdr;

// X(name, parameters, arguments)
#define PROA_SYS_CALLS(X)                                                                   \
  X(socket, (int family, int type, int protocol), (family, type, protocol))                 \
  X(bind, (int fd, const void* address, std::size_t size), (fd, address, size))             \
  X(listen, (int fd, int backlog), (fd, backlog))                                           \
  X(connect, (int fd, const void* address, std::size_t size), (fd, address, size))          \
  X(accept, (int fd, void* address, socklen_t* size), (fd, address, size))                  \
  X(recv, (int fd, void* data, std::size_t size, int flags), (fd, data, size, flags))       \
  X(send, (int fd, const void* data, std::size_t size, int flags), (fd, data, size, flags)) \
  X(sendmsg, (int fd, const msghdr* message, int flags), (fd, message, flags))              \
  X(read, (int fd, void* data, std::size_t size), (fd, data, size))                         \
  X(writev, (int fd, const iovec* pieces, int count), (fd, pieces, count))                  \
  X(preadv2, (int fd, const iovec* pieces, int count, std::int64_t offset, int flags),      \
    (fd, pieces, count, offset, flags))                                                     \
  X(pwritev2, (int fd, const iovec* pieces, int count, std::int64_t offset, int flags),     \
    (fd, pieces, count, offset, flags))                                                     \
  X(shutdown, (int fd, int how), (fd, how))                                                 \
  X(setsockopt, (int fd, int level, int name, const void* value, std::size_t size),         \
    (fd, level, name, value, size))                                                         \
  X(getsockopt, (int fd, int level, int name, void* value, socklen_t* size),                \
    (fd, level, name, value, size))                                                         \
  X(getsockname, (int fd, void* address, socklen_t* size), (fd, address, size))             \
  X(getpeername, (int fd, void* address, socklen_t* size), (fd, address, size))             \
  X(close, (int fd), (fd))                                                                  \
  X(open, (const char* path, int flags), (path, flags))                                     \
  X(fstat, (int fd, struct stat* status), (fd, status))                                     \
  X(is_tty, (int fd), (fd))                                                                 \
  X(eventfd, (int flags), (flags))                                                          \
  X(event_signal, (int fd), (fd))                                                           \
  X(event_clear, (int fd), (fd))                                                            \
  X(epoll_create, (int flags), (flags))                                                     \
  X(epoll_ctl, (int epoll, int what, int fd, epoll_event* event), (epoll, what, fd, event)) \
  X(epoll_wait, (int epoll, epoll_event* events, int count, const timespec* timeout),       \
    (epoll, events, count, timeout))                                                        \
  X(clock, (timespec * now), (now))                                                         \
  X(entropy, (void* data, std::size_t size), (data, size))                                  \
  X(map, (std::size_t size, void** memory), (size, memory))                                 \
  X(unmap, (void* memory, std::size_t size), (memory, size))                                \
  X(sigaction, (int number, const struct sigaction* action, struct sigaction* previous),    \
    (number, action, previous))                                                             \
  X(sigpipe_block, (), ())                                                                  \
  X(sigpipe_take, (), ())                                                                   \
  X(uring_setup, (unsigned entries, io_uring* ring, io_uring_params* parameters),           \
    (entries, ring, parameters))                                                            \
  X(uring_register, (int fd, unsigned opcode, void* argument, unsigned count),              \
    (fd, opcode, argument, count))                                                          \
  X(uring_submit_and_wait, (io_uring * ring, unsigned want, const timespec* timeout),       \
    (ring, want, timeout))                                                                  \
  X(uring_exit, (io_uring * ring), (ring))

namespace proa::sys {

#define PROA_SYS_DECLARE(name, parameters, arguments) long name parameters noexcept;
namespace direct {
PROA_SYS_CALLS(PROA_SYS_DECLARE)
}
#undef PROA_SYS_DECLARE

#ifdef PROA_SYS_SEAM
#define PROA_SYS_MEMBER(name, parameters, arguments) long(*name) parameters noexcept = direct::name;
struct Table {
  PROA_SYS_CALLS(PROA_SYS_MEMBER)
};
#undef PROA_SYS_MEMBER
/// The one table; a test that replaces an entry puts it back. Changed only while no proactor runs
/// on another thread.
extern Table table;
#define PROA_SYS_CALL(name, parameters, arguments) \
  inline long name parameters noexcept { return table.name arguments; }
PROA_SYS_CALLS(PROA_SYS_CALL)
#undef PROA_SYS_CALL
#else
using namespace direct;  // NOLINT: the direct calls are the calls
#endif

}  // namespace proa::sys
