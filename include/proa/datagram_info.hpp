#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <proa/address.hpp>

namespace proa {

/// What a datagram brings besides its bytes and its source. Fields that DatagramOptions did not ask
/// for keep these values.
struct DatagramInfo {
  bool truncated = false;  ///< the datagram was longer than the buffer: the rest is lost
  /// More than 0: the buffer holds several datagrams of one source, each of this size, the last one
  /// perhaps smaller (UDP_GRO, udp(7)).
  std::size_t segment = 0;
  Address destination;  ///< the address that it was sent to, with port 0 (IP_PKTINFO, ip(7))
  std::uint32_t interface = 0;     ///< number of the interface that received it
  std::uint8_t traffic_class = 0;  ///< TOS or traffic class; the two lowest bits are ECN (RFC 3168)
  std::chrono::nanoseconds arrived{0};  ///< the kernel's wall clock at arrival, since 1970
};

}  // namespace proa
