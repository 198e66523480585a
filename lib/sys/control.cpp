// Reads the control messages of the kernel. Every length is checked, as if a stranger had written
// them.
#define __APPLE_USE_RFC_3542 1  // names of IPv6 options, in macOS's headers
#include "sys/control.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/time.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "sys/sys.hpp"

#ifdef __linux__
#include <linux/errqueue.h>
#endif

namespace proa {
inline namespace v0 {

namespace {

// Reads the value of a control message, unless the message is too short for it.
template <class Value>
bool read(const cmsghdr& message, Value& value) noexcept {
  if (message.cmsg_len < CMSG_LEN(sizeof value)) return false;
  std::memcpy(&value, CMSG_DATA(&message), sizeof value);
  return true;
}

// On the BSDs a message has the number of the option that asks for it.
#ifdef __linux__
constexpr int told_traffic_class = IP_TOS;
#else
constexpr int told_traffic_class = IP_RECVTOS;
#endif

// Whether other machines may have the address too. Linux tells it of broadcasts to a subnet as
// well: the address from which the kernel would answer is then another one than the destination.
bool is_group(in_addr to) noexcept {
  const std::uint32_t address = ntohl(to.s_addr);
  return IN_MULTICAST(address) || address == INADDR_BROADCAST;
}
bool is_group(const in6_addr& to) noexcept {
  in_addr mapped{};
  std::memcpy(&mapped, to.s6_addr + 12, sizeof mapped);
  return IN6_IS_ADDR_MULTICAST(&to) || (IN6_IS_ADDR_V4MAPPED(&to) && is_group(mapped));
}

void decode_ip(const cmsghdr& message, DatagramInfo& info) noexcept {
  if (message.cmsg_type == told_traffic_class) {
    read(message, info.traffic_class);
    return;
  }
#ifdef IP_PKTINFO
  in_pktinfo packet{};
  if (message.cmsg_type != IP_PKTINFO || !read(message, packet)) return;
  info.destination = Address::ipv4(ntohl(packet.ipi_addr.s_addr), 0);
  info.interface = static_cast<std::uint32_t>(packet.ipi_ifindex);
  info.to_group = is_group(packet.ipi_addr);
#ifdef __linux__
  // A broadcast. No interface: the datagram had come before the option was set, and Linux noted
  // nothing then (ip(7) does not say so).
  const bool noted = packet.ipi_ifindex != 0;
  if (noted && packet.ipi_spec_dst.s_addr != packet.ipi_addr.s_addr) info.to_group = true;
#endif
#else
  in_addr to{};
  struct {
    std::uint8_t length, family;
    std::uint16_t index;
  } link{};  // how a sockaddr_dl begins
  if (message.cmsg_type == IP_RECVDSTADDR && read(message, to)) {
    info.destination = Address::ipv4(ntohl(to.s_addr), 0);
    info.to_group = is_group(to);
  } else if (message.cmsg_type == IP_RECVIF && read(message, link)) {
    info.interface = link.index;
  }
#endif
}

void decode_ipv6(const cmsghdr& message, DatagramInfo& info) noexcept {
  if (message.cmsg_type == IPV6_PKTINFO) {
    in6_pktinfo packet{};
    if (!read(message, packet)) return;
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &packet.ipi6_addr, bytes.size());
    const bool local = IN6_IS_ADDR_LINKLOCAL(&packet.ipi6_addr);
    info.destination = Address::ipv6(bytes, 0, local ? packet.ipi6_ifindex : 0);
    info.interface = packet.ipi6_ifindex;
    info.to_group = is_group(packet.ipi6_addr);
  } else if (message.cmsg_type == IPV6_TCLASS) {
    int value = 0;
    if (read(message, value)) info.traffic_class = static_cast<std::uint8_t>(value);
  }
}

void decode_socket(const cmsghdr& message, DatagramInfo& info) noexcept {
  timespec time{};
#ifdef SCM_TIMESTAMPNS
  if (message.cmsg_type != SCM_TIMESTAMPNS || !read(message, time)) return;
#else
  timeval coarse{};
  if (message.cmsg_type != SCM_TIMESTAMP || !read(message, coarse)) return;
  time = {coarse.tv_sec, coarse.tv_usec * 1000L};
#endif
  // A count of seconds that does not fit cannot come from this clock.
  constexpr std::int64_t second = 1000000000;
  if (time.tv_sec < 0 || time.tv_sec >= INT64_MAX / second) return;
  if (time.tv_nsec < 0 || time.tv_nsec >= second) return;
  info.arrived = std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

#ifdef UDP_GRO
void decode_udp(const cmsghdr& message, DatagramInfo& info) noexcept {
  int size = 0;
  if (message.cmsg_type == UDP_GRO && read(message, size) && size > 0) {
    info.segment = static_cast<std::size_t>(size);
  }
}
#endif

}  // namespace

void decode_control(const void* control, std::size_t size, DatagramInfo& info) noexcept {
  const char* at = static_cast<const char*>(control);
  while (size >= sizeof(cmsghdr)) {
    // The value is copied out, because no standard says how it is aligned. It has 32 bytes at most.
    alignas(cmsghdr) char copy[CMSG_SPACE(32)] = {};
    std::memcpy(copy, at, std::min(size, sizeof copy));
    auto& message = *reinterpret_cast<cmsghdr*>(copy);
    const std::size_t length = message.cmsg_len;
    if (length < CMSG_LEN(0) || length > size) return;
    message.cmsg_len =
        static_cast<decltype(message.cmsg_len)>(std::min<std::size_t>(length, CMSG_LEN(32)));
    switch (message.cmsg_level) {
      case IPPROTO_IP:
        decode_ip(message, info);
        break;
      case IPPROTO_IPV6:
        decode_ipv6(message, info);
        break;
      case SOL_SOCKET:
        decode_socket(message, info);
        break;
#ifdef UDP_GRO
      case SOL_UDP:
        decode_udp(message, info);
        break;
#endif
      default:
        break;
    }
    const std::size_t step = CMSG_SPACE(length - CMSG_LEN(0));
    if (step >= size) return;
    at += step;
    size -= step;
  }
}

template <class Value>
void SendControl::add(msghdr& message, int level, int type, const Value& value) noexcept {
  if (!message.msg_control) {
    message.msg_control = bytes_;
    message.msg_controllen = 0;
  }
  char* const at = bytes_ + message.msg_controllen;
  std::memset(at, 0, CMSG_SPACE(sizeof value));
  auto& control = *reinterpret_cast<cmsghdr*>(at);
  control.cmsg_level = level;
  control.cmsg_type = type;
  control.cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(&control), &value, sizeof value);
  message.msg_controllen = static_cast<decltype(message.msg_controllen)>(message.msg_controllen +
                                                                         CMSG_SPACE(sizeof value));
}

void SendControl::add_source(msghdr& message, const DatagramSource& source) noexcept {
  static_assert(sizeof(in6_pktinfo) <= source_size);
  const void* const address = source.address.data();
  if (source.address.family() == Address::Family::ipv6) {
    in6_pktinfo packet{};
    sockaddr_in6 from{};
    std::memcpy(&from, address, sizeof from);
    packet.ipi6_addr = from.sin6_addr;
    packet.ipi6_ifindex = source.interface;
    return add(message, IPPROTO_IPV6, IPV6_PKTINFO, packet);
  }
  sockaddr_in from{};
  std::memcpy(&from, address, sizeof from);
#ifdef IP_PKTINFO
  in_pktinfo packet{};
  packet.ipi_spec_dst = from.sin_addr;
  packet.ipi_ifindex = static_cast<decltype(packet.ipi_ifindex)>(source.interface);
  add(message, IPPROTO_IP, IP_PKTINFO, packet);
#else
  if (from.sin_addr.s_addr != INADDR_ANY) {
    add(message, IPPROTO_IP, IP_SENDSRCADDR, from.sin_addr);
  }
#endif
}

#ifdef __linux__

void SendControl::add_segment_size(msghdr& message, std::uint16_t size) noexcept {
  add(message, SOL_UDP, UDP_SEGMENT, size);
}

long take_send_notice(int socket, SendNotice& notice) noexcept {
  alignas(cmsghdr) char control[512];
  char byte = 0;
  iovec piece = {&byte, 1};  // room for the datagram that failed, which the kernel returns too
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const long result = sys::recvmsg(socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
  if (result < 0) return result;
  notice = {};
  for (cmsghdr* at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at)) {
    const bool v4 = at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_RECVERR;
    const bool v6 = at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_RECVERR;
    sock_extended_err told{};
    if ((!v4 && !v6) || at->cmsg_len < CMSG_LEN(sizeof told)) continue;
    std::memcpy(&told, CMSG_DATA(at), sizeof told);
    // A send reports errors of this machine (SO_EE_ORIGIN_LOCAL) itself, so they are not told
    // twice.
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

#else

void SendControl::add_segment_size(msghdr&, std::uint16_t) noexcept {}

long take_send_notice(int, SendNotice&) noexcept { return -EAGAIN; }

#endif

}  // namespace v0
}  // namespace proa
