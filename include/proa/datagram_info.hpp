#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <proa/address.hpp>
#include <proa/detail/api.hpp>

namespace proa {
inline namespace v0 {

/// From where a datagram is sent (IP_PKTINFO, ip(7); IPV6_PKTINFO, RFC 3542; IP_SENDSRCADDR on
/// FreeBSD). A plain value.
struct DatagramSource {
  /// An address of this machine, whose port does not count. 0.0.0.0 and [::] leave the choice to
  /// the system; unset: the datagram is sent as without a DatagramSource, and `interface` is 0.
  Address address;
  /// The interface (if_nametoindex(3)) that the datagram leaves by; 0: as the routes say. For IPv4
  /// FreeBSD always does as the routes say.
  std::uint32_t interface = 0;
};

/// What a datagram brings besides its bytes and its source. Fields that DatagramOptions did not ask
/// for keep these values.
struct PROA_API DatagramInfo {
  bool truncated = false;  ///< the datagram was longer than the buffer: the rest is lost
  /// `destination` is a multicast group or a broadcast address. A broadcast to a subnet
  /// (10.255.255.255) is known as one by IPv4 sockets of Linux alone.
  bool to_group = false;
  /// More than 0: the buffer holds several datagrams of one source, each of this size, the last one
  /// perhaps smaller (UDP_GRO, udp(7)).
  std::size_t segment = 0;
  Address destination;  ///< the address that it was sent to, with port 0 (IP_PKTINFO, ip(7))
  std::uint32_t interface = 0;     ///< number of the interface that received it
  std::uint8_t traffic_class = 0;  ///< TOS or traffic class; the two lowest bits are ECN (RFC 3168)
  std::chrono::nanoseconds arrived{0};  ///< the kernel's wall clock at arrival, since 1970

  /// From where an answer is sent, so that it comes from the address that was asked: from
  /// `destination`, or, if that is a group, from an address of the system's choice on the interface
  /// that the datagram came by. Without DatagramOptions::destination: nothing, and the system
  /// chooses.
  DatagramSource answer_from() const noexcept;
};

}  // namespace v0
}  // namespace proa
