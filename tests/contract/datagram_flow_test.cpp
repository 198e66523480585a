// Flow of datagrams: receiving that is stopped and goes on, a pool that is used up, limits of what
// is queued.

#include <random>
#include <thread>

#include "contract/endpoint_rig.hpp"

namespace {

using namespace proa_test;
using proa::Address;

TEST_CASE("stopped and started many times under traffic, it loses nothing and keeps the order",
          "[datagram][R5]") {
  Endpoints endpoints;
  proa::Options with = options();
  with.round_budget = GENERATE(std::size_t{4}, std::size_t{512});
  const bool udp = GENERATE(true, false);
  World world(with);
  Endpoint& server = endpoints.bound(world, udp ? Address::loopback(0) : world.local_name());
  Endpoint& client = endpoints.connected(world, server.address());
  constexpr std::size_t number = 4000;
  constexpr std::size_t window = 64;  // far less than the socket's buffer holds
  std::size_t next = 0;
  std::size_t stops = 0;
  std::minstd_rand random(1);
  bool starting = false;
  const auto start_later = [&] {
    if (std::exchange(starting, true)) return;
    REQUIRE(world->post([&] {
      starting = false;
      server.start_receiving();
    }));
  };
  server.receive = [&](proa::Buffer&, const Address&) {
    const unsigned dice = static_cast<unsigned>(random() >> 8) % 16;
    if (dice > 4) return;
    ++stops;
    server.stop_receiving();
    if (dice == 0) return server.start_receiving();
    start_later();
    if (dice == 1) {
      server.start_receiving();
      server.stop_receiving();
    }
  };
  world.run_until("all arrived", [&] {
    for (; next < number && next < server.received.size() + window; ++next) {
      client.send(proa::Bytes(std::to_string(next)));
    }
    if (random() % 4 == 0) {
      server.stop_receiving();
      start_later();
    }
    return server.received.size() >= number;
  });
  CHECK(server.received == numbers(number));
  CHECK(stops > number / 10);
  CHECK(client.failures() == 0);
}

TEST_CASE("what comes while an earlier receive is still being ended waits for its turn",
          "[datagram][R5]") {
  Endpoints endpoints;
  proa::Options with = options();
  with.round_budget = 4;  // so that some are kept, and some not yet looked at
  World world(with);
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.connected(world, server.address());
  turns(world, 3);
  server.receive = [&](proa::Buffer&, const Address&) {
    if (server.received.size() != 1) return;
    server.stop_receiving();
    REQUIRE(world->post([&] { server.start_receiving(); }));
  };
  send_numbers(client, {}, 40);
  wait_received(world, server, 40);
  CHECK(server.received == numbers(40));
}

TEST_CASE("a pool that is used up makes receiving wait, and nothing is lost", "[datagram][R11]") {
  Endpoints endpoints;
  proa::Options with = options();
  with.buffers = GENERATE(std::size_t{2}, std::size_t{16});
  World world(with);
  std::vector<proa::Buffer> kept;
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.connected(world, server.address());
  constexpr std::size_t number = 100;
  bool keeping = true;
  server.receive = [&](proa::Buffer& data, const Address&) {
    if (keeping) kept.push_back(std::move(data));
  };
  send_numbers(client, {}, number);
  wait_told(world, client, number);
  wait_received(world, server, 1);
  turns(world, 10);
  CHECK(kept.size() <= with.buffers);
  CHECK(server.received.size() < number);
  world.run_until("it waits", [&] { return world->counters().buffers_missed > 0; });
  // It sleeps meanwhile.
  const std::uint64_t rounds = world->counters().rounds;
  const proa::TimePoint until = world.in(30ms);
  world.run_until("some time passed", [&] { return world.system().now() >= until; });
  CHECK(world->counters().rounds - rounds < 100);
  SECTION("given back by the loop's thread") {
    keeping = false;
    kept.clear();
    wait_received(world, server, number);
  }
  SECTION("given back one at a time") {
    world.run_until("all arrived", [&] {
      if (!kept.empty()) kept.erase(kept.begin());
      return server.received.size() == number;
    });
  }
  CHECK(server.received == numbers(number));
  kept.clear();
}

TEST_CASE("buffers that another thread gives back let receiving go on",
          "[datagram][R9][R11][thread]") {
  Endpoints endpoints;
  proa::Options with = options();
  with.buffers = 4;
  World world(with);
  std::vector<proa::Buffer> kept;
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.connected(world, server.address());
  bool keeping = true;
  server.receive = [&](proa::Buffer& data, const Address&) {
    if (keeping) kept.push_back(std::move(data));
  };
  send_numbers(client, {}, 50);
  wait_told(world, client, 50);
  world.run_until("it waits", [&] { return world->counters().buffers_missed > 0; });
  turns(world, 5);
  keeping = false;
  std::thread other([&kept] { kept.clear(); });
  // Nothing else wakes the loop.
  while (server.received.size() < 50 && world->run_once(hang) > 0) continue;
  other.join();
  CHECK(server.received == numbers(50));
}

TEST_CASE("above its limit a datagram is not queued, and says so in its turn", "[datagram]") {
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.connected(world, server.address());
  client.set_limit(20000);
  const std::string large = pattern(1, 3000);
  const bool buffers = GENERATE(false, true);
  for (int i = 0; i < 12; ++i) {
    if (buffers) {
      proa::Buffer buffer = world->take_buffer();
      buffer.append(large);
      client.send(std::move(buffer));
    } else {
      client.send(proa::Bytes(large));
    }
    CHECK(client.queued() <= 20000);
  }
  const std::size_t queued = client.queued();
  CHECK(queued > 12000);
  CHECK(client.results.empty());  // R1
  wait_told(world, client, 12);
  const std::size_t taken = 12 - client.failures();
  CHECK(taken >= 3);
  CHECK(taken < 7);
  for (std::size_t i = 0; i < 12; ++i) {
    CHECK(client.results[i].bytes == (i < taken ? 3000 : 0));
    if (i >= taken) CHECK(client.results[i].error == proa::Error::write_limit);
  }
  CHECK(client.errors() == client.failures());
  client.send("fits again");
  wait_received(world, server, taken + 1);
  CHECK(server.received.back() == "fits again");
  CHECK(client.queued() == 0);
}

TEST_CASE("a buffer that found no block is a send that fails, in its place", "[datagram][R2]") {
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world, Address::loopback(0));
  Endpoint& client = endpoints.connected(world, server.address());
  client.send("first");
  client.send(proa::Buffer());
  client.send_segments(proa::Buffer(), 100);
  client.send("last");
  wait_told(world, client, 4);
  wait_received(world, server, 2);
  CHECK(client.results[1].error == std::errc::no_buffer_space);
  CHECK(client.results[2].error == std::errc::no_buffer_space);
  CHECK(client.errors() == 2);
  CHECK(server.received == std::vector<std::string>{"first", "last"});
}

TEST_CASE("on_drained comes once after much was queued, and not after little", "[datagram]") {
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world, world.local_name());
  Endpoint& client = endpoints.connected(world, server.address());
  const std::string large = pattern(1, 3000);
  for (int i = 0; i < 20; ++i) client.send(proa::Bytes(large));
  CHECK(client.queued() >= 60000);
  wait_told(world, client, 20);
  turns(world, 3);
  CHECK(client.drains == 0);
  for (std::size_t round = 1; round <= 2; ++round) {
    const std::size_t told = client.results.size();
    client.drained = [&] {
      CHECK(client.queued() == 0);
      CHECK(client.results.size() == told + 120);
    };
    for (int i = 0; i < 120; ++i) client.send(proa::Bytes(large));
    CHECK(client.queued() > 256 << 10);
    world.run_until("it is drained", [&] { return client.drains == round; });
  }
  wait_received(world, server, 260);
  turns(world, 3);
  CHECK(client.drains == 2);
}

#ifdef __linux__
TEST_CASE("datagrams that the system has dropped are counted", "[datagram]") {
  Endpoints endpoints;
  World world;
  proa::DatagramOptions small;
  small.receive_buffer = 8192;
  Endpoint& server = endpoints.add(world);
  CHECK(server.dropped() == 0);
  REQUIRE(!server.bind(Address::loopback(0), small));
  Endpoint& client = endpoints.connected(world, server.address());
  server.stop_receiving();
  turns(world, 2);
  CHECK(server.dropped() == 0);
  constexpr std::size_t number = 200;
  const std::string text(1000, 'd');
  for (std::size_t i = 0; i < number; ++i) client.send(proa::Bytes(text));
  wait_told(world, client, number);
  CHECK(client.failures() == 0);
  CHECK(server.dropped() > 0);
  CHECK(server.dropped() < number);
  CHECK(client.dropped() == 0);
  server.start_receiving();
  wait_received(world, server, number - server.dropped());
  client.send("there is room again");
  world.run_until("the last has come",
                  [&] { return server.received.back() == "there is room again"; });
  CHECK(server.received.size() + server.dropped() == number + 1);
  server.close();
  wait_closed(world, server);
  CHECK(server.dropped() == 0);
}
#endif

}  // namespace
