// Groups, over the loopback interface.
#include "contract/datagram_rig.hpp"
#include "support/plain.hpp"

namespace {

using namespace proa_test;
using proa::Address;

TEST_CASE("what is sent to a group reaches who has joined, until they leave", "[datagram]") {
  const Address group = Address::ipv4({239, 255, 77, 7}, 0);
  const Address here = Address::loopback(0);
  const bool from_source = GENERATE(false, true);
  World world;
  Two two(world);
  const std::uint32_t interface = loopback_interface();
  REQUIRE(!two.server.bind(Address::ipv4({0, 0, 0, 0}, 0)));
  REQUIRE(!two.client.bind(here));
  REQUIRE(!two.client.set_multicast(interface, 1, true));
  const Address source = from_source ? here : Address();
  REQUIRE(!two.server.join(group, interface, source));
  const Address to = group.with_port(two.server.address().port());
  two.client.send("one", to);
  world.run_until("it arrived", [&] { return two.server.received.size() == 1; });
  CHECK(two.server.received[0] == "one");
  CHECK(two.server.join(group, interface, source));  // a second time
  REQUIRE(!two.server.leave(group, interface, source));
  two.client.send("two", to);
  two.client.send("three", here.with_port(two.server.address().port()));
  world.run_until("the last arrived", [&] { return two.server.received.size() == 2; });
  CHECK(two.server.received[1] == "three");
  CHECK(two.server.leave(group, interface, source));
  CHECK(two.server.join(Address(), interface) == proa::Error::bad_address);
}

// Without a route for groups on the loopback interface nothing is delivered there.
TEST_CASE("groups of IPv6 are joined and left", "[datagram]") {
  const Address group =
      Address::ipv6({0xff, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x77, 0x07}, 0);
  World world;
  Two two(world);
  const std::uint32_t interface = loopback_interface();
  REQUIRE(!two.server.bind(Address::ipv6({}, 0)));
  REQUIRE(!two.server.set_multicast(interface, 1, true));
  CHECK(!two.server.join(group, interface));
  CHECK(two.server.join(group, interface));
  CHECK(!two.server.leave(group, interface));
  CHECK(two.server.leave(group, interface));
}

// What is set for the interface, the hops and the loop counts for both kinds of group. FreeBSD and
// macOS have no groups of IPv4 on such sockets.
TEST_CASE("an IPv6 socket has groups of IPv4 too", "[datagram]") {
  const Address group = Address::ipv4({239, 255, 77, 8}, 0);
  const Address mapped =
      Address::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 239, 255, 77, 8}, 0);
  World world;
  Two two(world);
  const std::uint32_t interface = loopback_interface();
  proa::DatagramOptions options;
  options.v6_only = false;
  REQUIRE(!two.server.bind(Address::ipv6({}, 0), options));
  REQUIRE(!two.client.bind(Address::ipv6({}, 0), options));
  REQUIRE(!two.client.set_multicast(interface, 1, true));
  const std::error_code joined = two.server.join(group, interface);
  if (over_kqueue()) {
    CHECK(joined == std::errc::address_family_not_supported);
    CHECK(two.server.leave(group, interface) == std::errc::address_family_not_supported);
    return;
  }
  REQUIRE(!joined);
  two.client.send("one", mapped.with_port(two.server.address().port()));
  world.run_until("it arrived", [&] { return two.server.received.size() == 1; });
  CHECK(two.server.received[0] == "one");
  CHECK(!two.server.leave(group, interface));
}

TEST_CASE("a broadcast must be asked for", "[datagram]") {
  World world;
  Two two(world);
  REQUIRE(!two.server.bind(Address::ipv4({0, 0, 0, 0}, 0)));
  const Address to = Address::ipv4({127, 255, 255, 255}, two.server.address().port());
  proa::DatagramOptions options;
  options.broadcast = GENERATE(false, true);
  REQUIRE(!two.client.bind(Address::loopback(0), options));
  two.client.send("all", to);
  world.run_until("it is told", [&] { return two.client.results.size() == 1; });
  if (!options.broadcast) {
    CHECK(two.client.results[0].error == std::errc::permission_denied);
    return;
  }
  CHECK(!two.client.results[0].error);
  world.run_until("it arrived", [&] { return two.server.received.size() == 1; });
}

TEST_CASE("a datagram above the path's size is not cut when that is asked", "[datagram]") {
  World world;
  Two two(world);
  REQUIRE(!two.server.bind(Address::loopback(0)));
  proa::DatagramOptions options;
  options.keep_whole = true;
  options.send_traffic_class = 0x2a;
  REQUIRE(!two.client.connect(two.server.address(), options));
  const int mtu = two.client.path_mtu();
  CHECK(mtu >= 1280);
  const std::string large(65507, 'x');
  two.client.send(proa::Bytes(large.data(), static_cast<std::size_t>(mtu) - 28));
  world.run_until("it is told", [&] { return two.client.results.size() == 1; });
  CHECK(!two.client.results[0].error);
  CHECK(two.server.path_mtu() == 0);
}

}  // namespace
