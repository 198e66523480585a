// Datagrams to nets that cannot be reached (U10). Linux can give a test a network of its own.
#include "contract/endpoint_rig.hpp"
#include "contract/network_rig.hpp"

namespace {

using namespace proa_test;
using proa::Address;

const Address nowhere = Address::parse("192.0.2.1:9");  // RFC 5737

TEST_CASE("U10: 1,000 sends to an unreachable net each complete, and the loop does not stall",
          "[datagram][R2][U10]") {
  Namespace network;
  const bool route = GENERATE(false, true);
  // Without one there is no way at all; this one says so itself.
  if (route) network.ip("route add unreachable 192.0.2.0/24");
  if (!network.why_not().empty()) return skip(network.why_not());
  Endpoints endpoints;
  Timing timer;
  World world;
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.bound(world, Address::ipv4({0, 0, 0, 0}, 0));
  const Address good = server.address();
  std::size_t before = 0;
  std::size_t most = 0;  // sends that were told while the timer, due at once, waited
  timer.then = [&] {
    most = std::max(most, client.results.size() - before);
    before = client.results.size();
    world.submit(timer.request, world.in(0ms));
  };
  world.submit(timer.request, world.in(0ms));
  constexpr std::size_t number = 1000;
  for (std::size_t i = 0; i < number; ++i) {
    client.send(proa::Bytes(std::to_string(i)), nowhere);
    if (i % 20 == 0) client.send(proa::Bytes(std::to_string(i / 20)), good);
  }
  wait_told(world, client, number + 50);
  wait_received(world, server, 50);
  CHECK(server.received == numbers(50));
  CHECK(client.failures() == number);
  for (std::size_t i = 0; i < client.results.size(); ++i) {
    const bool failed = bool(client.results[i].error);
    CHECK(failed == (client.targets[i] == nowhere));
    if (!failed) continue;
    CHECK(client.results[i].error ==
          (route ? std::errc::host_unreachable : std::errc::network_unreachable));
  }
  CHECK(client.errors() == number);
  CHECK(timer.results.size() > 0);
  CHECK(most <= number / 10);
  client.send("well", good);
  wait_received(world, server, 51);
  timer.then = nullptr;
}

TEST_CASE("connecting to an unreachable net fails, and says so", "[datagram]") {
  const Namespace network;
  if (!network.why_not().empty()) return skip(network.why_not());
  Endpoints endpoints;
  World world;
  Endpoint& client = endpoints.add(world);
  std::string detail;
  CHECK(client.connect(nowhere, {}, &detail) == std::errc::network_unreachable);
  CHECK(detail.find("192.0.2.1:9") != std::string::npos);
  CHECK(!client.is_open());
  REQUIRE(!client.bind(Address::ipv4({0, 0, 0, 0}, 0)));
  CHECK(client.connect(nowhere) == std::errc::network_unreachable);
  CHECK(client.is_open());
  client.send("to itself", Address::loopback(client.address().port()));
  wait_received(world, client, 1);
}

}  // namespace
