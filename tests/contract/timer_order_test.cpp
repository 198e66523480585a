// A timer that is due goes behind what had come by then, whatever that is (R7).
#include <csignal>
#include <proa/notifier.hpp>
#include <proa/timer_handler.hpp>
#include <thread>

#include "contract/signal_rig.hpp"
#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;

struct Bell : proa::Notifier {
  using Notifier::Notifier;
  ~Bell() override = default;
  void on_notify() override { then(); }
  std::function<void()> then;
};

struct Alarm : proa::TimerHandler {
  using TimerHandler::TimerHandler;
  ~Alarm() override = default;
  void on_timer(std::uint64_t) override { then(); }
  std::function<void()> then;
};

TEST_CASE("what had come before a timer was due goes before the timer", "[R7]") {
  Streams streams;
  std::string told;
  World world;
  auto [stream, far] = line(streams, world, Link::path);
  wait_open(world, stream);
  Bell bell(*world);
  Alarm alarm(*world);
  Listening signals(*world);
  const auto says = [&told](const char* what) {
    return [&told, what] { told = told + what + " "; };
  };
  stream.read = [&](proa::Buffer&) { says("bytes")(); };
  bell.then = says("notice");
  alarm.then = says("timer");
  signals.then = says("signal");
  bell.start();
  REQUIRE(!signals.start(SIGUSR1));
  turns(world, 3);
  std::string expected;
  const proa::TimePoint due = world.in(1ms);
  alarm.start_at(due);
  SECTION("a post") {
    REQUIRE(world->post(says("post")));
    expected = "post timer ";
  }
  SECTION("a notice") {
    bell.notify();
    expected = "notice timer ";
  }
  SECTION("a signal") {
    ::raise(SIGUSR1);
    expected = "signal timer ";
  }
  SECTION("bytes") {
    far.send("x");
    far.turn();
    expected = "bytes timer ";
  }
  // The loop stands still until the timer is overdue.
  while (world.system().now() <= due) std::this_thread::yield();
  world.run_until("the timer fired", [&] { return told.find("timer") != told.npos; });
  CHECK(told == expected);
  bell.close();
  signals.stop();
  alarm.close();
  stream.close();
  wait_closed(world, stream);
}

// Of deferred task work the kernel does 20 items in one entry (Linux 6.18).
TEST_CASE("as much as a round delivers comes before a timer that was due", "[R7]") {
  constexpr std::size_t number = 30;
  Streams streams;
  World world;
  std::vector<Peer*> peers;
  std::size_t told = 0;
  std::size_t told_before = 0;
  for (std::size_t i = 0; i < number; ++i) {
    auto [stream, far] = line(streams, world, Link::path);
    wait_open(world, stream);
    stream.read = [&](proa::Buffer&) { ++told; };
    peers.push_back(&far);
  }
  Alarm alarm(*world);
  bool fired = false;
  alarm.then = [&] {
    fired = true;
    told_before = told;
  };
  turns(world, 3);
  const proa::TimePoint due = world.in(1ms);
  alarm.start_at(due);
  for (Peer* const peer : peers) {
    peer->send("x");
    peer->turn();
  }
  while (world.system().now() <= due) continue;
  world.run_until("all are told", [&] { return told == number && fired; });
  CHECK(told_before == number);
}

TEST_CASE("timers fire although every round is ended early", "[R7][R8]") {
  std::size_t fired = 0;
  World world;
  Alarm alarm(*world);
  alarm.then = [&] { ++fired; };
  alarm.start_every(1ms);
  const auto until = world.in(hang);
  while (fired < 3 && world.system().now() < until) {
    REQUIRE(world->post([&] { world->stop(); }));
    world->run();
  }
  CHECK(fired >= 3);
  alarm.close();
  world.run_until("it is closed", [&] { return !alarm.is_open(); });
}

}  // namespace
