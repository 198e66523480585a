// How much a datagram load sends at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace bench {

struct DatagramShape {
  static constexpr std::size_t kSmallest = 12;  ///< bytes: a number and a client
  static constexpr std::size_t kLargest = 65507;
  /// Bytes that one takes of a socket's buffer beside its own, about.
  static constexpr std::size_t kOverhead = 1024;

  std::size_t clients = 100;
  std::size_t depth = 10;      ///< datagrams on their way, per client
  std::size_t size = 256;      ///< bytes of one
  std::uint64_t messages = 0;  ///< per client; 0: without end
  /// More than 1: so many leave in one call as one buffer that the kernel cuts (UDP_SEGMENT), and
  /// what the server sends likewise is received in one piece (UDP_GRO).
  std::size_t segments = 1;

  /// Empty, or a sentence that says what is impossible about it.
  std::string mistake() const;
  /// Empty, or a sentence that says that one socket of the server may not hold the windows of all
  /// clients, so that some will be lost.
  std::string warning() const;
};

}  // namespace bench
