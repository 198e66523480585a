// A socket that always has a datagram more takes its share and no more (R8).
#include <sys/socket.h>

#include <vector>

#include "contract/endpoint_rig.hpp"
#include "contract/fairness_rig.hpp"
#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Address;

TEST_CASE("M04: a flood of datagrams starves neither a stream nor a timer nor posts",
          "[datagram][R8][M04]") {
  Streams streams;
  Endpoints endpoints;
  Timing timer;
  proa::Options with = options();
  with.round_budget = 8;
  with.buffers = 512;
  World world(with);
  Endpoint& flood = endpoints.bound(world);
  Endpoint& modest = endpoints.bound(world);
  Endpoint& client = endpoints.connected(world, modest.address());
  auto [stream, far] = line(streams, world);
  stream.echoes = true;
  wait_open(world, stream);
  modest.receive = [&](proa::Buffer& data, const Address& from) {
    modest.send(std::move(data), from);
  };
  // What it receives it sends to itself: there is always more.
  const Address own = flood.address();
  std::size_t flooded = 0;
  flood.receive = [&](proa::Buffer& data, const Address&) {
    flood.received.clear();
    flood.sources.clear();
    flood.infos.clear();
    ++flooded;
    flood.send(std::move(data), own);
  };
  flood.sent = [&](const proa::Result&) {
    flood.results.clear();
    flood.targets.clear();
  };
  for (int i = 0; i < 100; ++i) flood.send("flood", own);
  for (int i = 0; i < 100; ++i) world->run_once(0ms);
  CHECK(flooded > 200);
  for (std::size_t i = 1; i <= 20; ++i) {
    far.send("x");
    far.turn();
    client.send("y");
    world.submit(timer.request, world->now());
    bool posted = false;
    REQUIRE(world->post([&posted] { posted = true; }));
    const std::size_t before = flooded;
    int rounds = 0;
    for (; rounds < 100; ++rounds) {
      world->run_once(0ms);
      far.turn();
      if (posted && timer.results.size() == i && far.received_bytes() == i &&
          client.received.size() == i) {
        break;
      }
    }
    CHECK(rounds < 100);
    CHECK(posted);
    CHECK(timer.results.size() == i);
    CHECK(far.received_bytes() == i);
    CHECK(client.received.size() == i);
    CHECK(flooded > before);
  }
}

TEST_CASE("M04: a socket that answers itself without end starves no stream",
          "[datagram][R8][M04]") {
  Source source;
  Streams streams;
  Endpoints endpoints;
  proa::Options with = options();
  with.buffers = 4096;  // enough for all that are under way
  World world(with);
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  Endpoint& flood = endpoints.bound(world);
  const Address own = flood.address();
  source.next = [] {};
  flood.receive = [&](proa::Buffer& data, const Address&) {
    flood.received.clear();
    flood.sources.clear();
    flood.infos.clear();
    flood.send(std::move(data), own);
    source.again();
  };
  flood.sent = [&](const proa::Result&) {
    flood.results.clear();
    flood.targets.clear();
  };
  for (int i = 0; i < 100; ++i) flood.send("flood", own);
  turns(world, 400);
  CHECK(most_turns(
            world, source, far, [] {}, 300) <= most_per_echo / 3);
}

// Of each socket the kernel would bring what has come for it, before it looks at the next one.
TEST_CASE("M04: bursts of datagrams on many sockets starve no quiet stream",
          "[datagram][R8][M04]") {
  constexpr std::size_t number = 32;
  constexpr std::size_t burst = 300;
  constexpr std::size_t bursts = 20;
  Streams streams;
  Endpoints endpoints;
  proa::Options with = options();
  with.buffers = 4096;  // enough for all
  if (configuration() == "uring") with.uring_release = GENERATE("", "6.16", "6.0");
  CAPTURE(with.uring_release);
  World world(with);
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  std::size_t received = 0;
  std::vector<Address> addresses;
  for (std::size_t i = 0; i < number; ++i) {
    Endpoint& flood = endpoints.add(world);
    proa::DatagramOptions roomy;
    roomy.receive_buffer = 1 << 20;
    REQUIRE(!flood.bind(Address::loopback(0), roomy));
    flood.receive = [&received, f = &flood](proa::Buffer&, const Address&) {
      f->received.clear();
      f->sources.clear();
      f->infos.clear();
      ++received;
    };
    addresses.push_back(flood.address());
  }
  proa::Socket& sender = bound_socket(world);
  turns(world, 5);
  const auto restarts = [&] {
    const proa::Counters counters = world->counters();
    return counters.rearmed + counters.buffers_missed;
  };
  const std::uint64_t restarts_before = restarts();
  for (std::size_t i = 1; i <= bursts; ++i) {
    CAPTURE(i);
    for (std::size_t n = 0; n < burst; ++n) {
      for (const Address& to : addresses) {
        REQUIRE(::sendto(sender.descriptor().number, "x", 1, 0,
                         static_cast<const sockaddr*>(to.data()),
                         static_cast<socklen_t>(to.size())) == 1);
      }
    }
    far.send("x");
    far.turn();
    const std::size_t before = received;
    for (int rounds = 0; rounds < 400 && far.received_bytes() < i; ++rounds) {
      world->run_once(0ms);
      far.turn();
    }
    REQUIRE(far.received_bytes() == i);
    // What a few rounds tell, and twice each of the others.
    CHECK(received - before <= most_per_echo + 2 * number);
    world.run_until("all have come", [&] { return received == i * number * burst; });
  }
  // Blocks are there for all: the receives do not begin again for each datagram.
  CHECK(restarts() - restarts_before <= received / 10);
}

TEST_CASE("a round delivers no more datagrams than its budget", "[datagram][R8]") {
  Endpoints endpoints;
  proa::Options with = options();
  with.round_budget = 5;
  World world(with);
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.connected(world, server.address());
  send_numbers(client, {}, 60);
  std::size_t seen = 0;
  std::size_t most = 0;
  world.run_until("all arrived", [&] {
    most = std::max(most, server.received.size() - seen);
    seen = server.received.size();
    return seen == 60;
  });
  CHECK(most <= 5);
  CHECK(server.received == numbers(60));
}

}  // namespace
