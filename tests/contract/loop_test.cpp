// The loop: when callbacks run, when it returns, how it ends.
#include <list>
#include <stdexcept>
#include <thread>

#include "support/patterns.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

TEST_CASE("C01: completions of what a callback submits come on a fresh stack", "[R1][C01]") {
  Read read(1);
  Sending send;
  int depth = 0;
  int deepest = 0;
  std::size_t rounds = 0;
  World world;
  const Connection line = world.pair();
  line.far.send(pattern(1, 2000));
  line.far.turn();
  const auto enter = [&](auto next) {
    deepest = std::max(deepest, ++depth);
    next();
    --depth;
  };
  send.then = [&] {
    enter([&] {
      if (++rounds < 1000) world.submit(read.from(line.descriptor()));
    });
  };
  read.then = [&] { enter([&] { world.submit(send.to(line.descriptor(), "y")); }); };
  world.submit(read.from(line.descriptor()));
  world.run_until("1000 rounds went by", [&] { return rounds == 1000; });
  CHECK(deepest == 1);
}

TEST_CASE("C03: run() returns at once when nothing is pending", "[C03]") {
  World world;
  CHECK(world->run() == 0);
  CHECK(world->run_once() == 0);
  CHECK(world->poll() == 0);
}

TEST_CASE("C03: an idle receive keeps run() going until stop()", "[C03]") {
  Read read;
  Timing timer;
  World world;
  const Connection line = world.pair();
  world.submit(read.from(line.descriptor()));
  timer.then = [&] { world->stop(); };
  world.submit(timer.request, world.in(20ms));
  CHECK(world->run() == 1);
  CHECK(timer.done());
  CHECK(read.request.pending());
}

TEST_CASE("run() returns when the last pending thing has ended", "[C03]") {
  Read read;
  Timing timer;
  World world;
  const Connection line = world.pair();
  world.submit(read.from(line.descriptor()));
  timer.then = [&] { world->cancel(read.request); };
  world.submit(timer.request, world.in(5ms));
  CHECK(world->run() == 2);
  CHECK(read.error() == std::errc::operation_canceled);
}

TEST_CASE("a KeepAlive keeps run() going while it lives", "[C03]") {
  Timing timer;
  Timing last;
  World world;
  auto keep_alive = std::make_unique<proa::KeepAlive>(*world);
  std::size_t fired = 0;
  timer.then = [&] {
    // Nothing is pending but the KeepAlive here, until the other thread's post.
    ++fired;
  };
  world.submit(timer.request, world.in(1ms));
  while (fired == 0) CHECK(world->run_once(1s) <= 1);
  CHECK(world->run_once(1ms) == 0);
  REQUIRE(world->post([&] { keep_alive.reset(); }));
  CHECK(world->run() == 1);
  CHECK(!keep_alive);
}

TEST_CASE("C04: stop() in a callback loses none of what was ready", "[R2][C04]") {
  std::list<Read> reads;
  std::size_t delivered = 0;
  World world;
  std::vector<Connection> lines;
  for (int i = 0; i < 10; ++i) {
    lines.push_back(world.pair());
    lines.back().far.send("x");
    lines.back().far.turn();
    Read& read = reads.emplace_back();
    read.then = [&] {
      if (++delivered % 3 == 1) world->stop();
    };
    world.submit(read.from(lines.back().descriptor()));
  }
  std::size_t runs = 0;
  while (delivered < 10) {
    REQUIRE(++runs <= 10);
    const std::size_t before = delivered;
    const std::size_t ran = world->run();
    CHECK(ran == delivered - before);
    CHECK(ran > 0);
  }
  CHECK(runs == 4);
  for (const Read& read : reads) CHECK(read.results.size() == 1);
}

TEST_CASE("stop() before run() ends that run at once, and only that", "[R9]") {
  Timing timer;
  World world;
  world.submit(timer.request, world.in(1ms));
  world->stop();
  CHECK(world->run() == 0);
  CHECK(world->run() == 1);
}

TEST_CASE("C06: the end of the proactor completes all that is in flight, then nothing",
          "[R2][C06]") {
  std::list<Read> reads;
  Sending send;
  Accepting accept;
  Timing timer;
  World world;
  const bool ran = GENERATE(false, true);
  const Connection line = world.pair();
  proa::Socket& listener = world.listen();
  for (int i = 0; i < 3; ++i) world.submit(reads.emplace_back().from(line.descriptor()));
  accept.request.prepare(listener.descriptor());
  world.submit(accept.request);
  world.submit(timer.request, world.in(1h));
  const std::string bytes = pattern(1, std::size_t{16} << 20);
  line.far.read(false);
  world.submit(send.to(line.descriptor(), bytes));
  if (ran) world.turn();
  CHECK(accept.results.empty());

  CHECK(world->shutdown(hang) == 0);
  CHECK(accept.error() == std::errc::operation_canceled);
  CHECK(timer.error() == std::errc::operation_canceled);
  CHECK(send.error() == std::errc::operation_canceled);
  for (const Read& read : reads) CHECK(read.error() == std::errc::operation_canceled);
  for (const Read& read : reads) CHECK(read.results.size() == 1);
  CHECK((accept.results.size() == 1 && timer.results.size() == 1 && send.results.size() == 1));

  Read late;
  CHECK(world->submit(late.from(line.descriptor())) == proa::Error::closing);
  CHECK(world->shutdown(hang) == 0);
}

TEST_CASE("C06: ~Proactor does it too", "[R2][C06]") {
  Read read;
  Timing timer;
  World world;
  const Connection line = world.pair();
  world.submit(read.from(line.descriptor()));
  world.submit(timer.request, world.in(1h));
  world.turn();
  auto second = make_proactor();
  Timing other;
  REQUIRE(!second->submit(other.request, world.in(1h)));
  second.reset();
  CHECK(other.error() == std::errc::operation_canceled);
  CHECK(!read.done());
}

TEST_CASE("C07: an exception of a callback leaves run(), which can go on", "[C07]") {
  std::list<Read> reads;
  std::size_t delivered = 0;
  World world;
  for (int i = 0; i < 6; ++i) {
    const Connection line = world.pair();
    line.far.send("x");
    line.far.turn();
    Read& read = reads.emplace_back();
    read.then = [&] {
      if (++delivered == 2) throw std::runtime_error("of the user's");
    };
    world.submit(read.from(line.descriptor()));
  }
  Timing timer;
  timer.then = [] { throw std::runtime_error("of a timer"); };
  std::size_t exceptions = 0;
  for (int i = 0; i < 3; ++i) {
    try {
      world->run();
    } catch (const std::runtime_error&) {
      ++exceptions;
    }
    if (i == 1) world.submit(timer.request, world.in(0ns));
  }
  CHECK(exceptions == 2);
  CHECK(delivered == 6);
  CHECK(timer.done());
  REQUIRE(world->post([] { throw std::runtime_error("of a post"); }));
  CHECK_THROWS_AS(world->run(), std::runtime_error);
  CHECK(world->run() == 0);
}

TEST_CASE("now() is the time of the round in a callback, and the clock's outside", "[R7]") {
  World world;
  const proa::TimePoint before = world.system().now();
  CHECK(world->now() >= before);
  proa::TimePoint first{}, second{};
  REQUIRE(world->post([&] {
    first = world->now();
    const proa::TimePoint asked = world.system().now();
    while (world.system().now() == asked) std::this_thread::yield();
    second = world->now();
  }));
  CHECK(world->run() == 1);
  CHECK(first >= before);
  CHECK(second == first);
  const proa::TimePoint behind = world.system().now();
  CHECK(world->now() >= behind);
}

TEST_CASE("C09: run_once() waits for a callback, poll() for nothing", "[C09]") {
  Read read;
  Timing timer;
  World world;
  const Connection line = world.pair();
  world.submit(read.from(line.descriptor()));
  const proa::TimePoint begun = world.system().now();
  for (int i = 0; i < 10; ++i) CHECK(world->poll() == 0);
  CHECK(world->run_once(20ms) == 0);
  CHECK(world.system().now() >= begun + 20ms);

  world.submit(timer.request, world.in(30ms));
  CHECK(world->run_once() == 1);
  CHECK(timer.done());
  world.submit(timer.request, world.in(5ms));
  CHECK(world->run_once(5ms) == 1);
  line.far.send("x");
  line.far.turn();
  std::size_t delivered = 0;
  const proa::TimePoint until = world.in(hang);
  while (delivered == 0 && world.system().now() < until) delivered = world->poll();
  CHECK(delivered == 1);
  CHECK(read.text() == "x");
}

TEST_CASE("C11: proactors come and go in any order", "[C11]") {
  const std::size_t before = open_descriptors();
  {
    auto first = make_proactor();
    auto second = make_proactor();
    auto third = make_proactor();
    Timing timer;
    REQUIRE(!second->submit(timer.request, second->system().now()));
    CHECK(second->run() == 1);
    first->run();
    first.reset();
    CHECK(second->run() == 0);
    auto fourth = make_proactor();
    second.reset();
    third.reset();
    CHECK(fourth->run() == 0);
  }
  CHECK(open_descriptors() == before);
}

}  // namespace
