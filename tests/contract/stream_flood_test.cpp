// Streams under load: nobody starves, resets and signals cost nobody else anything.
#include <sys/time.h>

#include <csignal>

#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;

TEST_CASE("M04: a chatty stream starves neither another one nor a 0-delay timer", "[R8][M04]") {
  Streams streams;
  Timing timer;
  proa::Options with = options();
  with.round_budget = 4;
  with.buffer_size = 1024;
  with.buffers = 1024;  // more than one pass of the kernel fills
  World world(with);
  auto [chatty, chatty_far] = line(streams, world, Link::path);
  auto [modest, modest_far] = line(streams, world, Link::path);
  // Answers itself for ever: each byte that it reads comes again.
  chatty.echoes = true;
  chatty_far.send_pattern(1, 100000);
  wait_open(world, modest);
  turns(world, 5);
  const int rounds = 20;
  std::size_t answered = 0;
  modest.echoes = true;
  for (int i = 0; i < rounds; ++i) {
    // The peer keeps the chatty one busy by hand, so that turns are counted.
    chatty_far.send_pattern(1, 100000);
    chatty_far.turn();
    modest_far.send("x");
    modest_far.turn();
    world.submit(timer.request, world->now());
    const std::size_t fired = timer.results.size();
    // What the kernel had received before comes first; the chatty one goes on all the time.
    const std::size_t chatted = chatty.received_bytes;
    for (int n = 0; n < 400 && modest_far.received_bytes() == answered; ++n) {
      world->run_once(0ms);
      if (chatty_far.sent()) chatty_far.send_pattern(1, 100000);
      chatty_far.turn();
      modest_far.turn();
    }
    CHECK(timer.results.size() == fired + 1);
    CHECK(chatty.received_bytes - chatted < 500000);
    CHECK(modest_far.received_bytes() == ++answered);
  }
  CHECK(chatty.received_bytes > 10000);
}

TEST_CASE("a storm of resets ends those streams alone", "[R6]") {
  Streams streams;
  World world;
  auto [survivor, survivor_far] = line(streams, world);
  survivor.echoes = true;
  survivor_far.expect_pattern(1);
  survivor_far.send_pattern(1, 300000);
  for (int burst = 0; burst < 4; ++burst) {
    std::vector<std::pair<Stream*, Peer*>> victims;
    for (int i = 0; i < 50; ++i) {
      auto [stream, far] = line(streams, world);
      stream.echoes = true;
      far.read(i % 2 == 0);
      far.send_pattern(2, static_cast<std::size_t>(i) * 5000);
      victims.emplace_back(&stream, &far);
    }
    turns(world, 2);
    for (auto [stream, far] : victims) far->reset();
    world.run_until("all of the burst are closed", [&] {
      return std::all_of(victims.begin(), victims.end(),
                         [](const auto& victim) { return victim.first->is_closed(); });
    });
    for (auto [stream, far] : victims) {
      CHECK(stream->count("closed") == 1);
      CHECK(stream->count("error") + stream->count("end") <= 1);
    }
  }
  wait_received(world, survivor_far, 300000);
  CHECK(survivor_far.difference() == no_difference);
  CHECK(!survivor.error);
}

// SIGALRM many times a second, without SA_RESTART.
class Alarms {
 public:
  explicit Alarms(int microseconds) {
    struct sigaction action = {};
    action.sa_handler = [](int) { ++count; };
    sigaction(SIGALRM, &action, &before_);
    set(microseconds);
  }
  ~Alarms() {
    set(0);
    sigaction(SIGALRM, &before_, nullptr);
  }
  static volatile std::sig_atomic_t count;

 private:
  static void set(int microseconds) {
    const itimerval timer = {{0, microseconds}, {0, microseconds}};
    setitimer(ITIMER_REAL, &timer, nullptr);
  }
  struct sigaction before_ = {};
};
volatile std::sig_atomic_t Alarms::count = 0;

TEST_CASE("S02: a storm of signals during an echo is not noticed", "[R11][S02]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  stream.echoes = true;
  far.expect_pattern(3);
  {
    const Alarms alarms(100);
    std::size_t sent = 0;
    while (Alarms::count < 20000) {
      far.send_pattern(3, 20000);
      sent += 20000;
      wait_received(world, far, sent);
    }
  }
  CHECK(far.difference() == no_difference);
  CHECK(!stream.error);
  CHECK(far.error() == 0);
}

}  // namespace
