// System over the real system calls: options and addresses translated, nothing more.
#include "sys/real_system.hpp"

#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
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

// By option: at IPv4's level, then at IPv6's where that has one of its own.
struct OptionNames {
  OptionName v4;
  OptionName v6;
};

OptionNames names_of(SocketOption option) noexcept {
  switch (option) {
    case SocketOption::reuse_address:
      return {{SOL_SOCKET, SO_REUSEADDR}, {}};
    case SocketOption::reuse_port:
      return {{SOL_SOCKET, SO_REUSEPORT}, {}};
    case SocketOption::no_delay:
      return {{IPPROTO_TCP, TCP_NODELAY}, {}};
    case SocketOption::keep_alive:
      return {{SOL_SOCKET, SO_KEEPALIVE}, {}};
    case SocketOption::v6_only:
      return {{IPPROTO_IPV6, IPV6_V6ONLY}, {}};
    case SocketOption::send_buffer:
      return {{SOL_SOCKET, SO_SNDBUF}, {}};
    case SocketOption::receive_buffer:
      return {{SOL_SOCKET, SO_RCVBUF}, {}};
    case SocketOption::linger:
      return {{SOL_SOCKET, SO_LINGER}, {}};
    case SocketOption::broadcast:
      return {{SOL_SOCKET, SO_BROADCAST}, {}};
    case SocketOption::tell_destination:
      return {{IPPROTO_IP, IP_PKTINFO}, {IPPROTO_IPV6, IPV6_RECVPKTINFO}};
    case SocketOption::tell_traffic_class:
      return {{IPPROTO_IP, IP_RECVTOS}, {IPPROTO_IPV6, IPV6_RECVTCLASS}};
    case SocketOption::tell_arrival:
      return {{SOL_SOCKET, SO_TIMESTAMPNS}, {}};
    case SocketOption::tell_errors:
      return {{IPPROTO_IP, IP_RECVERR}, {IPPROTO_IPV6, IPV6_RECVERR}};
    case SocketOption::zero_copy:
      return {{SOL_SOCKET, SO_ZEROCOPY}, {}};
    case SocketOption::coalesce:
      return {{SOL_UDP, UDP_GRO}, {}};
    case SocketOption::segment_size:
      return {{SOL_UDP, UDP_SEGMENT}, {}};
    case SocketOption::keep_whole:
      return {{IPPROTO_IP, IP_MTU_DISCOVER}, {IPPROTO_IPV6, IPV6_MTU_DISCOVER}};
    case SocketOption::path_mtu:
      return {{IPPROTO_IP, IP_MTU}, {IPPROTO_IPV6, IPV6_MTU}};
    case SocketOption::traffic_class:
      return {{IPPROTO_IP, IP_TOS}, {IPPROTO_IPV6, IPV6_TCLASS}};
    case SocketOption::multicast_interface:
      return {{IPPROTO_IP, IP_MULTICAST_IF}, {IPPROTO_IPV6, IPV6_MULTICAST_IF}};
    case SocketOption::multicast_hops:
      return {{IPPROTO_IP, IP_MULTICAST_TTL}, {IPPROTO_IPV6, IPV6_MULTICAST_HOPS}};
    case SocketOption::multicast_loop:
      return {{IPPROTO_IP, IP_MULTICAST_LOOP}, {IPPROTO_IPV6, IPV6_MULTICAST_LOOP}};
    case SocketOption::pending_error:
      return {{SOL_SOCKET, SO_ERROR}, {}};
  }
  return {};
}

bool is_v6(int socket) noexcept {
  int family = 0;
  socklen_t size = sizeof family;
  return sys::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family == AF_INET6;
}

// The name for this socket.
OptionName name_of(int socket, SocketOption option) noexcept {
  const OptionNames names = names_of(option);
  return names.v6.level != 0 && is_v6(socket) ? names.v6 : names.v4;
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
  const OptionName name = name_of(socket.number, option);
  if (option == SocketOption::multicast_interface && name.level == IPPROTO_IP) {
    ip_mreqn request{};
    request.imr_ifindex = value;
    return sys::setsockopt(socket.number, name.level, name.name, &request, sizeof request);
  }
  if (option == SocketOption::linger) {
    const linger setting = {value >= 0, std::max(value, 0)};
    return sys::setsockopt(socket.number, name.level, name.name, &setting, sizeof setting);
  }
  if (option == SocketOption::keep_whole) value = value ? IP_PMTUDISC_DO : IP_PMTUDISC_WANT;
  if (name.level == IPPROTO_IPV6 && option != SocketOption::v6_only &&
      option != SocketOption::tell_destination) {
    // An IPv6 socket has IPv4 peers too; where it has not, or may not, this has no effect. Their
    // destination is told as a mapped address, like their source; twice it would have no room.
    const OptionName mapped = names_of(option).v4;
    ip_mreqn request{};
    request.imr_ifindex = value;
    const bool interface = option == SocketOption::multicast_interface;
    sys::setsockopt(socket.number, mapped.level, mapped.name,
                    interface ? static_cast<const void*>(&request) : &value,
                    interface ? sizeof request : sizeof value);
  }
  return sys::setsockopt(socket.number, name.level, name.name, &value, sizeof value);
}

long RealSystem::get_option(Descriptor socket, SocketOption option, int& value) noexcept {
  const OptionName name = name_of(socket.number, option);
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
  alignas(cmsghdr) char control[512];
  char byte = 0;
  iovec piece = {&byte, 1};  // of the datagram that failed, which comes back too
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const long result = sys::recvmsg(socket.number, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
  if (result < 0) return result;
  notice = {};
  for (cmsghdr* at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at)) {
    const bool v4 = at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_RECVERR;
    const bool v6 = at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_RECVERR;
    sock_extended_err told{};
    if ((!v4 && !v6) || at->cmsg_len < CMSG_LEN(sizeof told)) continue;
    std::memcpy(&told, CMSG_DATA(at), sizeof told);
    // What the system itself says (SO_EE_ORIGIN_LOCAL) was told by the send.
    if (told.ee_origin == SO_EE_ORIGIN_ICMP || told.ee_origin == SO_EE_ORIGIN_ICMP6) {
      notice.error = -static_cast<std::int32_t>(told.ee_errno);
    } else if (told.ee_origin == SO_EE_ORIGIN_ZEROCOPY && told.ee_errno == 0) {
      notice.returned = true;
      notice.first = told.ee_info;
      notice.last = told.ee_data;
    }
  }
  return 0;
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
