// Implements System by system calls. It only translates options and addresses.
#include "backend/real_system.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <proa/requests.hpp>

#include "backend/perform.hpp"
#include "file/file_calls.hpp"
#include "sys/control.hpp"
#include "sys/names.hpp"
#include "sys/socket_options.hpp"
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

// SOCK_STREAM and so on, or -errno.
long socket_type(int number) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  const long result = sys::getsockopt(number, SOL_SOCKET, SO_TYPE, &type, &size);
  return result < 0 ? result : type;
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
  const long result = sys::socket(family_of(family), type);
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

// connect(2) has no flag against waiting either. A borrowed socket in blocking mode is non-blocking
// for the length of the call: until a stream is connected, nobody can be reading or writing it. The
// connect of a datagram socket never waits, and others may be receiving from the socket.
long RealSystem::connect(Descriptor socket, const Address& address) noexcept {
  const bool may_wait = socket.kind != DescriptorKind::tcp && in_blocking_mode(socket) &&
                        socket_type(socket.number) != SOCK_DGRAM;
  if (!may_wait) return sys::connect(socket.number, address.data(), address.size());
  sys::set_nonblocking(socket.number);
  const long result = sys::connect(socket.number, address.data(), address.size());
  sys::set_blocking(socket.number);
  return result;
}

long RealSystem::abandon_connect(Descriptor socket) noexcept {
  return sys::abandon_connect(socket.number);
}

// accept(2) has no flag against waiting. A borrowed listener may be in blocking mode, and is then
// asked first whether a connection is there; one that the library has made never is. What does not
// listen answers at once.
long RealSystem::accept(Descriptor listener, Descriptor& accepted, Address* peer) noexcept {
  const bool may_wait = listener.kind != DescriptorKind::tcp && in_blocking_mode(listener);
  if (may_wait && !readable(listener) && listens(listener)) return -EAGAIN;
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
    return sys::preadv2(from.number, &piece, 1, -1, sys::nowait);
  }
  return sys::read(from.number, bytes.data, size);
}

long RealSystem::send(Descriptor to, Bytes bytes) noexcept {
  const std::size_t size = std::min(bytes.size, max_bytes);
  if (to.is_socket()) return sys::send(to.number, bytes.data, size, sys::no_signal | MSG_DONTWAIT);
  const iovec piece = {const_cast<void*>(bytes.data), size};
  if (to.kind == DescriptorKind::borrowed) {
    return sys::pwritev2(to.number, &piece, 1, -1, sys::nowait);
  }
  return sys::writev(to.number, &piece, 1);
}

long RealSystem::send_urgent(Descriptor to, Bytes bytes) noexcept {
  return sys::send(to.number, bytes.data, bytes.size, MSG_OOB | MSG_DONTWAIT | sys::no_signal);
}

long RealSystem::shutdown(Descriptor socket, ShutdownSide side) noexcept {
  const int how = side == ShutdownSide::receive ? SHUT_RD
                  : side == ShutdownSide::send  ? SHUT_WR
                                                : SHUT_RDWR;
  return sys::shutdown(socket.number, how);
}

long RealSystem::set_option(Descriptor socket, SocketOption option, int value) noexcept {
  return set_socket_option(socket.number, option, value);
}

long RealSystem::get_option(Descriptor socket, SocketOption option, int& value) noexcept {
  return get_socket_option(socket.number, option, value);
}

long RealSystem::multicast(Descriptor socket, bool join, const Address& group,
                           std::uint32_t interface, const Address& source) noexcept {
  const int level = group.family() == Address::Family::ipv6 ? IPPROTO_IPV6 : IPPROTO_IP;
  if (source.is_set()) {
    group_source_req request{};
    request.gsr_interface = interface;
    std::memcpy(&request.gsr_group, group.data(), group.size());
    std::memcpy(&request.gsr_source, source.data(), source.size());
    return sys::setsockopt(socket.number, level,
                           join ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP, &request,
                           sizeof request);
  }
  group_req request{};
  request.gr_interface = interface;
  std::memcpy(&request.gr_group, group.data(), group.size());
  return sys::setsockopt(socket.number, level, join ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP,
                         &request, sizeof request);
}

long RealSystem::take_notice(Descriptor socket, SendNotice& notice) noexcept {
  return take_send_notice(socket.number, notice);
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
  if (S_ISSOCK(status.st_mode)) {
    borrowed = {number, DescriptorKind::socket};
  } else if (S_ISCHR(status.st_mode) && sys::is_tty(number)) {
    const long opened = sys::reopen_tty(number, O_RDWR | O_NONBLOCK | O_NOCTTY);
    if (opened < 0) return opened;
    borrowed = {static_cast<int>(opened), DescriptorKind::pipe};
    reopened = true;
  } else {
    const long pollable = sys::pollable(number);
    if (pollable < 0) return pollable;
    borrowed = {number, pollable ? DescriptorKind::borrowed : DescriptorKind::file};
  }
  return 0;
}

long RealSystem::adopt(int number, Descriptor& adopted, bool& was_blocking) noexcept {
  struct stat status {};
  long result = sys::fstat(number, &status);
  if (result < 0) return result;
  adopted = {number, DescriptorKind::pipe};
  if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode)) {
    adopted.kind = DescriptorKind::file;
  } else if (S_ISSOCK(status.st_mode)) {
    Address local;
    local_address({number, DescriptorKind::socket}, local);
    const long type = socket_type(number);
    if (type < 0) return type;
    const bool ip =
        local.family() == Address::Family::ipv4 || local.family() == Address::Family::ipv6;
    adopted.kind = ip && type == SOCK_STREAM ? DescriptorKind::tcp : DescriptorKind::socket;
  }
  const long flags = sys::file_flags(number);
  if (flags < 0) return flags;
  was_blocking = (flags & O_NONBLOCK) == 0;
  result = was_blocking ? sys::set_nonblocking(number) : 0;
  if (Adopted* const entry = adopted_.at(number)) entry->process = sys::process();
  if (result >= 0) forget(adopted);  // the backend may remember another descriptor of this number
  return result;
}

// Parent and child share the mode of a descriptor.
long RealSystem::set_blocking(Descriptor descriptor) noexcept {
  const Adopted* const entry = adopted_.find(descriptor.number);
  return entry && entry->process == sys::process() ? sys::set_blocking(descriptor.number) : 0;
}

long RealSystem::open_file(const char* path, OpenFlags flags, unsigned mode,
                           Descriptor& opened) noexcept {
  const long result = sys::openat(AT_FDCWD, path, open_flags(flags), mode);
  if (result < 0) return result;
  opened = settle_opened(static_cast<int>(result));
  forget(opened);  // the backend may still remember a file that the program closed itself
  return 0;
}

long RealSystem::adopt_file(int number, Descriptor& adopted) noexcept {
  struct stat status {};
  const long result = sys::fstat(number, &status);
  if (result < 0) return result;
  if (S_ISSOCK(status.st_mode)) return -ESPIPE;
  adopted = {number, gives_once(number) ? DescriptorKind::borrowed : DescriptorKind::file};
  return 0;
}

long RealSystem::file_alignment(Descriptor file, FileAlignment& alignment) noexcept {
  sys::FileInfo info{};
  const long result = sys::file_info(file.number, &info);
  if (result < 0) return result;
  alignment.reported = info.direct_offset != 0;
  if (alignment.reported) {
    alignment.memory = info.direct_memory;
    alignment.offset = info.direct_offset;
  }
  return 0;
}

long RealSystem::close(Descriptor descriptor) noexcept {
  forget(descriptor);
  return sys::close(descriptor.number);
}

void RealSystem::forget(Descriptor) noexcept {}

}  // namespace proa
