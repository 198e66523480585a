#pragma once

// Every system call of the library, declared once. Results are those of the manual pages, with
// -errno in place of -1. These functions repeat a call after EINTR, except the calls that wait. In
// the installed library the calls are direct; in the test build (PROA_SYS_SEAM) they go through one
// table, in which tests replace entries to inject faults and to keep a ledger.
//
// sys.cpp has the calls that are the same on all systems, linux.cpp and bsd.cpp the others.
// portable.cpp and portable_sockets.cpp replace calls that Linux has alone, or answers in its own
// way, by calls that every system has.

#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <mutex>

struct aiocb;
struct epoll_event;
struct io_uring;
struct io_uring_params;
struct io_uring_cqe;
struct io_event;
struct iocb;
struct iovec;
struct kevent;
struct msghdr;
struct pollfd;

namespace proa {
inline namespace v0 {
namespace sys {
struct FileInfo;
struct Message;
struct QueueRoom;
}  // namespace sys
}  // namespace v0
}  // namespace proa

// X(name, parameters, arguments)
#define PROA_SYS_COMMON_CALLS(X)                                                               \
  X(bind, (int fd, const void* address, std::size_t size), (fd, address, size))                \
  X(listen, (int fd, int backlog), (fd, backlog))                                              \
  X(recv, (int fd, void* data, std::size_t size, int flags), (fd, data, size, flags))          \
  X(send, (int fd, const void* data, std::size_t size, int flags), (fd, data, size, flags))    \
  X(sendmsg, (int fd, const msghdr* message, int flags), (fd, message, flags))                 \
  X(recvmsg, (int fd, msghdr* message, int flags), (fd, message, flags))                       \
  X(read, (int fd, void* data, std::size_t size), (fd, data, size))                            \
  X(writev, (int fd, const iovec* pieces, int count), (fd, pieces, count))                     \
  X(shutdown, (int fd, int how), (fd, how))                                                    \
  X(getsockopt, (int fd, int level, int name, void* value, socklen_t* size),                   \
    (fd, level, name, value, size))                                                            \
  X(getsockname, (int fd, void* address, socklen_t* size), (fd, address, size))                \
  X(getpeername, (int fd, void* address, socklen_t* size), (fd, address, size))                \
  X(close, (int fd), (fd))                                                                     \
  X(open, (const char* path, int flags), (path, flags))                                        \
  X(set_blocking, (int fd), (fd))                                                              \
  X(set_nonblocking, (int fd), (fd))                                                           \
  X(set_close_on_exec, (int fd), (fd))                                                         \
  X(unread, (int fd), (fd))                                                                    \
  X(file_flags, (int fd), (fd))                                                                \
  X(duplicate, (int fd), (fd))                                                                 \
  X(ftruncate, (int fd, std::int64_t size), (fd, size))                                        \
  X(unlinkat, (int at, const char* path, int flags), (at, path, flags))                        \
  X(renameat, (int at, const char* from, const char* to), (at, from, to))                      \
  X(mkdirat, (int at, const char* path, unsigned mode), (at, path, mode))                      \
  X(open_directory, (int at, const char* path, void** directory), (at, path, directory))       \
  X(next_entry, (void* directory, const char** name, unsigned* mode), (directory, name, mode)) \
  X(close_directory, (void* directory), (directory))                                           \
  X(fstat, (int fd, struct stat* status), (fd, status))                                        \
  X(is_tty, (int fd), (fd))                                                                    \
  X(is_pty_master, (int fd), (fd))                                                             \
  X(clock, (timespec * now), (now))                                                            \
  X(map, (std::size_t size, void** memory), (size, memory))                                    \
  X(unmap, (void* memory, std::size_t size), (memory, size))                                   \
  X(wipe_on_fork, (void* memory, std::size_t size), (memory, size))                            \
  X(process, (), ())                                                                           \
  X(raise, (int number), (number))                                                             \
  X(sigaction, (int number, const struct sigaction* action, struct sigaction* previous),       \
    (number, action, previous))                                                                \
  X(block_signals, (sigset_t * before), (before))                                              \
  X(restore_signals, (const sigset_t* before), (before))                                       \
  X(block_write_signals, (), ())                                                               \
  X(openat, (int at, const char* path, int flags, unsigned mode), (at, path, flags, mode))     \
  X(fsync, (int fd), (fd))                                                                     \
  X(fdatasync, (int fd), (fd))                                                                 \
  X(fallocate, (int fd, std::int64_t offset, std::int64_t length), (fd, offset, length))       \
  X(begin_thread, (void* (*work)(void*), void* argument, pthread_t* thread),                   \
    (work, argument, thread))                                                                  \
  X(join_thread, (pthread_t thread), (thread))                                                 \
  X(name_thread, (const char* name), (name))

// On macOS, and in some tests, portable_sockets.cpp has these.
#define PROA_SYS_SOCKET_CALLS(X)                    \
  X(socket, (int family, int type), (family, type)) \
  X(accept, (int fd, void* address, socklen_t* size), (fd, address, size))

// Everywhere but on Linux, and in some tests on Linux, portable.cpp and portable_sockets.cpp have
// these.
#define PROA_SYS_SUBSTITUTED_CALLS(X)                                                              \
  X(connect, (int fd, const void* address, std::size_t size), (fd, address, size))                 \
  X(setsockopt, (int fd, int level, int name, const void* value, std::size_t size),                \
    (fd, level, name, value, size))                                                                \
  X(readlinkat, (int at, const char* path, char* target, std::size_t size),                        \
    (at, path, target, size))                                                                      \
  X(connect_error, (int fd), (fd))                                                                 \
  X(abandon_connect, (int fd), (fd))                                                               \
  X(recvmmsg, (int fd, proa::sys::Message* messages, unsigned count, int flags),                   \
    (fd, messages, count, flags))                                                                  \
  X(sendmmsg, (int fd, proa::sys::Message* messages, unsigned count, int flags),                   \
    (fd, messages, count, flags))                                                                  \
  X(preadv2, (int fd, const iovec* pieces, int count, std::int64_t offset, int flags),             \
    (fd, pieces, count, offset, flags))                                                            \
  X(pwritev2, (int fd, const iovec* pieces, int count, std::int64_t offset, int flags),            \
    (fd, pieces, count, offset, flags))                                                            \
  X(status, (int at, const char* path, int flags, proa::sys::FileInfo* info),                      \
    (at, path, flags, info))                                                                       \
  X(file_info, (int fd, proa::sys::FileInfo* info), (fd, info))                                    \
  X(sendfile, (int to, int from, std::int64_t offset, std::size_t size), (to, from, offset, size)) \
  X(pollable, (int fd), (fd))                                                                      \
  X(reopen_tty, (int fd, int flags), (fd, flags))                                                  \
  X(entropy, (void* data, std::size_t size), (data, size))                                         \
  X(take_write_signals, (), ())

// On other systems these answer -ENOSYS.
#define PROA_SYS_LINUX_CALLS(X)                                                             \
  X(aio_setup, (unsigned entries, void** context), (entries, context))                      \
  X(aio_destroy, (void* context), (context))                                                \
  X(aio_submit, (void* context, long count, iocb** blocks), (context, count, blocks))       \
  X(aio_events, (void* context, long least, long most, io_event* events),                   \
    (context, least, most, events))                                                         \
  X(eventfd, (int flags), (flags))                                                          \
  X(event_signal, (int fd), (fd))                                                           \
  X(event_clear, (int fd), (fd))                                                            \
  X(epoll_create, (int flags), (flags))                                                     \
  X(epoll_ctl, (int epoll, int what, int fd, epoll_event* event), (epoll, what, fd, event)) \
  X(epoll_wait, (int epoll, epoll_event* events, int count, const timespec* timeout),       \
    (epoll, events, count, timeout))                                                        \
  X(uring_setup, (unsigned entries, io_uring* ring, io_uring_params* parameters),           \
    (entries, ring, parameters))                                                            \
  X(uring_register, (int fd, unsigned opcode, void* argument, unsigned count),              \
    (fd, opcode, argument, count))                                                          \
  X(uring_remap, (io_uring * ring, io_uring_params * made, proa::sys::QueueRoom * room),    \
    (ring, made, room))                                                                     \
  X(uring_submit_and_wait, (io_uring * ring, unsigned want, const timespec* timeout),       \
    (ring, want, timeout))                                                                  \
  X(uring_exit, (io_uring * ring), (ring))

// kqueue.cpp has these. Linux has them in the tests only.
#define PROA_SYS_KQUEUE_CALLS(X)                                                       \
  X(kqueue, (), ())                                                                    \
  X(kevent,                                                                            \
    (int kq, const struct kevent* changes, int count, struct kevent* events, int most, \
     const timespec* timeout),                                                         \
    (kq, changes, count, events, most, timeout))                                       \
  X(aio_limit, (), ())                                                                 \
  X(aio_readv, (aiocb * block), (block))                                               \
  X(aio_writev, (aiocb * block), (block))                                              \
  X(aio_fsync, (int how, aiocb* block), (how, block))                                  \
  X(aio_return, (aiocb * block), (block))                                              \
  X(aio_cancel, (int fd, aiocb* block), (fd, block))

#define PROA_SYS_CALLS(X)  \
  PROA_SYS_COMMON_CALLS(X) \
  PROA_SYS_SOCKET_CALLS(X) \
  PROA_SYS_SUBSTITUTED_CALLS(X) PROA_SYS_LINUX_CALLS(X) PROA_SYS_KQUEUE_CALLS(X)

namespace proa {
inline namespace v0 {
namespace sys {

#define PROA_SYS_DECLARE(name, parameters, arguments) long name parameters noexcept;
namespace portable {
PROA_SYS_SOCKET_CALLS(PROA_SYS_DECLARE)
PROA_SYS_SUBSTITUTED_CALLS(PROA_SYS_DECLARE)
}  // namespace portable
namespace direct {
PROA_SYS_COMMON_CALLS(PROA_SYS_DECLARE)
PROA_SYS_LINUX_CALLS(PROA_SYS_DECLARE)
PROA_SYS_KQUEUE_CALLS(PROA_SYS_DECLARE)
#ifdef __linux__
PROA_SYS_SUBSTITUTED_CALLS(PROA_SYS_DECLARE)
#else
using namespace portable;  // NOLINT: the substitutes are the calls
#endif
#ifndef __APPLE__
PROA_SYS_SOCKET_CALLS(PROA_SYS_DECLARE)
#endif
}  // namespace direct
#undef PROA_SYS_DECLARE

/// What poll(2) says of these events at this moment; 0 if it reports none. A caller that asks first
/// does not block, as long as nobody else uses the same end of the descriptor.
short poll_now(int fd, short events) noexcept;
inline bool ready_now(int fd, short events) noexcept { return poll_now(fd, events) != 0; }

/// Waits until one of these polls ready, or a signal comes. How many do, or -errno.
long poll_many(pollfd* asked, std::size_t count) noexcept;

/// Makes a pipe that neither waits nor is inherited, by which one thread ends the poll_many() of
/// another. 0 or -errno.
long wake_pipe(int (&ends)[2]) noexcept;
void wake_by_pipe(int end) noexcept;
/// Takes what was written there.
void empty_pipe(int end) noexcept;

/// Whether the kernel makes up the files as they are read (/proc, /sys, tracing): some of these
/// have nothing to read at times, as devices do, although they are regular files.
bool on_pseudo_file_system(int fd) noexcept;

/// From now on every child of fork(2) calls this before fork(2) returns there; 0 or -ENOMEM.
long call_in_children(void (*function)()) noexcept;

/// Whoever changes the action of a signal holds this mutex, which no child of fork(2) finds held.
std::mutex& signal_actions() noexcept;

#ifdef PROA_SYS_SEAM
#define PROA_SYS_MEMBER(name, parameters, arguments) long(*name) parameters noexcept = direct::name;
struct Table {
  PROA_SYS_CALLS(PROA_SYS_MEMBER)
};
#undef PROA_SYS_MEMBER
/// The one table. A test that replaces an entry puts the old one back, and changes the table only
/// while no proactor runs on another thread.
extern Table table;
#define PROA_SYS_CALL(name, parameters, arguments) \
  inline long name parameters noexcept { return table.name arguments; }
PROA_SYS_CALLS(PROA_SYS_CALL)
#undef PROA_SYS_CALL
#else
using namespace direct;    // NOLINT: the direct calls are the calls
#endif

}  // namespace sys
}  // namespace v0
}  // namespace proa
