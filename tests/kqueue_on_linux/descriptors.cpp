// What happens to descriptors behind kqueue's back: the linker sends close(), dup2(), dup3(),
// connect(), read() and recv() of the program through here (--wrap).
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "kernel.hpp"

extern "C" {
int __real_close(int descriptor);
int __real_dup2(int from, int to);
int __real_dup3(int from, int to, int flags);
int __real_connect(int descriptor, const sockaddr* address, socklen_t size);
ssize_t __real_read(int descriptor, void* memory, size_t size);
ssize_t __real_recv(int descriptor, void* memory, size_t size, int flags);
}

namespace proa_test::emulated {

namespace {

// The number is about to be another descriptor's, or none.
void forget(int descriptor) noexcept {
  if (!in_use()) return;
  Slot* const at = slot(descriptor);
  if (!at) return;
  const Giant giant;
  await_aio(descriptor);
  while (at->knotes) drop(*at->knotes);
  if (at->kqueue) close_kqueue(descriptor);
  at->refused = false;
}

// FreeBSD refuses a loopback connection before connect() returns. Linux has nearly always done so
// too, but says it later.
int error_by_now(int descriptor) noexcept {
  constexpr int moment = 1;
  pollfd end{descriptor, POLLOUT, 0};
  if (::poll(&end, 1, moment) != 1 || (end.revents & POLLERR) == 0) return EINPROGRESS;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

// FreeBSD says so when a connection is reset behind the peer's end. Linux has the error, but reads
// the end before it.
ssize_t received(int descriptor, ssize_t got, size_t asked) noexcept {
  if (got != 0 || asked == 0 || !in_use()) return got;
  {
    const Giant giant;
    const Slot* const at = slot(descriptor);
    if (!at || !at->knotes || !take_reset(descriptor)) return got;
  }
  errno = ECONNRESET;
  return -1;
}

// A kqueue is not inherited. The epoll sets are shared with the parent, so nothing of theirs is
// touched in the child, which merely forgets them.
std::optional<Giant> during_fork;
void before_fork() noexcept { during_fork.emplace(); }
void in_parent() noexcept { during_fork.reset(); }
void in_child() noexcept {
  forget_aio_after_fork();
  forget_signals_after_fork();
  forget_kqueues_after_fork();
  during_fork.reset();
}

}  // namespace

int real_close(int descriptor) noexcept { return __real_close(descriptor); }

void follow_forks() noexcept { ::pthread_atfork(before_fork, in_parent, in_child); }

}  // namespace proa_test::emulated

using namespace proa_test::emulated;

extern "C" int __wrap_close(int descriptor) {
  forget(descriptor);
  return __real_close(descriptor);
}

extern "C" int __wrap_dup2(int from, int to) {
  if (from != to) forget(to);
  return __real_dup2(from, to);
}

extern "C" int __wrap_dup3(int from, int to, int flags) {
  if (from != to) forget(to);
  return __real_dup3(from, to, flags);
}

extern "C" int __wrap_connect(int descriptor, const sockaddr* address, socklen_t size) {
  if (in_use() && is_unspecified(address)) {
    errno = ENETUNREACH;
    return -1;
  }
  const int result = __real_connect(descriptor, address, size);
  if (result == 0 || !in_use() || address->sa_family == AF_UNIX) return result;
  int error = errno == EINPROGRESS ? error_by_now(descriptor) : errno;
  if (Slot* const at = slot(descriptor)) {
    const Giant giant;
    // Linux lets it try again after that; FreeBSD refuses it for good (INP_DROPPED).
    if (error == ECONNABORTED && at->refused) error = ECONNREFUSED;
    if (error == ECONNREFUSED) at->refused = true;
  }
  errno = error;
  return result;
}

extern "C" ssize_t __wrap_read(int descriptor, void* memory, size_t size) {
  return received(descriptor, __real_read(descriptor, memory, size), size);
}

extern "C" ssize_t __wrap_recv(int descriptor, void* memory, size_t size, int flags) {
  return received(descriptor, __real_recv(descriptor, memory, size, flags), size);
}
