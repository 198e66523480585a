// Gives each socket option the name and the form of its value that this system has.
#define __APPLE_USE_RFC_3542 1  // names of IPv6 options, in macOS's headers
#include "sys/socket_options.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "sys/sys.hpp"

#ifdef __linux__
#include <linux/sock_diag.h>
#endif

namespace proa {
inline namespace v0 {

namespace {

// Names that differ between systems; 0 where the system has no such option.
#ifdef __linux__
constexpr int reuse_port = SO_REUSEPORT;
constexpr int linger_seconds = SO_LINGER;
constexpr int arrival = SO_TIMESTAMPNS;
constexpr int lending = SO_ZEROCOPY;
constexpr int coalescing = UDP_GRO;
constexpr int segmenting = UDP_SEGMENT;
constexpr int keep_idle = TCP_KEEPIDLE;
constexpr int user_timeout = TCP_USER_TIMEOUT, defer_accept = TCP_DEFER_ACCEPT;
constexpr int fast_open_connect = TCP_FASTOPEN_CONNECT, quick_ack = TCP_QUICKACK;
constexpr int unsent_limit = TCP_NOTSENT_LOWAT;
constexpr int errors_v4 = IP_RECVERR, errors_v6 = IPV6_RECVERR;
constexpr int path_mtu_v4 = IP_MTU, path_mtu_v6 = IPV6_MTU;
constexpr int memory_numbers = SO_MEMINFO;
constexpr int keep_whole_v4 = IP_MTU_DISCOVER, keep_whole_v6 = IPV6_MTU_DISCOVER;
constexpr int keep_whole_on = IP_PMTUDISC_DO, keep_whole_off = IP_PMTUDISC_WANT;
#else
constexpr int arrival = SO_TIMESTAMP;
constexpr int lending = 0, coalescing = 0, segmenting = 0;
constexpr int user_timeout = 0, defer_accept = 0, fast_open_connect = 0, quick_ack = 0;
#ifdef TCP_KEEPIDLE
constexpr int keep_idle = TCP_KEEPIDLE;
#else
constexpr int keep_idle = TCP_KEEPALIVE;  // macOS
#endif
#ifdef TCP_NOTSENT_LOWAT
constexpr int unsent_limit = TCP_NOTSENT_LOWAT;
#else
constexpr int unsent_limit = 0;
#endif
constexpr int errors_v4 = 0, errors_v6 = 0;
constexpr int path_mtu_v4 = 0, path_mtu_v6 = 0;
constexpr int memory_numbers = 0;
constexpr int keep_whole_v4 = IP_DONTFRAG, keep_whole_v6 = IPV6_DONTFRAG;
constexpr int keep_whole_on = 1, keep_whole_off = 0;
#ifdef SO_REUSEPORT_LB
// on FreeBSD only this option distributes connections among sockets
constexpr int reuse_port = SO_REUSEPORT_LB;
#else
constexpr int reuse_port = SO_REUSEPORT;
#endif
#ifdef SO_LINGER_SEC
constexpr int linger_seconds = SO_LINGER_SEC;  // macOS counts SO_LINGER in ticks
#else
constexpr int linger_seconds = SO_LINGER;
#endif
#endif
#ifdef IP_PKTINFO
constexpr int destination_v4 = IP_PKTINFO;
#else
constexpr int destination_v4 = IP_RECVDSTADDR;
#endif

struct OptionName {
  int level;
  int name;  // 0: the system has none
};

// For each option its name at the level of IPv4, then at that of IPv6 where it has one there.
struct OptionNames {
  OptionName v4;
  OptionName v6;
};

OptionNames names_of(SocketOption option) noexcept {
  switch (option) {
    case SocketOption::reuse_address:
      return {{SOL_SOCKET, SO_REUSEADDR}, {}};
    case SocketOption::reuse_port:
      return {{SOL_SOCKET, reuse_port}, {}};
    case SocketOption::no_delay:
      return {{IPPROTO_TCP, TCP_NODELAY}, {}};
    case SocketOption::keep_alive:
      return {{SOL_SOCKET, SO_KEEPALIVE}, {}};
    case SocketOption::keep_alive_idle:
      return {{IPPROTO_TCP, keep_idle}, {}};
    case SocketOption::keep_alive_interval:
      return {{IPPROTO_TCP, TCP_KEEPINTVL}, {}};
    case SocketOption::keep_alive_count:
      return {{IPPROTO_TCP, TCP_KEEPCNT}, {}};
    case SocketOption::user_timeout:
      return {{IPPROTO_TCP, user_timeout}, {}};
    case SocketOption::defer_accept:
      return {{IPPROTO_TCP, defer_accept}, {}};
    case SocketOption::fast_open:
      return {{IPPROTO_TCP, TCP_FASTOPEN}, {}};
    case SocketOption::fast_open_connect:
      return {{IPPROTO_TCP, fast_open_connect}, {}};
    case SocketOption::quick_acknowledge:
      return {{IPPROTO_TCP, quick_ack}, {}};
    case SocketOption::unsent_limit:
      return {{IPPROTO_TCP, unsent_limit}, {}};
    case SocketOption::v6_only:
      return {{IPPROTO_IPV6, IPV6_V6ONLY}, {}};
    case SocketOption::send_buffer:
      return {{SOL_SOCKET, SO_SNDBUF}, {}};
    case SocketOption::receive_buffer:
      return {{SOL_SOCKET, SO_RCVBUF}, {}};
    case SocketOption::linger:
      return {{SOL_SOCKET, linger_seconds}, {}};
    case SocketOption::broadcast:
      return {{SOL_SOCKET, SO_BROADCAST}, {}};
    case SocketOption::tell_destination:
      return {{IPPROTO_IP, destination_v4}, {IPPROTO_IPV6, IPV6_RECVPKTINFO}};
    case SocketOption::tell_traffic_class:
      return {{IPPROTO_IP, IP_RECVTOS}, {IPPROTO_IPV6, IPV6_RECVTCLASS}};
    case SocketOption::tell_arrival:
      return {{SOL_SOCKET, arrival}, {}};
    case SocketOption::tell_errors:
      return {{IPPROTO_IP, errors_v4}, {IPPROTO_IPV6, errors_v6}};
    case SocketOption::zero_copy:
      return {{SOL_SOCKET, lending}, {}};
    case SocketOption::coalesce:
      return {{IPPROTO_UDP, coalescing}, {}};
    case SocketOption::segment_size:
      return {{IPPROTO_UDP, segmenting}, {}};
    case SocketOption::keep_whole:
      return {{IPPROTO_IP, keep_whole_v4}, {IPPROTO_IPV6, keep_whole_v6}};
    case SocketOption::path_mtu:
      return {{IPPROTO_IP, path_mtu_v4}, {IPPROTO_IPV6, path_mtu_v6}};
    case SocketOption::traffic_class:
      return {{IPPROTO_IP, IP_TOS}, {IPPROTO_IPV6, IPV6_TCLASS}};
    case SocketOption::multicast_interface:
      return {{IPPROTO_IP, IP_MULTICAST_IF}, {IPPROTO_IPV6, IPV6_MULTICAST_IF}};
    case SocketOption::multicast_hops:
      return {{IPPROTO_IP, IP_MULTICAST_TTL}, {IPPROTO_IPV6, IPV6_MULTICAST_HOPS}};
    case SocketOption::multicast_loop:
      return {{IPPROTO_IP, IP_MULTICAST_LOOP}, {IPPROTO_IPV6, IPV6_MULTICAST_LOOP}};
    case SocketOption::dropped:
      return {{SOL_SOCKET, memory_numbers}, {}};
    case SocketOption::pending_error:
      return {{SOL_SOCKET, SO_ERROR}, {}};
  }
  return {};
}

bool is_v6(int socket) noexcept {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  return sys::getsockname(socket, &address, &size) == 0 && address.ss_family == AF_INET6;
}

// For an option that is on, the BSDs return a flag of their own, not 1.
bool is_switch(SocketOption option) noexcept {
  switch (option) {
    case SocketOption::reuse_address:
    case SocketOption::reuse_port:
    case SocketOption::no_delay:
    case SocketOption::keep_alive:
    case SocketOption::v6_only:
    case SocketOption::broadcast:
      return true;
    default:
      return false;
  }
}

// The name that the option has for this family of sockets.
OptionName name_of(int socket, SocketOption option) noexcept {
  const OptionNames names = names_of(option);
  return names.v6.name != 0 && is_v6(socket) ? names.v6 : names.v4;
}

}  // namespace

long set_socket_option(int socket, SocketOption option, int value) noexcept {
  const OptionName name = name_of(socket, option);
  if (name.name == 0) return -ENOPROTOOPT;
  if (option == SocketOption::multicast_interface && name.level == IPPROTO_IP) {
    ip_mreqn request{};
    request.imr_ifindex = value;
    return sys::setsockopt(socket, name.level, name.name, &request, sizeof request);
  }
  if (option == SocketOption::linger) {
    if (value < -1) return -EINVAL;
    const linger setting = {value >= 0, std::max(value, 0)};
    return sys::setsockopt(socket, name.level, name.name, &setting, sizeof setting);
  }
  if (option == SocketOption::keep_whole) value = value ? keep_whole_on : keep_whole_off;
#ifndef IP_PKTINFO
  // FreeBSD has an option of its own for the interface.
  if (option == SocketOption::tell_destination && name.level == IPPROTO_IP) {
    const long result = sys::setsockopt(socket, name.level, IP_RECVIF, &value, sizeof value);
    if (result < 0) return result;
  }
#endif
  if (name.level == IPPROTO_IPV6 && option != SocketOption::v6_only &&
      option != SocketOption::tell_destination) {
    // An IPv6 socket may have IPv4 peers, so this sets the option of IPv4 too; where the socket has
    // none, that has no effect. It does not ask twice for the destination of their datagrams: the
    // kernel tells it as a mapped IPv6 address already, and there is no room for both.
    const OptionName mapped = names_of(option).v4;
    ip_mreqn request{};
    request.imr_ifindex = value;
    const bool interface = option == SocketOption::multicast_interface;
    sys::setsockopt(socket, mapped.level, mapped.name,
                    interface ? static_cast<const void*>(&request) : &value,
                    interface ? sizeof request : sizeof value);
  }
  return sys::setsockopt(socket, name.level, name.name, &value, sizeof value);
}

long get_socket_option(int socket, SocketOption option, int& value) noexcept {
  const OptionName name = name_of(socket, option);
  if (name.name == 0) return -ENOPROTOOPT;
  if (option == SocketOption::linger) {
    linger setting{};
    socklen_t size = sizeof setting;
    const long result = sys::getsockopt(socket, name.level, name.name, &setting, &size);
    value = setting.l_onoff ? setting.l_linger : -1;
    return result;
  }
#ifdef SO_MEMINFO
  if (option == SocketOption::dropped) {
    std::uint32_t numbers[SK_MEMINFO_VARS] = {};
    socklen_t size = sizeof numbers;
    const long result = sys::getsockopt(socket, name.level, name.name, numbers, &size);
    value = static_cast<int>(numbers[SK_MEMINFO_DROPS]);
    return result;
  }
#endif
  socklen_t size = sizeof value;
  const long result = sys::getsockopt(socket, name.level, name.name, &value, &size);
  if (option == SocketOption::pending_error) value = -value;
  if (is_switch(option)) value = value != 0;
  return result;
}

}  // namespace v0
}  // namespace proa
