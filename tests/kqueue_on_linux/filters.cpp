// EVFILT_READ and EVFILT_WRITE: what FreeBSD would say of a descriptor of which epoll has said
// something. Linux differs in that a stream that was never connected hangs up, in that the end of a
// peer's stream is an edge for writers as well, and in that asking for a pending error takes it
// away, so it is concluded from the state.
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "kernel.hpp"

namespace proa_test::emulated {

namespace {

// enum tcp_state of the kernel.
constexpr unsigned fin_wait1 = 4, fin_wait2 = 5, closed = 7, close_wait = 8, last_ack = 9,
                   closing = 11;

int option(int descriptor, int name) noexcept {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(descriptor, SOL_SOCKET, name, &value, &size) < 0 ? -1 : value;
}

int asked(int descriptor, unsigned long what) noexcept {
  int value = 0;
  return ::ioctl(descriptor, what, &value) < 0 ? -errno : value;
}

tcp_info tcp_state(int descriptor) noexcept {
  tcp_info info{};
  socklen_t size = sizeof info;
  ::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size);
  return info;
}

bool is_stream(Kind kind) noexcept { return kind == Kind::tcp || kind == Kind::local; }

bool was_connected(Kind kind, int descriptor) noexcept {
  if (kind == Kind::tcp) {
    const tcp_info info = tcp_state(descriptor);
    return info.tcpi_state != closed || info.tcpi_rtt > 0 || info.tcpi_bytes_received > 0;
  }
  sockaddr_storage peer;
  socklen_t size = sizeof peer;
  return ::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

unsigned error_of(Kind kind, int descriptor) noexcept {
  return was_connected(kind, descriptor) ? ECONNRESET : ECONNREFUSED;
}

bool is_listener(int descriptor) noexcept { return option(descriptor, SO_ACCEPTCONN) == 1; }

bool end(Knote& knote, unsigned error) noexcept {
  knote.event.flags |= EV_EOF;
  knote.event.fflags = error;
  return true;
}

// The end of a stream, for both filters: it has failed or hung up, unless that is only Linux's way
// to say that it was never connected.
bool evaluate_end(Knote& knote, std::uint32_t bits, bool refused) noexcept {
  const int descriptor = static_cast<int>(knote.event.ident);
  if ((bits & EPOLLERR) != 0) return end(knote, error_of(knote.kind, descriptor));
  return (refused || was_connected(knote.kind, descriptor)) && end(knote, 0);
}

// Bytes behind an urgent one, which Linux does not count before the urgent one is passed.
bool has_urgent(int descriptor) noexcept {
  pollfd asked{descriptor, POLLPRI, 0};
  return ::poll(&asked, 1, 0) == 1 && (asked.revents & POLLPRI) != 0;
}

bool evaluate_read(Knote& knote, std::uint32_t bits, bool refused) noexcept {
  const int descriptor = static_cast<int>(knote.event.ident);
  const int queued = asked(descriptor, FIONREAD);
  knote.event.data = std::max(queued, 0);
  if (queued < 0) {
    // A listener, or what has no bytes to count.
    knote.event.data = knote.kind == Kind::tcp ? tcp_state(descriptor).tcpi_unacked : 1;
    if (is_stream(knote.kind) && is_listener(descriptor)) return (bits & EPOLLIN) != 0;
  } else if (knote.kind == Kind::tcp && has_urgent(descriptor)) {
    ++knote.event.data;
  }
  const bool failed = (bits & (EPOLLHUP | EPOLLERR)) != 0;
  if (is_stream(knote.kind) && failed) return evaluate_end(knote, bits, refused);
  if ((bits & (EPOLLRDHUP | EPOLLHUP)) != 0) return end(knote, 0);
  return true;
}

// A FIN of the peer wakes writers on Linux. Room that has come to be at the same time shows in what
// was acknowledged.
bool only_told_of_end(Knote& knote, const tcp_info& info) noexcept {
  const bool first = info.tcpi_state == close_wait && !std::exchange(knote.told_of_end, true);
  const bool same = knote.told && knote.acked == info.tcpi_bytes_acked;
  knote.acked = info.tcpi_bytes_acked;
  return first && same;
}

bool evaluate_write(Knote& knote, std::uint32_t bits, bool refused) noexcept {
  const int descriptor = static_cast<int>(knote.event.ident);
  if (knote.kind == Kind::pipe) {
    knote.event.data = 0;
    if ((bits & EPOLLERR) != 0) return end(knote, 0);
    knote.event.data = ::fcntl(descriptor, F_GETPIPE_SZ) - asked(descriptor, FIONREAD);
    return true;
  }
  knote.event.data =
      std::max(option(descriptor, SO_SNDBUF) - std::max(asked(descriptor, SIOCOUTQ), 0), 1);
  if (is_stream(knote.kind)) {
    if ((bits & (EPOLLHUP | EPOLLERR)) != 0) return evaluate_end(knote, bits, refused);
    if (is_listener(descriptor)) return false;
  } else if ((bits & EPOLLHUP) != 0) {
    return end(knote, 0);
  }
  if (knote.kind != Kind::tcp) return true;
  const tcp_info info = tcp_state(descriptor);
  switch (info.tcpi_state) {
    case fin_wait1:
    case fin_wait2:
    case closing:
    case last_ack:
      return end(knote, 0);  // shut down on this side
    default:
      return !only_told_of_end(knote, info);
  }
}

// What a filter cannot see from the direction in which a pipe is open, it never reports.
void classify_pipe(Knote& knote, int descriptor) noexcept {
  const int mode = ::fcntl(descriptor, F_GETFL) & O_ACCMODE;
  knote.kind = Kind::pipe;
  knote.mute = mode == (knote.event.filter == EVFILT_READ ? O_WRONLY : O_RDONLY);
}

Kind kind_of_socket(int descriptor) noexcept {
  const int type = option(descriptor, SO_TYPE);
  if (type != SOCK_STREAM && type != SOCK_SEQPACKET) return Kind::datagram;
  return option(descriptor, SO_DOMAIN) == AF_UNIX ? Kind::local : Kind::tcp;
}

}  // namespace

int classify(Knote& knote, int descriptor) noexcept {
  struct stat status {};
  if (::fstat(descriptor, &status) < 0) return EBADF;
  switch (status.st_mode & S_IFMT) {
    case S_IFSOCK:
      knote.kind = kind_of_socket(descriptor);
      return 0;
    case S_IFREG:
    case S_IFDIR:
    case S_IFBLK:
      knote.kind = Kind::vnode;
      return 0;
    case S_IFCHR: {
      if (::isatty(descriptor) != 0) return 0;
      // Devices that epoll refuses have no filters on FreeBSD either, /dev/null among them.
      epoll_event nothing{};
      if (::epoll_ctl(knote.kqueue->outer, EPOLL_CTL_ADD, descriptor, &nothing) < 0) return ENODEV;
      ::epoll_ctl(knote.kqueue->outer, EPOLL_CTL_DEL, descriptor, nullptr);
      return 0;
    }
    case S_IFIFO: {
      classify_pipe(knote, descriptor);
      pollfd end{descriptor, 0, 0};
      const bool dead = !knote.mute && ::poll(&end, 1, 0) == 1 && (end.revents & POLLERR) != 0;
      return knote.event.filter == EVFILT_WRITE && dead ? EPIPE : 0;
    }
    default:
      return 0;
  }
}

bool evaluate(Knote& knote, std::uint32_t bits, const Slot& slot) noexcept {
  return knote.event.filter == EVFILT_READ ? evaluate_read(knote, bits, slot.refused)
                                           : evaluate_write(knote, bits, slot.refused);
}

bool take_reset(int descriptor) noexcept {
  return kind_of_socket(descriptor) == Kind::tcp && tcp_state(descriptor).tcpi_state == closed &&
         option(descriptor, SO_ERROR) > 0;
}

bool evaluate_vnode(Knote& knote) noexcept {
  if (knote.event.filter == EVFILT_WRITE) return true;
  const int descriptor = static_cast<int>(knote.event.ident);
  struct stat status {};
  ::fstat(descriptor, &status);
  knote.event.data = status.st_size - ::lseek(descriptor, 0, SEEK_CUR);
  return knote.event.data != 0;
}

}  // namespace proa_test::emulated
