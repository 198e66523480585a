// Where datagrams come from and go to: both families on one socket, peers, ports that are taken.
#include "contract/endpoint_rig.hpp"
#include "support/plain.hpp"

namespace {

using namespace proa_test;
using proa::Address;

Address any6(std::uint16_t port = 0) { return Address::ipv6({}, port); }
Address any4(std::uint16_t port = 0) { return Address::ipv4({0, 0, 0, 0}, port); }
// ::ffff:127.0.0.1
Address mapped(std::uint16_t port) {
  return Address::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}, port);
}

TEST_CASE("a dual-stack socket has IPv4 datagrams from mapped addresses, and answers them",
          "[datagram][address]") {
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world, any6());
  server.receive = [&](proa::Buffer& data, const Address& from) {
    server.send(std::move(data), from);
  };
  const std::uint16_t port = server.address().port();
  Endpoint& four = endpoints.connected(world, Address::loopback(port));
  Endpoint& six = endpoints.connected(world, loopback6(port));
  four.send("over IPv4");
  wait_received(world, four, 1);
  six.send("over IPv6");
  wait_received(world, six, 1);
  CHECK(server.sources == std::vector<Address>{mapped(four.address().port()), six.address()});
  CHECK(four.received == Texts{"over IPv4"});
  CHECK(four.sources[0] == Address::loopback(port));
  CHECK(six.received == Texts{"over IPv6"});
}

TEST_CASE("a dual-stack socket tells what was asked for of IPv4 datagrams as well",
          "[datagram][address]") {
  Endpoints endpoints;
  proa::Options with = options();
  with.buffer_size = std::size_t{72} << 10;
  World world(with);
  proa::DatagramOptions all;
  all.destination = all.traffic_class = all.arrival = all.coalesce = true;
  Endpoint& server = endpoints.bound(world, any6(), all);
  proa::DatagramOptions marked;
  marked.send_traffic_class = 0x2a;
  Endpoint& four = endpoints.connected(world, Address::loopback(server.address().port()), marked);
  const std::string two = pattern(1, 1000);
  four.send_segments(proa::Bytes(two), 500);
  wait_received(world, server, 1);
  // In the family of its source.
  CHECK(server.infos[0].destination == mapped(0));
  CHECK(server.infos[0].interface == loopback_interface());
  CHECK(server.infos[0].traffic_class == 0x2a);
  CHECK(server.infos[0].arrived.count() > 0);
  if (server.received[0].size() == 1000) CHECK(server.infos[0].segment == 500);
}

TEST_CASE("v6_only leaves IPv4 to others", "[datagram][address]") {
  Endpoints endpoints;
  World world;
  proa::DatagramOptions options;
  options.v6_only = true;
  Endpoint& six = endpoints.bound(world, any6(), options);
  const std::uint16_t port = six.address().port();
  Endpoint& four = endpoints.bound(world, any4(port));
  Endpoint& client = endpoints.bound(world);
  Endpoint& client6 = endpoints.bound(world, loopback6());
  client.send("4", Address::loopback(port));
  client6.send("6", loopback6(port));
  wait_received(world, four, 1);
  wait_received(world, six, 1);
  CHECK(four.received == Texts{"4"});
  CHECK(six.received == Texts{"6"});
  // Without it the port is taken for both.
  Endpoint& both = endpoints.add(world);
  CHECK(both.bind(any6(port)) == std::errc::address_in_use);
}

TEST_CASE("a datagram to the unspecified address goes to this machine",
          "[datagram][address][R12]") {
  Endpoints endpoints;
  World world;
  const bool six = GENERATE(false, true);
  const bool connected = GENERATE(false, true);
  Endpoint& server = endpoints.bound(world, six ? loopback6() : Address::loopback(0));
  const std::uint16_t port = server.address().port();
  const Address unspecified = six ? any6(port) : any4(port);
  Endpoint& client = connected ? endpoints.connected(world, unspecified)
                               : endpoints.bound(world, six ? loopback6() : Address::loopback(0));
  client.send("one", connected ? Address() : unspecified);
  wait_told(world, client, 1);
  CHECK(!client.results[0].error);
  wait_received(world, server, 1);
  server.send("two", server.sources[0]);
  wait_received(world, client, 1);
  CHECK(client.sources[0] == server.address());
}

TEST_CASE("an address of another family fails that send alone", "[datagram][address]") {
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world);
  SECTION("IPv6, of an IPv4 socket") {
    Endpoint& client = endpoints.bound(world);
    client.send("one", server.address());
    client.send("wrong", loopback6(server.address().port()));
    client.send("three", server.address());
    wait_told(world, client, 3);
    CHECK(client.results[1].error == std::errc::address_family_not_supported);
    CHECK(client.failures() == 1);
    CHECK(client.errors() == 1);
  }
  SECTION("UNIX, of an IPv4 socket") {
    Endpoint& client = endpoints.bound(world);
    client.send("one", server.address());
    client.send("wrong", Address::abstract("proa-nobody"));
    client.send("three", server.address());
    wait_told(world, client, 3);
    CHECK(client.results[1].error);
    CHECK(client.failures() == 1);
  }
  SECTION("IPv4, of a socket that is IPv6 only") {
    proa::DatagramOptions options;
    options.v6_only = true;
    Endpoint& server6 = endpoints.bound(world, loopback6());
    Endpoint& client = endpoints.bound(world, loopback6(), options);
    client.send("one", server6.address());
    client.send("wrong", server.address());
    client.send("three", server6.address());
    wait_told(world, client, 3);
    CHECK(client.results[1].error);
    CHECK(client.failures() == 1);
    wait_received(world, server6, 2);
    CHECK(server6.received == Texts{"one", "three"});
    return;
  }
  wait_received(world, server, 2);
  CHECK(server.received == Texts{"one", "three"});
}

TEST_CASE("a connected socket hears its peer alone", "[datagram][address]") {
  Endpoints endpoints;
  World world;
  Endpoint& peer = endpoints.bound(world);
  Endpoint& stranger = endpoints.bound(world);
  Endpoint& client = endpoints.connected(world, peer.address());
  stranger.send("from a stranger", client.address());
  wait_told(world, stranger, 1);
  peer.send("from its peer", client.address());
  wait_received(world, client, 1);
  turns(world, 5);
  CHECK(client.received == Texts{"from its peer"});
  CHECK(client.sources[0] == peer.address());
}

TEST_CASE("a bound socket can be connected, and keeps its address", "[datagram][address]") {
  Endpoints endpoints;
  World world;
  Endpoint& peer = endpoints.bound(world);
  Endpoint& stranger = endpoints.bound(world);
  Endpoint& client = endpoints.bound(world);
  const Address address = client.address();
  stranger.send("before", address);
  wait_received(world, client, 1);
  REQUIRE(!client.connect(peer.address()));
  CHECK(client.address() == address);
  stranger.send("after", address);
  wait_told(world, stranger, 2);
  client.send("to the peer");
  client.send("elsewhere", stranger.address());
  wait_told(world, client, 2);
  CHECK(!client.results[0].error);
  CHECK(client.results[1].error == std::errc::already_connected);
  wait_received(world, peer, 1);
  CHECK(peer.sources[0] == address);
  peer.send("from the peer", address);
  wait_received(world, client, 2);
  CHECK(client.received == Texts{"before", "from the peer"});
  CHECK(client.connect(stranger.address()) == std::errc::device_or_resource_busy);
}

TEST_CASE("connect() drops what others than the peer had sent", "[datagram][address]") {
  Endpoints endpoints;
  World world;
  const bool stopped = GENERATE(false, true);
  const auto [of_peer, of_client] =
      GENERATE(std::pair{"127.0.0.1:0", "127.0.0.1:0"}, std::pair{"[::1]:0", "[::1]:0"},
               std::pair{"[::ffff:127.0.0.1]:0", "[::]:0"}, std::pair{"127.0.0.1:0", "0.0.0.0:0"});
  CAPTURE(of_peer, of_client, stopped);
  Endpoint& peer = endpoints.bound(world, Address::parse(of_peer));
  Endpoint& stranger = endpoints.bound(world, Address::parse(of_peer));
  Endpoint& client = endpoints.bound(world, Address::parse(of_client));
  const Address to = peer.address().with_port(client.address().port());
  if (stopped) {
    client.stop_receiving();
    turns(world, 2);
  }
  // In the socket, or at the backend, when connect() is called.
  const proa::Descriptor raw = bound_socket(world, Address::parse(of_peer)).descriptor();
  REQUIRE(world.system().connect(raw, to) == 0);
  REQUIRE(world.system().send(raw, "from a stranger") > 0);
  if (stopped) {
    stranger.send("from a stranger", to);
    peer.send("from the peer", to);
    wait_told(world, stranger, 1);
    wait_told(world, peer, 1);
  }
  REQUIRE(!client.connect(peer.address()));
  client.start_receiving();
  stranger.send("from a stranger, afterwards", to);
  peer.send("from the peer, afterwards", to);
  const std::size_t number = stopped ? 2 : 1;
  wait_received(world, client, number);
  turns(world, 5);
  CHECK(client.received.size() == number);
  for (const Address& source : client.sources) CHECK(source == peer.address());
  client.close();
  wait_closed(world, client);
  // Another life has no peer.
  REQUIRE(!client.bind(Address::parse(of_client)));
  stranger.send("to the next life", peer.address().with_port(client.address().port()));
  wait_received(world, client, number + 1);
}

TEST_CASE("T06: a port that is taken, and who says so", "[datagram][address][T06]") {
  Endpoints endpoints;
  World world;
  Endpoint& holder = endpoints.bound(world);
  Endpoint& other = endpoints.add(world);
  std::string detail;
  CHECK(other.bind(holder.address(), {}, &detail) == std::errc::address_in_use);
  CHECK(detail.find(holder.address().to_string()) != std::string::npos);
  CHECK(!other.is_open());
  // Not one of this machine's (RFC 5737).
  CHECK(other.bind(Address::parse("192.0.2.1:0"), {}, &detail) == std::errc::address_not_available);
  CHECK(detail.find("192.0.2.1:0") != std::string::npos);
  CHECK(other.bind(Address(), {}, &detail) == proa::Error::bad_address);
  CHECK(!detail.empty());
  // What failed may be tried again.
  CHECK(!other.bind(Address::loopback(0), {}, &detail));
  CHECK(detail.empty());
  CHECK(other.bind(Address::loopback(0)) == std::errc::device_or_resource_busy);
  other.send("works", holder.address());
  wait_received(world, holder, 1);
}

TEST_CASE("a handler that was closed can be bound again, to the same port",
          "[datagram][address][R6]") {
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.bound(world);
  const Address address = server.address();
  for (std::size_t i = 1; i <= 20; ++i) {
    client.send(proa::Bytes(std::to_string(i)), address);
    wait_received(world, server, i);
    server.send("unsent, perhaps", client.address());
    server.close();
    CHECK(server.bind(address) == proa::Error::closing);
    CHECK(server.connect(address) == proa::Error::closing);
    world.run_until("it is closed", [&] { return server.closed == static_cast<int>(i); });
    REQUIRE(!server.bind(address));
    CHECK(server.queued() == 0);
  }
  CHECK(server.received == numbers(20, 1));
}

TEST_CASE("verbs of a handler that is not open do nothing", "[datagram][R1]") {
  Endpoints endpoints;
  World world;
  Endpoint& idle = endpoints.add(world);
  idle.send("nothing", Address::loopback(1));
  idle.send(world->take_buffer(), Address::loopback(1));
  idle.stop_receiving();
  idle.start_receiving();
  CHECK(!idle.is_open());
  CHECK(idle.queued() == 0);
  CHECK(world->run() == 0);
  CHECK(idle.results.empty());
}

}  // namespace
