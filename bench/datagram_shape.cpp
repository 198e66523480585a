// What a shape cannot be, and what it cannot be without losses.
#include "datagram_shape.hpp"

#include <algorithm>
#include <fstream>

namespace bench {

std::string DatagramShape::mistake() const {
  if (size < kSmallest || size > kLargest) {
    return "a datagram has from " + std::to_string(kSmallest) + " to " + std::to_string(kLargest) +
           " bytes";
  }
  if (segments > 1 && (segments > 64 || segments * size > kLargest)) {
    return "segments are at most 64, and at most " + std::to_string(kLargest) + " bytes together";
  }
  if (segments > depth) return "there are more segments than may be on their way";
  return {};
}

std::string DatagramShape::warning() const {
  std::size_t most = 0;  // that SO_RCVBUF may be set to; the kernel doubles it
  std::ifstream("/proc/sys/net/core/rmem_max") >> most;
  const std::size_t room = 2 * std::min<std::size_t>(most, 8 << 20);
  const std::size_t needed = clients * depth * (size + kOverhead);
  if (most == 0 || needed <= room) return {};
  return std::to_string(clients * depth) + " datagrams on their way need " +
         std::to_string(needed >> 10) + " KiB of a socket's buffer, which has at most " +
         std::to_string(room >> 10) + " (net.core.rmem_max): some will be lost";
}

}  // namespace bench
