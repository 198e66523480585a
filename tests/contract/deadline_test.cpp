// Deadlines of requests behind a loop that stood still: what had arrived is taken first (R4, R7).
#include <algorithm>
#include <list>
#include <proa/poll.hpp>
#include <thread>
#include <vector>

#include "raw.hpp"
#include "stuck_send.hpp"
#include "support/patterns.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;
using proa::Error;

bool passed(World& world, proa::TimePoint time) { return world.system().now() > time; }

// As a loop does in a debugger.
void stand_still(World& world, proa::TimePoint until) {
  while (!passed(world, until)) std::this_thread::sleep_for(1ms);
}

// Runs the test with more and more time, until that was enough to prepare all before the deadline.
template <class Test>
void with_enough_time(Test test) {
  for (proa::Duration length = 100ms; !test(length); length *= 4) {
  }
}

template <class Requests>
bool all_done(const Requests& requests) {
  return std::all_of(requests.begin(), requests.end(), [](auto& each) { return each.done(); });
}

TEST_CASE("what arrived while the loop stood still comes before deadlines that passed",
          "[R4][R7]") {
  // More than one wait of any backend returns, and more than one round delivers.
  constexpr std::size_t number = 400;
  proa::Options with = options();
  with.round_budget = GENERATE(512u, 7u);
  with_enough_time([&](proa::Duration length) {
    std::list<Read> reads;
    World world(with);
    std::vector<Connection> lines;
    for (std::size_t i = 0; i < number; ++i) lines.push_back(world.pair(Link::abstract));
    const proa::TimePoint deadline = world.in(length);
    for (const Connection& line : lines) {
      world.submit(reads.emplace_back(16).from(line.descriptor()), deadline);
    }
    world.turn();
    for (std::size_t i = 1; i < number; ++i) lines[i].far.send("data");
    for (std::size_t i = 1; i < number; ++i) lines[i].far.turn();
    if (passed(world, deadline)) return false;
    stand_still(world, deadline);
    world.run_until("all completed", [&] { return all_done(reads); });
    CHECK(reads.front().error() == Error::deadline);  // the silent one
    reads.pop_front();
    CHECK(std::none_of(reads.begin(), reads.end(), [](auto& read) { return read.error(); }));
    CHECK(reads.back().text() == "data");
    return true;
  });
}

TEST_CASE("receives that wait behind others get what arrived before their deadline",
          "[R4][R5][R7]") {
  with_enough_time([&](proa::Duration length) {
    std::list<Read> reads;
    std::list<Read> others;
    std::string order;
    World world;
    const Connection line = world.pair();
    const Connection silent = world.pair();
    const proa::TimePoint deadline = world.in(length);
    for (int i = 0; i < 12; ++i) {
      Read& read = reads.emplace_back(2);
      read.then = [&order, &read] { order += read.error() ? "-" : read.text(); };
      world.submit(read.from(line.descriptor()), deadline);
      world.submit(others.emplace_back(2).from(silent.descriptor()), deadline);
    }
    world.turn();
    line.far.send("aabbccddeeffggh");
    line.far.turn();
    if (passed(world, deadline)) return false;
    stand_still(world, deadline);
    world.run_until("all completed", [&] { return all_done(reads) && all_done(others); });
    CHECK(order == "aabbccddeeffggh----");
    CHECK(reads.back().error() == Error::deadline);
    for (const Read& other : others) CHECK(other.error() == Error::deadline);
    return true;
  });
}

TEST_CASE("sends that wait behind others go out although their deadline has passed",
          "[R4][R5][R7]") {
  std::list<Sending> sends;
  World world;
  const Connection line = world.pair();
  const proa::TimePoint deadline = world.in(5ms);
  for (const char* text : {"one", "two", "three"}) {
    world.submit(sends.emplace_back().to(line.descriptor(), text), deadline);
  }
  stand_still(world, deadline);
  world.run_until("all completed", [&] { return all_done(sends); });
  for (const Sending& send : sends) CHECK(!send.error());
  world.run_until("all arrived", [&] { return line.far.received().size() == 11; });
  CHECK(line.far.received() == "onetwothree");
}

TEST_CASE("sends that wait behind others go out into the last room that there is", "[R4][R5][R7]") {
  with_enough_time([&](proa::Duration length) {
    std::list<Sending> sends;
    World world;
    const Connection line = world.pair(Link::abstract);
    const std::string bytes = pattern(3, 1000);
    std::size_t full = 0;
    while (world.system().send(line.descriptor(), {bytes.data(), bytes.size()}) > 0) full += 1000;
    line.far.read(false);
    const proa::TimePoint deadline = world.in(length);
    for (int i = 0; i < 150; ++i) {
      world.submit(sends.emplace_back().to(line.descriptor(), "small"), deadline);
    }
    world.turn();
    line.far.read(true);
    while (line.far.received_bytes() < full) line.far.turn();
    line.far.read(false);
    const bool late = passed(world, deadline);
    stand_still(world, deadline);
    world.run_until("all completed", [&] { return all_done(sends); });
    if (late) return false;
    for (const Sending& send : sends) CHECK(!send.error());
    return true;
  });
}

TEST_CASE("a send that waits behind an endless one ends by its deadline all the same", "[R4][R7]") {
  // The peer reads on and on: there is nearly always some room.
  Sending endless;
  Sending second;
  World world;
  const Connection line = world.pair();
  const std::string bytes = pattern(1, std::size_t{8} << 20);
  line.far.expect_pattern(1);
  endless.then = [&] {
    if (!second.done()) world.submit(endless.to(line.descriptor(), bytes));
  };
  world.submit(endless.to(line.descriptor(), bytes));
  world.submit(second.to(line.descriptor(), "y"), world.in(10ms));
  world.run_until("the second ended", [&] { return second.done(); });
  CHECK(second.bytes() == (second.error() ? 0 : 1));
  world->cancel(endless.request);
  world.run_until("the first ended", [&] { return endless.done(); });
}

TEST_CASE("a send goes out for which there was room by its deadline", "[R4][R7]") {
  with_enough_time([&](proa::Duration length) {
    Sending send;
    World world;
    const Connection line = world.pair(Link::abstract);
    // Fills the way, then has some more to send.
    std::size_t full = 0;
    const std::string bytes = pattern(3, std::size_t{1} << 20);
    for (long sent = 1; sent > 0; full += static_cast<std::size_t>(sent > 0 ? sent : 0)) {
      sent = world.system().send(line.descriptor(), {bytes.data(), 1000});
    }
    line.far.read(false);
    const proa::TimePoint deadline = world.in(length);
    world.submit(send.to(line.descriptor(), "the last"), deadline);
    world.turn();
    line.far.read(true);
    while (line.far.received_bytes() < full) line.far.turn();
    if (passed(world, deadline)) return false;
    stand_still(world, deadline);
    world.run_until("it completed", [&] { return send.done(); });
    CHECK(!send.error());
    CHECK(send.bytes() == 8);
    return true;
  });
}

TEST_CASE("an end waits for the send that may know better, whatever ends the receive",
          "[R2][R4][R7][T11]") {
  with_enough_time([&](proa::Duration length) {
    Read read;
    Sending send;
    const std::string bytes = pattern(1, std::size_t{8} << 20);
    World world;
    const proa::TimePoint deadline = world.in(length);
    const Connection line = send_until_stuck(world, send, bytes);
    world.submit(read.from(line.descriptor()), deadline);
    turns(world, 20);
    line.far.reset();
    if (passed(world, deadline)) return false;
    stand_still(world, deadline);
    world.run_until("both ended", [&] { return read.done() && send.done(); });
    CHECK(send.error());
    CHECK(read.error() == std::errc::connection_reset);
    return true;
  });
}

TEST_CASE("connections that came before the deadline are accepted", "[R4][R7]") {
  const bool repeating = GENERATE(false, true);
  with_enough_time([&](proa::Duration length) {
    Accepting accept(repeating);
    std::size_t accepted = 0;
    accept.then = [&] {
      accepted += accept.request.socket().valid();
      accept.request.socket().close();
    };
    World world;
    proa::Socket& listener = world.listen();
    const proa::TimePoint deadline = world.in(length);
    accept.request.prepare(listener.descriptor());
    world.submit(accept.request, deadline);
    world.turn();
    for (int i = 0; i < 3; ++i) {
      std::error_code error;
      proa::Socket& socket = world.own(
          proa::Socket::open(*world, proa::Address::Family::ipv4, proa::Transport::stream, error));
      REQUIRE(!error);
      const long result = world.system().connect(socket.descriptor(), listener.local_address());
      REQUIRE((result == 0 || result == -EINPROGRESS));
    }
    if (passed(world, deadline)) return false;
    stand_still(world, deadline);
    world.run_until("the accept ended", [&] { return accept.done(); });
    CHECK(accepted == (repeating ? 3 : 1));
    if (repeating) {
      CHECK(accept.error() == Error::deadline);
    } else {
      CHECK(!accept.error());
    }
    return true;
  });
}

TEST_CASE("an error of the connection that came before the deadline is told", "[R4][R7]") {
  with_enough_time([&](proa::Duration length) {
    Read read;
    World world;
    const Connection line = world.pair();
    const proa::TimePoint deadline = world.in(length);
    world.submit(read.from(line.descriptor()), deadline);
    world.turn();
    line.far.reset();
    if (passed(world, deadline)) return false;
    stand_still(world, deadline);
    world.run_until("it completed", [&] { return read.done(); });
    CHECK(read.error() == std::errc::connection_reset);
    return true;
  });
}

TEST_CASE("a connect that was refused while the loop stood still is told so", "[R4][R7]") {
  // More than a round delivers.
  constexpr std::size_t number = 60;
  proa::Options with = options();
  with.round_budget = 7;
  std::list<Connecting> connects;
  World world(with);
  proa::Socket& listener = world.listen();
  const proa::Address closed = listener.local_address();
  listener.close();
  const proa::TimePoint deadline = world.in(5ms);
  for (std::size_t i = 0; i < number; ++i) {
    std::error_code error;
    const proa::Socket& socket = world.own(
        proa::Socket::open(*world, proa::Address::Family::ipv4, proa::Transport::stream, error));
    REQUIRE(!error);
    Connecting& connect = connects.emplace_back();
    connect.request.prepare(socket.descriptor(), closed);
    world.submit(connect.request, deadline);
  }
  stand_still(world, deadline);
  world.run_until("all completed", [&] { return all_done(connects); });
  for (const Connecting& connect : connects) {
    CHECK(connect.error() == std::errc::connection_refused);
  }
}

TEST_CASE("what a repeating Poll has not told comes before its deadline", "[poll][R4][R7]") {
  Timing alarm;
  Recording<proa::Poll> poll(proa::Direction::in, true);
  Recording<proa::Poll> silent(proa::Direction::in, true);
  World world;
  const Connection line = world.pair(Link::abstract);
  const Connection other = world.pair(Link::abstract);
  // Fires just before the deadline is judged, so no backend can have told what it causes.
  alarm.then = [&] {
    line.far.send("data");
    line.far.turn();
  };
  const proa::TimePoint deadline = world.in(20ms);
  world.submit(alarm.request, deadline);
  poll.request.prepare(line.descriptor());
  world.submit(poll.request, deadline);
  silent.request.prepare(other.descriptor());
  world.submit(silent.request, deadline);
  world.run_until("they ended", [&] { return poll.done() && silent.done(); });
  const std::size_t told = poll.results.size() - 1;
  REQUIRE((told == 1 || told == 2));  // the backend may have told it too
  CHECK(!poll.results.front().error);
  CHECK(poll.error() == Error::deadline);
  CHECK(silent.results.size() == 1);
  CHECK(silent.error() == Error::deadline);
}

TEST_CASE("with few buffers every receive gets what arrived before its deadline", "[R4][R7]") {
  constexpr std::size_t number = 40;
  proa::Options with = options();
  with.buffers = 4;
  with_enough_time([&](proa::Duration length) {
    std::list<Recording<proa::RecvBuffers>> receives;
    World world(with);
    std::vector<Connection> lines;
    for (std::size_t i = 0; i < number; ++i) lines.push_back(world.pair(Link::abstract));
    const proa::TimePoint deadline = world.in(length);
    for (const Connection& line : lines) {
      auto& receive = receives.emplace_back();
      receive.then = [&receive] { receive.request.buffer().reset(); };
      receive.request.prepare(line.descriptor());
      world.submit(receive.request, deadline);
    }
    world.turn();
    for (const Connection& line : lines) line.far.send("data");
    for (const Connection& line : lines) line.far.turn();
    if (passed(world, deadline)) return false;
    stand_still(world, deadline);
    world.run_until("all ended", [&] { return all_done(receives); });
    for (const auto& receive : receives) {
      CHECK(receive.error() == Error::deadline);
      CHECK(receive.results.front().bytes == 4);
    }
    return true;
  });
}

TEST_CASE("a receive that finds no block for long ends by its deadline", "[R2][R4][R7]") {
  proa::Options with = options();
  with.buffers = 4;
  Recording<proa::RecvBuffers> receive;
  Recording<proa::RecvBuffers> hog;
  std::vector<proa::Buffer> kept;
  hog.then = [&] { kept.push_back(std::move(hog.request.buffer())); };
  World world(with);
  const Connection line = world.pair(Link::abstract);
  const Connection fast = world.pair(Link::abstract);
  hog.request.prepare(fast.descriptor());
  world.submit(hog.request);
  fast.far.send_pattern(1, std::size_t{1} << 20);
  world.run_until("no block is left", [&] { return world->counters().buffers_missed > 0; });
  receive.request.prepare(line.descriptor());
  world.submit(receive.request, world.in(5ms));
  line.far.send("data");
  line.far.turn();
  SECTION("its end") {
    world.run_until("it ended", [&] { return receive.done(); });
    CHECK(receive.error() == Error::deadline);
    CHECK(receive.results.size() == 1);
  }
  SECTION("a cancel, at any time") {
    for (auto wait = 0ms; wait < 20ms; wait += 2ms) {
      if (!receive.request.pending()) world.submit(receive.request, world.system().now());
      const proa::TimePoint until = world.in(wait);
      while (receive.request.pending() && world.system().now() < until) world->run_once(1ms);
      world->cancel(receive.request);
      world.run_until("it ended", [&] { return receive.done(); });
      CHECK(receive.error());
    }
  }
  SECTION("a cancel in any state is not kept waiting") {
    for (int polls = 0; polls < 8; ++polls) {
      CAPTURE(polls);
      if (!receive.request.pending()) world.submit(receive.request, world.in(1ms));
      for (int i = 0; i < polls; ++i) {
        if (const auto due = world->next_deadline(); due != proa::never) stand_still(world, due);
        world->poll();
      }
      world->cancel(receive.request);
      turns(world, 20);
      CHECK(receive.done());
      world.run_until("it ended", [&] { return receive.done(); });
    }
  }
  SECTION("shutdown() does not wait for it") {
    for (int i = 0; i < 20; ++i) world.turn();
    kept.clear();
    CHECK(world->shutdown(5s) == 0);
    CHECK(receive.done());
  }
  kept.clear();
  world->cancel(hog.request);
}

TEST_CASE("what ends while shutdown() is late is told", "[R7]") {
  proa::Options with = options();
  with.round_budget = 7;
  std::list<Read> reads;
  World world(with);
  for (int i = 0; i < 60; ++i) {
    world.submit(reads.emplace_back().from(world.pair(Link::abstract).descriptor()));
  }
  world.turn();
  const proa::TimePoint limit = world.in(20ms);
  reads.front().then = [&] { stand_still(world, limit); };
  CHECK(world->shutdown(20ms) == 0);
  CHECK(all_done(reads));
}

}  // namespace
