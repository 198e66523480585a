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

// What a client has sent while the server's loop stood still.
struct Stood {
  Stood(World& world, Endpoints& endpoints, const proa::DatagramOptions& with = {})
      : server(endpoints.bound(world, Address::loopback(0), with)), client(bound_socket(world)) {
    server.receive = [this](proa::Buffer& data, const Address& source) {
      server.send(std::move(data), source);
    };
    REQUIRE(world.system().connect(client.descriptor(), server.address()) == 0);
    turns(world, 3);
  }
  void send(World& world, std::size_t count) {
    for (const std::string& text : numbers(count)) {
      REQUIRE(world.system().send(client.descriptor(), text) > 0);
    }
  }
  Texts answers(World& world) {
    Texts texts;
    char memory[64];
    for (long got; (got = world.system().recv(client.descriptor(), {memory, sizeof memory})) >= 0;)
      texts.emplace_back(memory, static_cast<std::size_t>(got));
    return texts;
  }
  Endpoint& server;
  proa::Socket& client;
};

TEST_CASE("drain() of datagrams hears what had come, and answers it", "[datagram][R6][R7]") {
  Endpoints endpoints;
  proa::Options with = options();
  SECTION("with the usual budget") {}
  SECTION("with a small budget") { with.round_budget = 4; }
  SECTION("with few buffers") { with.buffers = 2; }
  World world(with);
  Stood stood(world, endpoints);
  constexpr std::size_t number = 100;
  stood.send(world, number);
  stood.server.drain();
  CHECK(stood.server.received.empty());
  stood.server.drain();
  wait_closed(world, stood.server);
  CHECK(stood.server.received == numbers(number));
  CHECK(stood.server.failures() == 0);
  CHECK(stood.answers(world) == numbers(number));
  CHECK(stood.server.closed == 1);
}

TEST_CASE("drain() of datagrams: verbs in the on_receive()s before on_drain()", "[datagram][R6]") {
  Endpoints endpoints;
  World world;
  Stood stood(world, endpoints);
  Endpoint& server = stood.server;
  std::size_t expected = 10;
  SECTION("stop_receiving() goes on to on_drain()") {
    expected = 3;
    server.receive = [&](proa::Buffer&, const Address&) {
      if (server.received.size() == 3) server.stop_receiving();
    };
  }
  SECTION("so does finish()") {
    expected = 3;
    server.receive = [&](proa::Buffer&, const Address&) {
      if (server.received.size() == 3) server.finish();
    };
  }
  SECTION("start_receiving() changes nothing") {
    server.receive = [&](proa::Buffer&, const Address&) { server.start_receiving(); };
  }
  SECTION("an exception loses nothing") {
    server.receive = [&](proa::Buffer&, const Address&) { throw std::runtime_error("thrown"); };
  }
  SECTION("receiving was stopped before") {
    expected = 0;
    server.stop_receiving();
    turns(world, 3);
  }
  stood.send(world, 10);
  server.drain();
  const auto limit = world.in(hang);
  while (server.closed == 0 && world.system().now() < limit) {
    try {
      world.turn();
    } catch (const std::runtime_error&) {
    }
  }
  CHECK(server.closed == 1);
  CHECK(server.received == numbers(expected));
}

TEST_CASE("a peer that sends on and on holds up no drain() of datagrams", "[datagram][R6][R8]") {
  Endpoints endpoints;
  World world;
  proa::DatagramOptions small;
  small.receive_buffer = 8192;
  Stood stood(world, endpoints, small);
  stood.server.receive = [&](proa::Buffer&, const Address&) { stood.send(world, 1); };
  stood.send(world, 5);
  stood.server.drain();
  wait_closed(world, stood.server);
  CHECK(stood.server.received.size() >= 5);
}

TEST_CASE("drain() of datagrams does not wait for ever for a buffer", "[datagram][R6][R11]") {
  Endpoints endpoints;
  std::list<proa::Buffer> kept;
  proa::Options with = options();
  with.buffers = 2;
  World world(with);
  Stood stood(world, endpoints);
  stood.server.receive = [&](proa::Buffer& data, const Address&) {
    kept.push_back(std::move(data));
  };
  stood.send(world, 5);
  stood.server.drain();
  wait_closed(world, stood.server);
  CHECK(kept.size() == 2);
  kept.clear();
}

TEST_CASE("a handler that goes on behind on_drain() receives", "[datagram][R6]") {
  struct Goes final : proa::DatagramHandler {
    using DatagramHandler::DatagramHandler;
    ~Goes() override = default;
    void on_receive(proa::Buffer&, const Address&, const proa::DatagramInfo&) override {
      ++received;
    }
    void on_drain() override { before = received; }
    void on_closed() override { closed = true; }
    std::size_t received = 0;
    std::size_t before = 1000;
    bool closed = false;
  };
  std::list<Goes> all;
  World world;
  Goes& server = all.emplace_back(*world);
  REQUIRE(!server.bind(Address::loopback(0)));
  proa::Socket& client = bound_socket(world);
  REQUIRE(world.system().connect(client.descriptor(), server.address()) == 0);
  turns(world, 3);
  const auto send = [&] { REQUIRE(world.system().send(client.descriptor(), "x") == 1); };
  send();
  server.drain();
  world.run_until("it was told", [&] { return server.before < 1000; });
  CHECK(server.before == 1);
  send();
  world.run_until("it receives", [&] { return server.received == 2; });
  server.finish();
  world.run_until("it is closed", [&] { return server.closed; });
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
