// Options::spin: what the loop does for so long when it has nothing left to do, and what follows.
#include <atomic>
#include <ctime>
#include <proa/work.hpp>
#include <proa/worker_pool.hpp>
#include <thread>

#include "support/ledger.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

proa::Options spinning(proa::Duration length) {
  proa::Options with = options();
  with.spin = length;
  return with;
}

// What this thread has computed.
proa::Duration processor_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

struct Job {
  void work() noexcept { worked = true; }
  void completed(const proa::Result&) { told = true; }
  proa::On<proa::Work, &Job::completed> request{*this};
  bool worked = false;
  bool told = false;
};

TEST_CASE("with Options::spin a loop that has nothing to do looks for more", "[R8]") {
  const proa::Duration spin = GENERATE(proa::Duration(0), proa::Duration(1s));
  Timing first, second;
  World world(spinning(spin));
  world.submit(first.request, world.in(0ms));
  world.run_until("something has come", [&] { return first.done(); });
  const std::uint64_t before = world->counters().rounds;
  const proa::TimePoint due = world.in(50ms);
  world.submit(second.request, due);
  while (!second.done()) CHECK(world->run_once(hang) == 1);
  CHECK(world.system().now() >= due);
  const std::uint64_t rounds = world->counters().rounds - before;
  if (spin > 0s) {
    CHECK(rounds > 20);
  } else {
    CHECK(rounds <= 5);
  }
}

TEST_CASE("with Options::spin all that comes while the loop looks is told", "[R8][thread]") {
  constexpr int number = 200;
  Read read;
  Sending send;
  std::size_t echoed = 0;
  World world(spinning(GENERATE(proa::Duration(20us), proa::Duration(1s))));
  const Connection line = world.pair();
  read.then = [&] { world.submit(send.to(line.descriptor(), read.text())); };
  send.then = [&] { ++echoed; };
  for (std::size_t i = 1; i <= number; ++i) {
    world.submit(read.from(line.descriptor()));
    line.far.send("x");
    line.far.turn();
    while (echoed < i) REQUIRE(world->run_once(hang) > 0);
  }
  // Another thread posts, one at a time, while this one is in its loop.
  std::atomic<int> told{0};
  const proa::KeepAlive keep_alive(*world);
  std::thread other([&] {
    for (int i = 0; i < number; ++i) {
      if (!world->post([&] { ++told; })) std::abort();
      while (told <= i) std::this_thread::yield();
    }
  });
  while (told < number) CHECK(world->run_once(hang) > 0);
  other.join();
  // A worker of a pool does its work.
  proa::WorkerPool workers(*world);
  Job job;
  job.request.prepare<&Job::work>(job);
  REQUIRE(!workers.run(job.request));
  while (!job.told) REQUIRE(world->run_once(hang) > 0);
  CHECK(job.worked);
}

TEST_CASE("a loop sleeps when it has looked for Options::spin in vain", "[R8]") {
  Timing timer;
  World world(spinning(1ms));
  world.submit(timer.request, world.in(0ms));
  world.run_until("something has come", [&] { return timer.done(); });
  const proa::Duration before = processor_time();
  const proa::KeepAlive keep_alive(*world);
  CHECK(world->run_once(200ms) == 0);
  CHECK(processor_time() - before < 100ms);
  // It does not look again before something has come.
  Ledger ledger;
  CHECK(world->run_once(100ms) == 0);
  CHECK(ledger.entries() <= 5);
}

TEST_CASE("poll() and run_once(0) look once, whatever Options::spin says", "[R8]") {
  Timing timer;
  World world(spinning(1s));
  world.submit(timer.request, world.in(0ms));
  world.run_until("something has come", [&] { return timer.done(); });
  const proa::KeepAlive keep_alive(*world);
  Ledger ledger;
  for (int i = 0; i < 10; ++i) {
    CHECK(world->poll() == 0);
    CHECK(world->run_once(0ms) == 0);
  }
  CHECK(ledger.entries() <= 40);
}

TEST_CASE("an Options::spin that cannot be is refused", "[R2]") {
  const proa::Duration spin = GENERATE(proa::Duration(-1), proa::Duration(1s) + 1ns);
  std::error_code error;
  std::string detail;
  CHECK(proa::Proactor::create(spinning(spin), error, &detail) == nullptr);
  CHECK(error == std::errc::invalid_argument);
  CHECK(detail == "Options::spin " + std::to_string(spin.count()) + " ns is not from 0 to 1 s");
}

}  // namespace
