// What stands in a block beside the bytes of a datagram. Control messages come from the kernel, and
// are read as if they did not: every length is checked.
#include "datagram.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "pool.hpp"

namespace proa {

namespace {

const char* start_of(const detail::Segment* segment) noexcept { return segment->block->payload(); }

DatagramHeader header_of(const detail::Segment* segment) noexcept {
  DatagramHeader header;
  std::memcpy(&header, start_of(segment), sizeof header);
  return header;
}

// The value of a control message, if it is that long.
template <class Value>
bool read(const cmsghdr& message, Value& value) noexcept {
  if (message.cmsg_len < CMSG_LEN(sizeof value)) return false;
  std::memcpy(&value, CMSG_DATA(&message), sizeof value);
  return true;
}

void decode_ip(const cmsghdr& message, DatagramInfo& info) noexcept {
  if (message.cmsg_type == IP_PKTINFO) {
    in_pktinfo packet{};
    if (!read(message, packet)) return;
    info.destination = Address::ipv4(ntohl(packet.ipi_addr.s_addr), 0);
    info.interface = static_cast<std::uint32_t>(packet.ipi_ifindex);
  } else if (message.cmsg_type == IP_TOS) {
    read(message, info.traffic_class);
  }
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
  } else if (message.cmsg_type == IPV6_TCLASS) {
    int value = 0;
    if (read(message, value)) info.traffic_class = static_cast<std::uint8_t>(value);
  }
}

void decode_socket(const cmsghdr& message, DatagramInfo& info) noexcept {
  timespec time{};
  if (message.cmsg_type != SCM_TIMESTAMPNS || !read(message, time)) return;
  // What does not fit is no time of this clock.
  constexpr std::int64_t second = 1000000000;
  if (time.tv_sec < 0 || time.tv_sec >= INT64_MAX / second) return;
  if (time.tv_nsec < 0 || time.tv_nsec >= second) return;
  info.arrived = std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

void decode_udp(const cmsghdr& message, DatagramInfo& info) noexcept {
  int size = 0;
  if (message.cmsg_type == UDP_GRO && read(message, size) && size > 0) {
    info.segment = static_cast<std::size_t>(size);
  }
}

}  // namespace

void decode_control(const void* control, std::size_t size, DatagramInfo& info) noexcept {
  const char* at = static_cast<const char*>(control);
  while (size >= sizeof(cmsghdr)) {
    // Copied out, because nothing says how it is aligned; a value is 32 bytes at most.
    alignas(cmsghdr) char copy[CMSG_SPACE(32)] = {};
    std::memcpy(copy, at, std::min(size, sizeof copy));
    auto& message = *reinterpret_cast<cmsghdr*>(copy);
    if (message.cmsg_len < sizeof(cmsghdr) || message.cmsg_len > size) return;
    message.cmsg_len = std::min(message.cmsg_len, CMSG_LEN(32));
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
      case SOL_UDP:
        decode_udp(message, info);
        break;
      default:
        break;
    }
    std::memcpy(&message.cmsg_len, at, sizeof message.cmsg_len);
    const std::size_t step = CMSG_ALIGN(message.cmsg_len);
    if (step >= size) return;
    at += step;
    size -= step;
  }
}

Address RecvDatagrams::source() const noexcept {
  const detail::Segment* const segment = buffer_.segment();
  if (!segment) return {};
  const std::size_t size = std::min<std::size_t>(header_of(segment).name_size, name_room);
  return Address::from_raw(start_of(segment) + sizeof(DatagramHeader), size);
}

DatagramInfo RecvDatagrams::info() const noexcept {
  DatagramInfo info;
  const detail::Segment* const segment = buffer_.segment();
  if (!segment) return info;
  const DatagramHeader header = header_of(segment);
  info.truncated = (header.flags & MSG_TRUNC) != 0;
  if (with_control_) {
    decode_control(start_of(segment) + sizeof(DatagramHeader) + name_room,
                   std::min<std::size_t>(header.control_size, control_room), info);
  }
  return info;
}

// What there is of the payload: no more than the buffer holds.
void RecvDatagrams::set_buffer(Buffer filled) noexcept {
  detail::Segment* const segment = filled.detach();
  const std::size_t before = bytes_at(with_control_);
  const std::size_t held = segment->size > before ? segment->size - before : 0;
  segment->data += before;
  segment->size =
      static_cast<std::uint32_t>(std::min<std::size_t>(header_of(segment).payload_size, held));
  buffer_ = Buffer(segment);
}

void RecvDatagrams::queue(Buffer filled) noexcept {
  detail::Segment* const segment = filled.detach();
  segment->next = nullptr;
  (last_ ? last_->next : first_) = segment;
  last_ = segment;
}

void RecvDatagrams::keep() noexcept {
  detail::Segment* const segment = buffer_.detach();
  if (!segment) return;
  const std::size_t before = bytes_at(with_control_);
  segment->data -= before;
  segment->size += static_cast<std::uint32_t>(before);
  queue(Buffer(segment));
}

bool RecvDatagrams::take_queued() noexcept {
  buffer_.reset();
  detail::Segment* const segment = first_;
  if (!segment) return false;
  first_ = segment->next;
  if (!first_) last_ = nullptr;
  segment->next = nullptr;
  set_buffer(Buffer(segment));
  return true;
}

void RecvDatagrams::drop_queued() noexcept {
  while (take_queued()) {
  }
}

}  // namespace proa
