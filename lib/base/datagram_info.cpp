// From where a datagram is answered.
#include <netinet/in.h>

#include <array>
#include <cstring>
#include <proa/datagram_info.hpp>

namespace proa {

namespace {

// The address of the same family that stands for any. An IPv6 socket has mapped addresses for its
// IPv4 peers, and "any" is mapped then too.
Address any_like(const Address& address) noexcept {
  if (address.family() == Address::Family::ipv4) return Address::ipv4(INADDR_ANY, 0);
  if (address.family() != Address::Family::ipv6) return {};
  sockaddr_in6 sockaddr{};
  std::memcpy(&sockaddr, address.data(), sizeof sockaddr);
  std::array<std::uint8_t, 16> bytes{};
  if (IN6_IS_ADDR_V4MAPPED(&sockaddr.sin6_addr)) bytes[10] = bytes[11] = 0xff;
  return Address::ipv6(bytes, 0);
}

}  // namespace

DatagramSource DatagramInfo::answer_from() const noexcept {
  if (to_group) return {any_like(destination), interface};
  return {destination, destination.scope()};
}

}  // namespace proa
