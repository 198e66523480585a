// UNIX datagrams: unlike those of UDP none is dropped, so a reader that is late holds up the
// sender.
#include <cerrno>

#include "contract/datagram_rig.hpp"
#include "support/faults.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;
using proa::Address;

TEST_CASE("a UNIX reader that is late gets all, and the loop sleeps meanwhile",
          "[datagram][R5][R8][R11]") {
  World world;
  Two two(world);
  const Address to = world.local_name();
  REQUIRE(!two.server.bind(to));
  two.server.stop_receiving();
  world->run_once(0ms);
  const bool connected = GENERATE(false, true);
  CAPTURE(connected);
  if (connected) {
    REQUIRE(!two.client.connect(to));
  } else {
    REQUIRE(!two.client.bind(world.local_name()));
  }

  constexpr std::size_t number = 1000;  // no queue is so long (net.unix.max_dgram_qlen)
  std::vector<std::string> sent;
  for (std::size_t i = 0; i < number; ++i) {
    sent.push_back(pattern(static_cast<std::uint32_t>(i), 100));
    two.client.send(proa::Bytes(sent.back()), connected ? Address() : to);
  }
  world.run_until("some are sent", [&] { return !two.client.results.empty(); });
  const std::uint64_t before = world->counters().waits;
  const auto until = world.in(200ms);
  while (world.system().now() < until) world->run_once(until - world.system().now());
  // A try each 2 ms at most, which wakes the loop once or twice; a spin has tens of thousands.
  CHECK(world->counters().waits - before <= 500);
  CHECK(two.client.results.size() < number);
  CHECK(two.server.received.empty());

  two.server.start_receiving();
  world.run_until("all arrived", [&] { return two.server.received.size() == number; });
  CHECK(two.server.received == sent);
  world.run_until("all is told", [&] { return two.client.results.size() == number; });
  for (const proa::Result& result : two.client.results) CHECK(!result.error);
  CHECK(two.client.told.empty());
}

TEST_CASE("a UNIX reader without room may be called ENOBUFS, and is waited for",
          "[datagram][R11][R12]") {
  Faults faults;
  World world;
  Two two(world);
  const Address to = world.local_name();
  REQUIRE(!two.server.bind(to));
  const bool connected = GENERATE(false, true);
  if (connected) {
    REQUIRE(!two.client.connect(to));
  } else {
    REQUIRE(!two.client.bind(world.local_name()));
  }
  faults.fail(Call::sendmmsg, -ENOBUFS, 1, 3);
  two.client.send("late", connected ? Address() : to);
  world.run_until("it arrived", [&] { return two.server.received.size() == 1; });
  world.run_until("it is told", [&] { return two.client.results.size() == 1; });
  CHECK(!two.client.results[0].error);
  CHECK(two.client.told.empty());
  CHECK(faults.injected() == 3);
}

TEST_CASE("what waits for a UNIX reader ends with the handler", "[datagram][R6]") {
  World world;
  Two two(world);
  const Address to = world.local_name();
  REQUIRE(!two.server.bind(to));
  two.server.stop_receiving();
  REQUIRE(!two.client.bind(world.local_name()));
  for (int i = 0; i < 1000; ++i) two.client.send("x", to);
  world.run_until("some are sent", [&] { return !two.client.results.empty(); });
  world->run_once(20ms);
  const std::size_t told = two.client.results.size();
  two.client.close();
  world.run_until("it is closed", [&] { return two.client.closed == 1; });
  CHECK(two.client.results.size() == told);
}

}  // namespace
