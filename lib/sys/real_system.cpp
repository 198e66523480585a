// System over the real system calls: options and addresses translated, nothing more.
#include "sys/real_system.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <proa/requests.hpp>

#include "file/file_calls.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace {

constexpr std::size_t max_bytes = max_transfer;

int family_of(Address::Family family) noexcept {
  switch (family) {
    case Address::Family::ipv4:
      return AF_INET;
    case Address::Family::ipv6:
      return AF_INET6;
    case Address::Family::local:
      return AF_UNIX;
    case Address::Family::none:
      break;
  }
  return AF_UNSPEC;
}

struct OptionName {
  int level;
  int name;
};

OptionName name_of(SocketOption option) noexcept {
  switch (option) {
    case SocketOption::reuse_address:
      return {SOL_SOCKET, SO_REUSEADDR};
    case SocketOption::reuse_port:
      return {SOL_SOCKET, SO_REUSEPORT};
    case SocketOption::no_delay:
      return {IPPROTO_TCP, TCP_NODELAY};
    case SocketOption::keep_alive:
      return {SOL_SOCKET, SO_KEEPALIVE};
    case SocketOption::v6_only:
      return {IPPROTO_IPV6, IPV6_V6ONLY};
    case SocketOption::send_buffer:
      return {SOL_SOCKET, SO_SNDBUF};
    case SocketOption::receive_buffer:
      return {SOL_SOCKET, SO_RCVBUF};
    case SocketOption::linger:
      return {SOL_SOCKET, SO_LINGER};
    case SocketOption::broadcast:
      return {SOL_SOCKET, SO_BROADCAST};
    case SocketOption::tell_destination:
      return {IPPROTO_IP, IP_PKTINFO};
    case SocketOption::tell_destination_v6:
      return {IPPROTO_IPV6, IPV6_RECVPKTINFO};
    case SocketOption::tell_traffic_class:
      return {IPPROTO_IP, IP_RECVTOS};
    case SocketOption::tell_traffic_class_v6:
      return {IPPROTO_IPV6, IPV6_RECVTCLASS};
    case SocketOption::tell_arrival:
      return {SOL_SOCKET, SO_TIMESTAMPNS};
    case SocketOption::pending_error:
      return {SOL_SOCKET, SO_ERROR};
  }
  return {0, 0};
}

}  // namespace

TimePoint RealSystem::now() noexcept {
  timespec time{};
  sys::clock(&time);
  return TimePoint(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

long RealSystem::entropy(MutableBytes bytes) noexcept {
  return sys::entropy(bytes.data, bytes.size);
}

long RealSystem::open_socket(Address::Family family, Transport transport,
                             Descriptor& opened) noexcept {
  const int type = transport == Transport::stream ? SOCK_STREAM : SOCK_DGRAM;
  const long result = sys::socket(family_of(family), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (result < 0) return result;
  const bool tcp = transport == Transport::stream && family != Address::Family::local;
  opened = {static_cast<int>(result), tcp ? DescriptorKind::tcp : DescriptorKind::socket};
  return 0;
}

long RealSystem::bind(Descriptor socket, const Address& address) noexcept {
  return sys::bind(socket.number, address.data(), address.size());
}

long RealSystem::listen(Descriptor socket, int backlog) noexcept {
  return sys::listen(socket.number, backlog > 0 ? backlog : INT_MAX);
}

long RealSystem::connect(Descriptor socket, const Address& address) noexcept {
  return sys::connect(socket.number, address.data(), address.size());
}

long RealSystem::accept(Descriptor listener, Descriptor& accepted, Address* peer) noexcept {
  socklen_t size = Address::capacity;
  const long result = peer ? sys::accept(listener.number, peer->buffer(), &size)
                           : sys::accept(listener.number, nullptr, nullptr);
  if (result < 0) return result;
  if (peer) peer->set_size(size);
  accepted = {static_cast<int>(result), listener.kind};
  return 0;
}

long RealSystem::recv(Descriptor from, MutableBytes bytes) noexcept {
  const std::size_t size = std::min(bytes.size, max_bytes);
  if (from.is_socket()) return sys::recv(from.number, bytes.data, size, MSG_DONTWAIT);
  if (from.kind == DescriptorKind::borrowed) {
    const iovec piece = {bytes.data, size};
    return sys::preadv2(from.number, &piece, 1, -1, RWF_NOWAIT);
  }
  return sys::read(from.number, bytes.data, size);
}

long RealSystem::send(Descriptor to, Bytes bytes) noexcept {
  const std::size_t size = std::min(bytes.size, max_bytes);
  if (to.is_socket()) return sys::send(to.number, bytes.data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  const iovec piece = {const_cast<void*>(bytes.data), size};
  if (to.kind == DescriptorKind::borrowed) {
    return sys::pwritev2(to.number, &piece, 1, -1, RWF_NOWAIT);
  }
  return sys::writev(to.number, &piece, 1);
}

long RealSystem::send_urgent(Descriptor to, Bytes bytes) noexcept {
  return sys::send(to.number, bytes.data, bytes.size, MSG_OOB | MSG_NOSIGNAL);
}

long RealSystem::shutdown(Descriptor socket, ShutdownSide side) noexcept {
  const int how = side == ShutdownSide::receive ? SHUT_RD
                  : side == ShutdownSide::send  ? SHUT_WR
                                                : SHUT_RDWR;
  return sys::shutdown(socket.number, how);
}

long RealSystem::set_option(Descriptor socket, SocketOption option, int value) noexcept {
  const OptionName name = name_of(option);
  if (option == SocketOption::linger) {
    const linger setting = {value >= 0, std::max(value, 0)};
    return sys::setsockopt(socket.number, name.level, name.name, &setting, sizeof setting);
  }
  return sys::setsockopt(socket.number, name.level, name.name, &value, sizeof value);
}

long RealSystem::get_option(Descriptor socket, SocketOption option, int& value) noexcept {
  const OptionName name = name_of(option);
  if (option == SocketOption::linger) {
    linger setting{};
    socklen_t size = sizeof setting;
    const long result = sys::getsockopt(socket.number, name.level, name.name, &setting, &size);
    value = setting.l_onoff ? setting.l_linger : -1;
    return result;
  }
  socklen_t size = sizeof value;
  const long result = sys::getsockopt(socket.number, name.level, name.name, &value, &size);
  if (option == SocketOption::pending_error) value = -value;
  return result;
}

long RealSystem::local_address(Descriptor socket, Address& address) noexcept {
  socklen_t size = Address::capacity;
  const long result = sys::getsockname(socket.number, address.buffer(), &size);
  address.set_size(result < 0 ? 0 : size);
  return result;
}

long RealSystem::peer_address(Descriptor socket, Address& address) noexcept {
  socklen_t size = Address::capacity;
  const long result = sys::getpeername(socket.number, address.buffer(), &size);
  address.set_size(result < 0 ? 0 : size);
  return result;
}

long RealSystem::borrow(int number, Descriptor& borrowed, bool& reopened) noexcept {
  reopened = false;
  struct stat status {};
  const long result = sys::fstat(number, &status);
  if (result < 0) return result;
  borrowed = {number, DescriptorKind::file};
  if (S_ISSOCK(status.st_mode)) {
    borrowed.kind = DescriptorKind::socket;
  } else if (S_ISFIFO(status.st_mode)) {
    borrowed.kind = DescriptorKind::borrowed;
  } else if (S_ISCHR(status.st_mode) && sys::is_tty(number)) {
    char path[32];
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", number);
    const long opened = sys::open(path, O_RDWR | O_NONBLOCK | O_NOCTTY);
    if (opened < 0) return opened;
    borrowed = {static_cast<int>(opened), DescriptorKind::pipe};
    reopened = true;
  }
  return 0;
}

long RealSystem::open_file(const char* path, OpenFlags flags, unsigned mode,
                           Descriptor& opened) noexcept {
  const long result = sys::openat(AT_FDCWD, path, open_flags(flags), mode);
  if (result < 0) return result;
  opened = {static_cast<int>(result), DescriptorKind::file};
  forget(opened);  // what another file of that number left
  sys::set_blocking(opened.number);
  return 0;
}

long RealSystem::adopt_file(int number, Descriptor& adopted) noexcept {
  struct stat status {};
  const long result = sys::fstat(number, &status);
  if (result < 0) return result;
  if (S_ISSOCK(status.st_mode)) return -ESPIPE;
  adopted = {number, DescriptorKind::file};
  return 0;
}

long RealSystem::file_alignment(Descriptor file, FileAlignment& alignment) noexcept {
  struct statx raw {};
  const long result =
      sys::statx(file.number, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_DIOALIGN, &raw);
  if (result < 0) return result;
  alignment.reported = (raw.stx_mask & STATX_DIOALIGN) != 0 && raw.stx_dio_offset_align != 0;
  if (alignment.reported) {
    alignment.memory = raw.stx_dio_mem_align;
    alignment.offset = raw.stx_dio_offset_align;
  }
  return 0;
}

long RealSystem::close(Descriptor descriptor) noexcept {
  forget(descriptor);
  return sys::close(descriptor.number);
}

void RealSystem::forget(Descriptor) noexcept {}

}  // namespace proa
