// Control messages of datagrams: whatever the bytes, nothing beyond them is read, and what the
// kernel would make of values gives these values back.

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <memory>

#include "buffer/datagram.hpp"
#include "fuzz.hpp"

using proa::Address;
using proa::DatagramInfo;

namespace {

bool same(const DatagramInfo& a, const DatagramInfo& b) {
  return a.destination == b.destination && a.interface == b.interface &&
         a.traffic_class == b.traffic_class && a.segment == b.segment && a.arrived == b.arrived &&
         a.truncated == b.truncated && a.to_group == b.to_group;
}

// The memory ends with the bytes, and begins at any alignment.
DatagramInfo decoded(std::string_view bytes, std::size_t off) {
  const std::unique_ptr<char[]> memory(new char[off + bytes.size()]);
  std::memcpy(memory.get() + off, bytes.data(), bytes.size());
  DatagramInfo info;
  proa::decode_control(memory.get() + off, bytes.size(), info);
  return info;
}

template <class Value>
void append(std::string& control, int level, int type, const Value& value) {
  std::string space(CMSG_SPACE(sizeof value), '\0');
  auto* const message = reinterpret_cast<cmsghdr*>(space.data());
  message->cmsg_len = CMSG_LEN(sizeof value);
  message->cmsg_level = level;
  message->cmsg_type = type;
  std::memcpy(CMSG_DATA(message), &value, sizeof value);
  control += space;
}

// An IPv4 group or the broadcast address, as IPv6 writes them.
bool mapped_group(const std::array<std::uint8_t, 16>& bytes) {
  static constexpr char prefix[] = "\0\0\0\0\0\0\0\0\0\0\xff\xff";
  return std::memcmp(bytes.data(), prefix, 12) == 0 &&
         (bytes[12] >> 4 == 14 || std::memcmp(&bytes[12], "\xff\xff\xff\xff", 4) == 0);
}

// Values out of the input, in an order out of it.
class Values {
 public:
  explicit Values(std::string_view input) : input_(input) {}

  template <class Value>
  Value take() {
    Value value{};
    const std::size_t size = std::min(sizeof value, input_.size() - at_);
    std::memcpy(&value, input_.data() + at_, size);
    at_ += size;
    return value;
  }

 private:
  std::string_view input_;
  std::size_t at_ = 0;
};

void round_trip(std::string_view input) {
  Values values(input);
  DatagramInfo expected;
  std::string control;
  for (int i = 0; i < 6; ++i) {
    switch (values.take<std::uint8_t>() % 7) {
      case 0: {
        in_pktinfo packet{};
        packet.ipi_addr.s_addr = values.take<std::uint32_t>();
        packet.ipi_ifindex = values.take<std::uint16_t>();
        append(control, IPPROTO_IP, IP_PKTINFO, packet);
        expected.destination = Address::ipv4(ntohl(packet.ipi_addr.s_addr), 0);
        expected.interface = static_cast<std::uint32_t>(packet.ipi_ifindex);
        // The kernel would answer from 0.0.0.0: the destination is not this machine's alone.
        // Without an interface nothing was noted, and only the address tells.
        const std::uint32_t to = ntohl(packet.ipi_addr.s_addr);
        const bool group = IN_MULTICAST(to) || to == INADDR_BROADCAST;
        expected.to_group = packet.ipi_ifindex != 0 ? to != 0 : group;
        break;
      }
      case 1: {
        in6_pktinfo packet{};
        const auto bytes = values.take<std::array<std::uint8_t, 16>>();
        std::memcpy(&packet.ipi6_addr, bytes.data(), bytes.size());
        packet.ipi6_ifindex = values.take<std::uint16_t>();
        append(control, IPPROTO_IPV6, IPV6_PKTINFO, packet);
        const bool local = bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
        expected.destination = Address::ipv6(bytes, 0, local ? packet.ipi6_ifindex : 0);
        expected.interface = packet.ipi6_ifindex;
        expected.to_group = bytes[0] == 0xff || mapped_group(bytes);
        break;
      }
      case 2:
        expected.traffic_class = values.take<std::uint8_t>();
        append(control, IPPROTO_IP, IP_TOS, expected.traffic_class);
        break;
      case 3:
        expected.traffic_class = values.take<std::uint8_t>();
        append(control, IPPROTO_IPV6, IPV6_TCLASS, int{expected.traffic_class});
        break;
      case 4: {
        const auto size = values.take<std::uint16_t>();
        append(control, SOL_UDP, UDP_GRO, int{size});
        if (size > 0) expected.segment = size;
        break;
      }
      case 5: {
        const timespec time = {values.take<std::uint32_t>(),
                               static_cast<long>(values.take<std::uint32_t>() % 1000000000)};
        append(control, SOL_SOCKET, SO_TIMESTAMPNS, time);
        expected.arrived =
            std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
        break;
      }
      default:
        append(control, static_cast<int>(values.take<std::uint16_t>()) + 1000, 1,
               values.take<std::array<char, 40>>());
    }
  }
  const std::size_t off = values.take<std::uint8_t>() % 16;
  require(same(decoded(control, off), expected), "what was put in comes out");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz_input(data, size);
  const DatagramInfo first = decoded(input, 0);
  require(same(first, decoded(input, 1)), "alignment does not matter");
  require(first.segment <= INT32_MAX, "a segment is what an int can say");
  require(!first.truncated, "no control message says that bytes were lost");
  round_trip(input);
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  in_pktinfo packet{};
  packet.ipi_ifindex = 1;
  in6_pktinfo packet6{};
  packet6.ipi6_addr.s6_addr[0] = 0xfe;
  packet6.ipi6_addr.s6_addr[1] = 0x80;
  const std::uint8_t tos = 3;
  std::string all;
  append(all, SOL_SOCKET, SO_TIMESTAMPNS, timespec{1700000000, 5});
  append(all, SOL_UDP, UDP_GRO, int{1200});
  append(all, IPPROTO_IP, IP_PKTINFO, packet);
  append(all, IPPROTO_IP, IP_TOS, tos);
  std::string six;
  append(six, IPPROTO_IPV6, IPV6_PKTINFO, packet6);
  append(six, IPPROTO_IPV6, IPV6_TCLASS, int{3});
  const auto claims = [&](std::size_t length) {
    std::string bytes = all;
    std::memcpy(bytes.data(), &length, sizeof length);
    return bytes;
  };
  return {all,
          six,
          claims(0),
          claims(1),
          claims(16),
          claims(SIZE_MAX),
          claims(200),
          all + six,
          "",
          std::string(64, '\xff'),
          all.substr(0, 30)};
}
