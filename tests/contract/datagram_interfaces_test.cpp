// Which address and which interface a datagram came to and leaves from, where there are several: in
// a network that the test makes.
#include <net/if.h>

#include "contract/endpoint_rig.hpp"
#include "contract/network_rig.hpp"

namespace {

using namespace proa_test;
using proa::Address;

// Two interfaces beside loopback, with an address of each family at once (no DAD).
void add_interfaces(Namespace& network) {
  for (const char* each : {"1", "2"}) {
    const std::string number = each;
    network.ip("link add proa" + number + " type veth peer name peer" + number)
        .ip("link set proa" + number + " addrgenmode none")
        .ip("address add 10.78." + number + ".1/24 brd + dev proa" + number)
        .ip("address add fe80::" + number + "/64 dev proa" + number + " nodad")
        .ip("link set peer" + number + " up")
        .ip("link set proa" + number + " up");
  }
}

proa::DatagramOptions telling() {
  proa::DatagramOptions options;
  options.destination = true;
  return options;
}

TEST_CASE("a group is joined and left on the interface of its scope", "[datagram][multicast]") {
  Namespace network;
  add_interfaces(network);
  if (!network.why_not().empty()) return skip(network.why_not());
  const std::uint32_t one = ::if_nametoindex("proa1");
  const std::uint32_t two = ::if_nametoindex("proa2");
  const Address group = Address::parse("[ff12::7708%proa2]:0");
  const Address plain = Address::parse("[ff12::7708]:0");
  CHECK(group.scope() == two);
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world, Address::parse("[::]:0"), telling());
  Endpoint& client = endpoints.bound(world, Address::parse("[::]:0"));
  CHECK(server.join(group, one) == std::errc::invalid_argument);
  REQUIRE(!server.join(group));
  const std::uint16_t port = server.address().port();
  client.send("to the scope", group.with_port(port));
  wait_received(world, server, 1);
  CHECK(server.infos[0].interface == two);
  CHECK(server.leave(plain, one));
  CHECK(server.leave(group, one) == std::errc::invalid_argument);
  CHECK(!server.leave(group));
  CHECK(server.leave(plain, two));
  REQUIRE(!server.join(group, two));
  CHECK(!server.leave(plain, two));
}

}  // namespace
