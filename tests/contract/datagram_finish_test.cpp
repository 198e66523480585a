// The gentle end of a datagram handler: what is queued goes out and is told, then it closes (R6).
#include <unistd.h>

#include "contract/endpoint_rig.hpp"

namespace {

using namespace proa_test;
using proa::Address;

std::string fresh_path() {
  static int number = 0;
  const char* const folder = std::getenv("TMPDIR");
  return (folder ? folder : std::string("/tmp")) + "/proa-finish-" + std::to_string(::getpid()) +
         "-" + std::to_string(++number);
}

// A socket of a path, and one that is connected to it.
struct Paths {
  ~Paths() { ::unlink(name.c_str()); }
  std::string name = fresh_path();
  Address address() const { return Address::unix_path(name); }
};

TEST_CASE("finish() sends the queued datagrams, tells them, then closes", "[datagram][R2][R6]") {
  Paths paths;
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world, paths.address());
  Endpoint& client = endpoints.connected(world, paths.address());
  constexpr std::size_t number = 1000;  // more than the receiver's queue has room for
  SECTION("many") {}
  SECTION("after waiting for room") {
    server.stop_receiving();
    turns(world, 5);
  }
  SECTION("although on_sent() throws") {
    client.sent = [&](const proa::Result&) {
      if (client.results.size() % 100 == 0) throw std::runtime_error("thrown by a handler");
    };
  }
  send_numbers(client, {}, number);
  client.finish();
  CHECK(client.finishing());
  client.send("behind it");
  client.finish();
  client.start_receiving();
  for (int i = 0; i < 20; ++i) {
    try {
      world.turn();
    } catch (const std::runtime_error&) {
    }
  }
  server.start_receiving();
  const auto limit = world.in(hang);
  while (client.closed == 0 && world.system().now() < limit) {
    try {
      world.turn();
    } catch (const std::runtime_error&) {
    }
  }
  REQUIRE(client.closed == 1);
  wait_received(world, server, number);
  CHECK(server.received == numbers(number));
  REQUIRE(client.results.size() == number + 1);
  CHECK(client.failures() == 1);
  CHECK(client.results.back().error == proa::Error::closing);
  CHECK(!client.is_open());
  CHECK(!client.finishing());
  CHECK(!client.connect(paths.address()));  // it is as new
}

TEST_CASE("behind finish() no datagram is told", "[datagram][R6]") {
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.bound(world);
  std::size_t before = 0;
  server.sent = [&](const proa::Result&) {
    if (client.finishing()) return;
    before = client.received.size();
    client.send("the last", server.address());
    client.finish();
  };
  send_numbers(server, client.address(), 10);
  wait_closed(world, client);
  CHECK(client.received.size() == before);
  CHECK(client.results.size() == 1);
  wait_received(world, server, 1);
}

TEST_CASE("finish() of datagrams waits no longer than the linger time for room",
          "[datagram][R2][R6]") {
  Paths paths;
  Endpoints endpoints;
  proa::Options with = options();
  with.linger = 50ms;
  World world(with);
  Endpoint& server = endpoints.bound(world, paths.address());
  Endpoint& client = endpoints.connected(world, paths.address());
  server.stop_receiving();
  turns(world, 5);
  send_numbers(client, {}, 1000);
  client.finish();
  wait_closed(world, client);
  CHECK(client.results.size() < 1000);
  CHECK(client.failures() == 0);
}

TEST_CASE("finish() of datagrams sends what has room, however short the linger time is",
          "[datagram][R2][R6][R7]") {
  Endpoints endpoints;
  proa::Options with = options();
  with.linger = GENERATE(0ns, 1ns);
  World world(with);
  constexpr std::size_t number = 200;  // several batches
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.bound(world);
  SECTION("at once") {}
  SECTION("in on_receive()") {
    client.receive = [&](proa::Buffer&, const Address&) {
      send_numbers(client, server.address(), number);
      client.finish();
    };
    server.send("begin", client.address());
  }
  if (!client.receive) {
    send_numbers(client, server.address(), number);
    client.finish();
  }
  wait_closed(world, client);
  CHECK(client.failures() == 0);
  CHECK(client.results.size() == number);
  wait_received(world, server, number);
}

TEST_CASE("finish() with nothing to send closes", "[datagram][R6]") {
  Endpoints endpoints;
  World world;
  Endpoint& client = endpoints.add(world);
  const std::string state = GENERATE("idle", "bound", "an error is due");
  if (state != "idle") REQUIRE(!client.bind(Address::loopback(0)));
  if (state == "an error is due") client.send("to nobody");
  client.finish();
  wait_closed(world, client);
  CHECK(client.closed == 1);
  CHECK(client.failures() == (state == "an error is due"));
}

}  // namespace
