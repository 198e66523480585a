// What callbacks of datagram handlers throw leaves run(), and the next run() delivers the rest.
#include <stdexcept>

#include "contract/endpoint_rig.hpp"

namespace {

using namespace proa_test;
using proa::Address;

struct Thrown : std::runtime_error {
  Thrown() : runtime_error("thrown by a handler") {}
};

// Turns the proactor until `holds`, and counts the exceptions that come out.
std::size_t thrown_until(World& world, const std::string& what,
                         const std::function<bool()>& holds) {
  const auto limit = std::chrono::steady_clock::now() + hang;
  std::size_t thrown = 0;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > limit) FAIL("waited in vain until " << what);
    try {
      world->run_once(1ms);
    } catch (const Thrown&) {
      ++thrown;
    }
  }
  return thrown;
}

constexpr std::size_t number = 100;

TEST_CASE("C07: what on_receive throws, every time", "[datagram][C07]") {
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.connected(world, server.address());
  const bool keeps = GENERATE(false, true);
  std::vector<proa::Buffer> kept;
  server.receive = [&](proa::Buffer& data, const Address&) {
    if (keeps && kept.size() < 10) kept.push_back(std::move(data));
    throw Thrown();
  };
  send_numbers(client, {}, number);
  CHECK(thrown_until(world, "all arrived", [&] { return server.received.size() == number; }) ==
        number);
  CHECK(server.received == numbers(number));
}

TEST_CASE("C07: what on_sent throws, every time", "[datagram][C07]") {
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.connected(world, server.address());
  client.sent = [](const proa::Result&) { throw Thrown(); };
  Texts expected;
  for (std::size_t i = 0; i < number; ++i) {
    const std::string text = std::to_string(i);
    // Some fail before they are sent, some in the kernel.
    if (i % 7 == 3) {
      client.send(proa::Bytes(text), server.address());
    } else if (i % 11 == 5) {
      client.send(proa::Bytes(std::string(65520, 'x')));
    } else {
      client.send(proa::Bytes(text));
      expected.push_back(text);
    }
  }
  CHECK(thrown_until(world, "all is told", [&] { return client.results.size() == number; }) ==
        number);
  CHECK(client.failures() == number - expected.size());
  wait_received(world, server, expected.size());
  CHECK(server.received == expected);
  CHECK(client.queued() == 0);
}

TEST_CASE("C07: what on_error, on_drained and on_closed throw", "[datagram][C07]") {
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.connected(world, server.address());
  const Address address = server.address();
  SECTION("on_error") {
    server.close();
    wait_closed(world, server);
    client.failed = [](std::error_code) { throw Thrown(); };
    client.send("one");
    CHECK(thrown_until(world, "it is told", [&] { return !client.told.empty(); }) == 1);
    REQUIRE(!server.bind(address));
    server.send("alive", client.address());
    wait_received(world, client, 1);
  }
  SECTION("on_drained") {
    client.drained = [] { throw Thrown(); };
    const std::string large = pattern(1, 3000);
    for (std::size_t i = 0; i < number; ++i) client.send(proa::Bytes(large));
    CHECK(thrown_until(world, "it is drained", [&] { return client.drains == 1; }) == 1);
    CHECK(client.results.size() == number);
    client.send("alive");
    world.run_until("it is told", [&] { return client.results.size() == number + 1; });
    CHECK(client.drains == 1);
  }
  SECTION("on_closed") {
    client.gone = [] { throw Thrown(); };
    client.close();
    CHECK(thrown_until(world, "it is closed", [&] { return client.closed == 1; }) == 1);
    CHECK(!client.is_open());
  }
}

TEST_CASE("C07: one datagram handler's exception does not cost others their callbacks",
          "[datagram][C07]") {
  Endpoints endpoints;
  World world;
  Endpoint& client = endpoints.bound(world);
  std::vector<Endpoint*> servers;
  for (int i = 0; i < 20; ++i) {
    Endpoint& server = endpoints.bound(world);
    if (i % 2 == 0) server.receive = [](proa::Buffer&, const Address&) { throw Thrown(); };
    servers.push_back(&server);
  }
  for (Endpoint* const server : servers) client.send("x", server->address());
  const std::size_t thrown = thrown_until(world, "all have received", [&] {
    return std::all_of(servers.begin(), servers.end(),
                       [](const Endpoint* server) { return server->received.size() == 1; });
  });
  CHECK(thrown == 10);
}

}  // namespace
