// Submit, and cancel while the completion is on its way: each operation completes exactly once, and
// no byte or connection is lost, whichever side wins (R4).
#include <random>
#include <thread>

#include "support/patterns.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

struct Outcomes {
  std::size_t succeeded = 0;
  std::size_t cancelled = 0;

  void check(std::size_t rounds) const {
    INFO("succeeded " << succeeded << ", cancelled " << cancelled);
    CHECK(succeeded + cancelled == rounds);
    // Fewer, and the test did not race.
    CHECK(succeeded >= rounds / 100);
    CHECK(cancelled >= rounds / 100);
  }
};

constexpr std::size_t races = 10000;

TEST_CASE("K01: 10,000 receives, each cancelled as its byte comes", "[R4][K01]") {
  Read read(1);
  World world;
  const Connection line = world.pair();
  Outcomes outcomes;
  std::minstd_rand random(1);
  std::size_t consumed = 0;
  bool sent = false;  // a byte is on its way that no receive has taken
  for (std::size_t i = 0; i < races; ++i) {
    world.submit(read.from(line.descriptor()));
    const std::size_t before = read.results.size();
    const unsigned dice = static_cast<unsigned>(random() >> 8) % 16;
    if (dice & 1u) world->run_once(0ns);
    const auto send_byte = [&] {
      const char byte = pattern_at(1, consumed);
      if (!sent) line.far.send({&byte, 1});
      line.far.turn();
      sent = true;
    };
    // The byte comes before the cancel, between it and the kernel's hearing of it, or too late.
    if (dice / 4 < 2) send_byte();
    if (dice & 2u && read.request.pending()) world->run_once(0ns);
    world->cancel(read.request);
    if (dice / 4 == 2) send_byte();
    world.run_until("the receive completed", [&] { return read.results.size() > before; });
    REQUIRE(read.results.size() == before + 1);
    if (!read.error()) {
      REQUIRE(read.bytes() == 1);
      REQUIRE(read.memory[0] == pattern_at(1, consumed));
      ++consumed;
      sent = false;
      ++outcomes.succeeded;
    } else {
      REQUIRE(read.error() == std::errc::operation_canceled);
      REQUIRE(read.bytes() == 0);
      ++outcomes.cancelled;
    }
  }
  outcomes.check(races);
  world.end();
}

TEST_CASE("K01: receives cancelled against a peer on another thread", "[R4][K01][thread]") {
  // The bytes come at any time, also between the cancel and its completion.
  Read read(16);
  std::atomic<bool> enough{false};
  std::atomic<std::size_t> sent{0};
  World world;
  const Connection line = world.pair();
  constexpr std::size_t rounds = 3000;
  std::thread sender([&] {
    std::size_t at = 0;
    while (!enough) {
      const std::string bytes = pattern(2, 1 + at % 5, at);
      const long moved = world.system().send(line.far.descriptor(), {bytes.data(), bytes.size()});
      if (moved > 0) at += static_cast<std::size_t>(moved);
      sent = at;
      for (std::size_t i = 0; i < at % 64; ++i) std::this_thread::yield();
    }
  });
  Outcomes outcomes;
  std::size_t received = 0;
  bool intact = true;
  for (std::size_t i = 0; i < rounds; ++i) {
    if (world->submit(read.from(line.descriptor()))) break;
    if (i % 3 != 0) world->run_once(0ns);
    world->cancel(read.request);
    while (read.request.pending()) world->run_once(1ms);
    intact = intact && read.results.size() == i + 1 &&
             first_difference(2, read.error() ? "" : read.text(), received) == no_difference;
    received += read.bytes();
    ++(read.error() ? outcomes.cancelled : outcomes.succeeded);
  }
  enough = true;
  sender.join();
  CHECK(intact);
  CHECK(outcomes.succeeded + outcomes.cancelled == rounds);
  line.far.half_close();
  while (true) {
    const std::size_t before = read.results.size();
    world.submit(read.from(line.descriptor()));
    world.run_until("the rest came", [&] { return read.results.size() > before; });
    if (read.bytes() == 0) break;
    CHECK(first_difference(2, read.text(), received) == no_difference);
    received += read.bytes();
  }
  CHECK(received == sent);
}

TEST_CASE("K01: accepts cancelled as the connection comes leak none", "[R4][K01]") {
  Accepting accept;
  std::size_t accepted = 0;
  World world;
  proa::Socket& listener = world.listen();
  const proa::Address address = listener.local_address();
  accept.then = [&] {
    if (!accept.error()) {
      CHECK(accept.request.socket().valid());
      accept.request.socket().close();
      ++accepted;
    } else {
      CHECK(!accept.request.socket().valid());
    }
  };
  Outcomes outcomes;
  std::minstd_rand random(3);
  std::size_t connected = 0;
  constexpr std::size_t rounds = 1000;
  for (std::size_t i = 0; i < rounds; ++i) {
    Peer client(world.system());
    accept.request.prepare(listener.descriptor());
    world.submit(accept.request);
    const std::size_t before = accept.results.size();
    const unsigned dice = static_cast<unsigned>(random() >> 8) % 16;
    if (dice & 1u) world->run_once(0ns);
    const auto connect = [&] {
      client.connect(address);
      ++connected;
    };
    if (dice / 4 < 2) connect();
    if (dice & 2u && accept.request.pending()) world->run_once(0ns);
    world->cancel(accept.request);
    if (dice / 4 == 2) connect();
    world.run_until("the accept completed", [&] { return accept.results.size() > before; });
    REQUIRE(accept.results.size() == before + 1);
    ++(accept.error() ? outcomes.cancelled : outcomes.succeeded);
    client.reset();
  }
  outcomes.check(rounds);
  // Those that no accept took are still in the listener's queue.
  while (accepted < connected) {
    const std::size_t before = accept.results.size();
    accept.request.prepare(listener.descriptor());
    world.submit(accept.request);
    world.run_until("the queue is empty", [&] { return accept.results.size() > before; });
  }
  CHECK(accepted == connected);
}

}  // namespace
