// Control messages of datagrams: what the kernel would write is understood, and no length is
// believed.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cstring>
#include <ctime>
#include <memory>
#include <string>

#include "buffer/datagram.hpp"
#include "support/catch.hpp"

namespace {

using proa::Address;
using proa::DatagramInfo;

// Control messages as the kernel lays them out.
class Control {
 public:
  template <class Value>
  Control& add(int level, int type, const Value& value) {
    std::string space(CMSG_SPACE(sizeof value), '\0');
    auto* const message = reinterpret_cast<cmsghdr*>(space.data());
    message->cmsg_len = CMSG_LEN(sizeof value);
    message->cmsg_level = level;
    message->cmsg_type = type;
    std::memcpy(CMSG_DATA(message), &value, sizeof value);
    bytes_ += space;
    return *this;
  }
  // Of the message that was added last.
  Control& claim(std::size_t length, std::size_t at = 0) {
    std::memcpy(&bytes_[at], &length, sizeof length);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// From memory that ends where the bytes do, `off` bytes from where it is aligned.
DatagramInfo decoded(const std::string& bytes, std::size_t off = 0) {
  const std::unique_ptr<char[]> memory(new char[off + bytes.size()]);
  std::memcpy(memory.get() + off, bytes.data(), bytes.size());
  DatagramInfo info;
  proa::decode_control(memory.get() + off, bytes.size(), info);
  return info;
}

bool untouched(const DatagramInfo& info) {
  return !info.destination.is_set() && info.interface == 0 && info.traffic_class == 0 &&
         info.segment == 0 && info.arrived.count() == 0 && !info.truncated;
}

in_pktinfo packet4() {
  in_pktinfo packet{};
  packet.ipi_ifindex = 7;
  packet.ipi_addr.s_addr = packet.ipi_spec_dst.s_addr = htonl(0x0a010203);
  return packet;
}

in6_pktinfo packet6(std::uint8_t first, std::uint8_t second) {
  in6_pktinfo packet{};
  packet.ipi6_ifindex = 3;
  packet.ipi6_addr.s6_addr[0] = first;
  packet.ipi6_addr.s6_addr[1] = second;
  packet.ipi6_addr.s6_addr[15] = 9;
  return packet;
}

TEST_CASE("all control messages are understood, in any order", "[control]") {
  const timespec time = {1700000000, 123456789};
  Control control;
  const std::uint8_t tos = 0x2b;
  if (GENERATE(false, true)) {
    control.add(SOL_SOCKET, SO_TIMESTAMPNS, time)
        .add(SOL_UDP, UDP_GRO, int{1200})
        .add(IPPROTO_IP, IP_TOS, tos)
        .add(IPPROTO_IP, IP_PKTINFO, packet4());
  } else {
    control.add(IPPROTO_IP, IP_PKTINFO, packet4())
        .add(IPPROTO_IP, IP_TOS, tos)
        .add(SOL_UDP, UDP_GRO, int{1200})
        .add(SOL_SOCKET, SO_TIMESTAMPNS, time);
  }
  for (std::size_t off = 0; off < 9; ++off) {
    const DatagramInfo info = decoded(control.bytes(), off);
    CHECK(info.destination == Address::ipv4({10, 1, 2, 3}, 0));
    CHECK(info.interface == 7);
    CHECK(info.traffic_class == 0x2b);
    CHECK(info.segment == 1200);
    CHECK(info.arrived.count() == 1700000000123456789);
  }
}

TEST_CASE("IPv6 has its own, and a scope where it needs one", "[control]") {
  Control global;
  global.add(IPPROTO_IPV6, IPV6_PKTINFO, packet6(0x20, 0x01))
      .add(IPPROTO_IPV6, IPV6_TCLASS, int{0x2e});
  DatagramInfo info = decoded(global.bytes());
  CHECK(info.destination.to_string() == "[2001::9]:0");
  CHECK(info.interface == 3);
  CHECK(info.traffic_class == 0x2e);
  Control local;
  local.add(IPPROTO_IPV6, IPV6_PKTINFO, packet6(0xfe, 0x80));
  info = decoded(local.bytes());
  CHECK(info.destination ==
        Address::ipv6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}, 0, 3));
}

TEST_CASE("what several machines may have is no address to answer from", "[control]") {
  const auto decoded4 = [](std::uint32_t to, std::uint32_t answers_from) {
    in_pktinfo packet = packet4();
    packet.ipi_addr.s_addr = htonl(to);
    packet.ipi_spec_dst.s_addr = htonl(answers_from);
    return decoded(Control().add(IPPROTO_IP, IP_PKTINFO, packet).bytes());
  };
  const auto decoded6 = [](const char* to) {
    in6_pktinfo packet{};
    packet.ipi6_ifindex = 3;
    ::inet_pton(AF_INET6, to, &packet.ipi6_addr);
    return decoded(Control().add(IPPROTO_IPV6, IPV6_PKTINFO, packet).bytes());
  };
  const DatagramInfo one = decoded4(0x0a010203, 0x0a010203);
  CHECK(!one.to_group);
  CHECK(one.answer_from().address == Address::ipv4({10, 1, 2, 3}, 0));
  CHECK(one.answer_from().interface == 0);
  for (const std::uint32_t to : {0xe0000001u, 0xefffffffu, 0xffffffffu, 0x0a0102ffu}) {
    const DatagramInfo many = decoded4(to, 0x0a010203);
    CHECK(many.to_group);
    CHECK(many.answer_from().address == Address::ipv4(std::uint32_t{0}, 0));
    CHECK(many.answer_from().interface == 7);
  }
  CHECK(!decoded6("2001:db8::1").to_group);
  CHECK(decoded6("2001:db8::1").answer_from().interface == 0);
  CHECK(decoded6("fe80::1").answer_from().interface == 3);
  CHECK(!decoded6("::ffff:10.1.2.3").to_group);
  CHECK(decoded6("ff02::1").to_group);
  CHECK(decoded6("ff02::1").answer_from().address == Address::ipv6({}, 0));
  CHECK(decoded6("ff02::1").answer_from().interface == 3);
  CHECK(decoded6("::ffff:239.1.2.3").to_group);
  CHECK(decoded6("::ffff:255.255.255.255").answer_from().address.to_string() ==
        "[::ffff:0.0.0.0]:0");
  CHECK(!DatagramInfo().answer_from().address.is_set());
}

TEST_CASE("nothing there, nothing said", "[control]") {
  CHECK(untouched(decoded("")));
  CHECK(untouched(decoded(std::string(sizeof(cmsghdr) - 1, '\xff'))));
  CHECK(untouched(decoded(std::string(128, '\0'))));
  CHECK(untouched(decoded(std::string(128, '\xff'))));
}

TEST_CASE("a length that cannot be ends the reading", "[control]") {
  const Control good = Control().add(IPPROTO_IP, IP_PKTINFO, packet4());
  const std::size_t lengths[] = {0,
                                 1,
                                 sizeof(cmsghdr) - 1,
                                 good.bytes().size() + 1,
                                 good.bytes().size() + 4096,
                                 SIZE_MAX,
                                 SIZE_MAX - 1,
                                 SIZE_MAX - sizeof(cmsghdr),
                                 SIZE_MAX / 2 + 1};
  for (const std::size_t length : lengths) {
    INFO("cmsg_len " << length);
    CHECK(untouched(decoded(Control(good).claim(length).bytes())));
    // In front of a good one, too: nobody knows where that begins. Behind one, that one counts.
    const std::string bad = Control(good).claim(length).bytes();
    if (length > 2 * bad.size()) CHECK(untouched(decoded(bad + good.bytes())));
    const DatagramInfo behind = decoded(good.bytes() + bad);
    CHECK(behind.interface == 7);
    CHECK(behind.destination == Address::ipv4({10, 1, 2, 3}, 0));
  }
}

TEST_CASE("a message that is too short for its value is passed over", "[control]") {
  const std::uint8_t tos = 4;
  const auto check = [&](const Control& full, std::size_t value) {
    for (std::size_t held = 0; held < value; ++held) {
      INFO(held << " bytes of " << value);
      // With room behind it, and with none.
      const std::string padded = Control(full).claim(CMSG_LEN(held)).bytes();
      CHECK(untouched(decoded(padded)));
      CHECK(untouched(decoded(padded.substr(0, CMSG_LEN(held)))));
      const std::string cut = padded.substr(0, CMSG_SPACE(held));
      CHECK(decoded(cut + Control().add(IPPROTO_IP, IP_TOS, tos).bytes()).traffic_class == 4);
    }
  };
  check(Control().add(IPPROTO_IP, IP_PKTINFO, packet4()), sizeof(in_pktinfo));
  check(Control().add(IPPROTO_IPV6, IPV6_PKTINFO, packet6(0x20, 1)), sizeof(in6_pktinfo));
  check(Control().add(SOL_SOCKET, SO_TIMESTAMPNS, timespec{5, 5}), sizeof(timespec));
  check(Control().add(SOL_UDP, UDP_GRO, int{1200}), sizeof(int));
  check(Control().add(IPPROTO_IPV6, IPV6_TCLASS, int{0x2e}), sizeof(int));
}

TEST_CASE("the last message may end without its padding", "[control]") {
  Control control;
  const std::uint8_t tos = 0x11;
  control.add(SOL_UDP, UDP_GRO, int{900}).add(IPPROTO_IP, IP_TOS, tos);
  const std::string bytes = control.bytes().substr(0, CMSG_SPACE(sizeof(int)) + CMSG_LEN(1));
  const DatagramInfo info = decoded(bytes);
  CHECK(info.segment == 900);
  CHECK(info.traffic_class == 0x11);
  CHECK(decoded(bytes.substr(0, bytes.size() - 1)).traffic_class == 0);
}

TEST_CASE("a time that is none is passed over", "[control]") {
  for (const timespec time :
       {timespec{-1, 0}, timespec{INT64_MAX, 0}, timespec{INT64_MAX / 1000000000, 0},
        timespec{1, -1}, timespec{1, 1000000000}, timespec{1, INT64_MAX}}) {
    INFO(time.tv_sec << " s " << time.tv_nsec << " ns");
    CHECK(untouched(decoded(Control().add(SOL_SOCKET, SO_TIMESTAMPNS, time).bytes())));
  }
}

TEST_CASE("unknown and long messages are passed over", "[control]") {
  struct Long {
    char bytes[200];
  };
  const std::uint8_t tos = 0x11;
  Control control;
  control.add(1234, 5678, Long{})
      .add(IPPROTO_IP, IP_TTL, int{64})
      .add(SOL_SOCKET, SCM_RIGHTS, int{0})
      .add(SOL_UDP, UDP_GRO, int{-5})
      .add(IPPROTO_IP, IP_TOS, tos);
  const DatagramInfo info = decoded(control.bytes());
  CHECK(info.traffic_class == 0x11);
  CHECK(info.segment == 0);
}

}  // namespace
