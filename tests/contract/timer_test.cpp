// TimerHandler: never early, in order, one call for a blocked loop, idle when it is not armed.
#ifdef __linux__
#include <sched.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <functional>
#include <memory>
#include <proa/timer_handler.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/allocations.hpp"
#include "support/death.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;
using proa::Duration;
using proa::TimePoint;

// Remembers its calls; stops itself when it goes out of scope.
class Ticking : public proa::TimerHandler {
 public:
  using TimerHandler::TimerHandler;
  ~Ticking() override { stop(); }

  std::vector<std::uint64_t> calls;
  std::vector<std::error_code> errors;
  int closed = 0;
  bool closes_on_error = false;
  std::function<void()> then;

 protected:
  void on_timer(std::uint64_t expirations) override {
    calls.push_back(expirations);
    if (then) then();
  }
  void on_error(std::error_code error) override {
    errors.push_back(error);
    if (closes_on_error) close();
  }
  void on_closed() override { ++closed; }
};

// Keeps the thread busy until the proactor's clock shows `time`.
void block_until(World& world, TimePoint time) {
  while (world.system().now() < time) {
  }
}

TEST_CASE("M05: a timer is never early", "[R7][M05]") {
  World world;
  const Duration delay = GENERATE(Duration(0), Duration(1), Duration(1us), Duration(100us),
                                  Duration(1ms), Duration(1500us), Duration(20ms));
  Ticking timer(*world);
  for (int i = 0; i < 5; ++i) {
    TimePoint fired;
    timer.then = [&] { fired = world.system().now(); };
    const TimePoint before = world.system().now();
    timer.start(delay);
    CHECK(timer.armed());
    world.run_until("the timer fired", [&] { return !timer.armed(); });
    CHECK(fired - before >= delay);
  }
  CHECK(timer.calls == std::vector<std::uint64_t>(5, 1));
}

TEST_CASE("a delay counts from the start, not from the round's time", "[R7][M05]") {
  World world;
  Ticking first(*world), second(*world);
  TimePoint started, fired;
  first.then = [&] {
    block_until(world, world.system().now() + 5ms);
    started = world.system().now();
    second.start(2ms);
  };
  second.then = [&] { fired = world.system().now(); };
  first.start(0ms);
  world.run_until("both fired", [&] { return !second.calls.empty(); });
  CHECK(fired - started >= 2ms);
}

TEST_CASE("start never calls back, not even for a deadline in the past", "[R1]") {
  World world;
  Ticking timer(*world);
  timer.start_at(TimePoint());
  CHECK(timer.calls.empty());
  timer.start(-1s);
  CHECK(timer.calls.empty());
  world.run_until("the timer fired", [&] { return !timer.calls.empty(); });
  CHECK(timer.calls == std::vector<std::uint64_t>{1});
}

TEST_CASE("M01: equal deadlines fire in the order of their starts", "[R7][M01]") {
  World world;
  std::vector<int> order;
  std::vector<std::unique_ptr<Ticking>> timers;
  const TimePoint deadline = world.in(3ms);
  for (int i = 0; i < 20; ++i) {
    timers.push_back(std::make_unique<Ticking>(*world));
    timers.back()->then = [&order, i] { order.push_back(i); };
    timers.back()->start_at(deadline);
  }
  timers[7]->start_at(deadline);  // restarted: now the last
  world.run_until("all fired", [&] { return order.size() == 20; });
  std::vector<int> expected;
  for (int i = 0; i < 20; ++i) {
    if (i != 7) expected.push_back(i);
  }
  expected.push_back(7);
  CHECK(order == expected);
}

TEST_CASE("earlier deadlines fire first, whatever the order of their starts", "[R7]") {
  World world;
  std::vector<int> order;
  std::vector<std::unique_ptr<Ticking>> timers;
  const TimePoint base = world.in(2ms);
  for (int i = 0; i < 10; ++i) {
    timers.push_back(std::make_unique<Ticking>(*world));
    timers.back()->then = [&order, i] { order.push_back(i); };
    timers.back()->start_at(base - i * 10us);
  }
  block_until(world, base);
  world.run_until("all fired", [&] { return order.size() == 10; });
  CHECK(order == std::vector<int>{9, 8, 7, 6, 5, 4, 3, 2, 1, 0});
}

TEST_CASE("M02: of a timer started twice only the last deadline fires", "[R7][M02]") {
  World world;
  Ticking timer(*world), reference(*world);
  TimePoint fired;
  timer.then = [&] { fired = world.system().now(); };
  timer.start(1ms);
  const TimePoint later = world.in(10ms);
  timer.start_at(later);
  reference.start_at(later + 5ms);
  world.run_until("the later one fired", [&] { return !reference.calls.empty(); });
  CHECK(timer.calls == std::vector<std::uint64_t>{1});
  CHECK(fired >= later);

  timer.start_every(1ms);
  timer.start(2ms);  // no longer periodic
  reference.start(10ms);
  world.run_until("both fired", [&] { return reference.calls.size() == 2; });
  CHECK(timer.calls == std::vector<std::uint64_t>{1, 1});
}

TEST_CASE("a periodic timer first fires after one period, and keeps to its grid", "[R7]") {
  World world;
  Ticking timer(*world);
  std::vector<TimePoint> times;
  timer.then = [&] { times.push_back(world.system().now()); };
  const TimePoint start = world.system().now();
  const Duration period = 4ms;
  timer.start_every(period);
  world.run_until("it fired five times", [&] { return times.size() >= 5; });
  timer.stop();
  std::uint64_t expirations = 0;
  for (std::size_t i = 0; i < times.size(); ++i) {
    expirations += timer.calls[i];
    CHECK(times[i] - start >= period * static_cast<std::int64_t>(expirations));
  }
}

TEST_CASE("a blocked loop causes one call with a count, and no burst", "[R7]") {
  World world;
  Ticking timer(*world);
  const Duration period = 2ms;
  const TimePoint start = world.system().now();
  timer.start_every(period);
  const TimePoint began_by = world.system().now();
  block_until(world, began_by + 21ms);
  world.run_until("it fired", [&] { return !timer.calls.empty(); });
  CHECK(timer.calls.size() == 1);
  CHECK(timer.calls[0] >= 10);
  // The one behind it comes on the grid of the start: all calls together never count more periods
  // than have passed, nor fall behind by a whole one when the call comes on time.
  world.run_until("it fired again", [&] { return timer.calls.size() >= 3; });
  timer.stop();
  std::uint64_t expirations = 0;
  for (const std::uint64_t count : timer.calls) expirations += count;
  CHECK(world.system().now() - start >= period * static_cast<std::int64_t>(expirations));
}

TEST_CASE("M04: a timer of no delay, started again by itself, starves nobody", "[R8][M04]") {
  Read read;
  World world;
  const Connection line = world.pair();
  Ticking timer(*world);
  timer.then = [&] { timer.start(0ms); };
  timer.start(0ms);
  world.submit(read.from(line.descriptor()));
  const std::uint64_t rounds = world->counters().rounds;
  world.run_until("it fired", [&] { return timer.calls.size() >= 10; });
  line.far.send("x");
  world.run_until("the receive completed", [&] { return read.done(); });
  CHECK(timer.calls.size() <= world->counters().rounds - rounds);
}

TEST_CASE("M04: nor does a periodic one that is always late", "[R8][M04]") {
  World world;
  Ticking busy(*world), other(*world);
  busy.then = [&] { block_until(world, world.system().now() + 100us); };
  busy.start_every(1us);
  other.start(1ms);
  world.run_until("the other one fired", [&] { return !other.calls.empty(); });
  CHECK(busy.calls.size() > 0);
}

TEST_CASE("M07: a timer that is due can be stopped by the one before it", "[R7][M07]") {
  World world;
  Ticking first(*world), stopped(*world), moved(*world), last(*world);
  const TimePoint deadline = world.in(1ms);
  TimePoint moved_to;
  first.then = [&] {
    stopped.stop();
    moved_to = world.in(3ms);
    moved.start_at(moved_to);
  };
  for (Ticking* timer : {&first, &stopped, &moved, &last}) timer->start_at(deadline);
  block_until(world, deadline);
  world.run_until("the last one fired", [&] { return !last.calls.empty(); });
  CHECK(moved.calls.empty());
  world.run_until("the moved one fired", [&] { return !moved.calls.empty(); });
  CHECK(world.system().now() >= moved_to);
  CHECK(stopped.calls.empty());
}

TEST_CASE("run() waits for a timer that is armed, and for no other", "[R7]") {
  World world;
  Ticking timer(*world), stopped(*world);
  stopped.start(1h);
  stopped.stop();
  CHECK(!stopped.is_open());
  timer.start(2ms);
  world->run();
  CHECK(timer.calls.size() == 1);
  CHECK(!timer.is_open());
  CHECK(world->run() == 0);
}

TEST_CASE("a timer that is not armed may just be destroyed", "[R6]") {
  World world;
  { Ticking never_started(*world); }
  {
    Ticking fired(*world);
    fired.start(0ms);
    world.run_until("it fired", [&] { return !fired.calls.empty(); });
  }
  struct Deleting : proa::TimerHandler {
    Deleting(proa::Proactor& proactor, bool& flag) : TimerHandler(proactor), gone(flag) {}
    ~Deleting() override { gone = true; }
    void on_timer(std::uint64_t) override { delete this; }
    bool& gone;
  };
  bool gone = false;
  (new Deleting(*world, gone))->start(0ms);
  world.run_until("it deleted itself", [&] { return gone; });
}

TEST_CASE("destroying an armed timer aborts and names it", "[R6]") {
  const std::string message = message_of([] {
    const auto proactor = make_proactor();
    struct Armed : proa::TimerHandler {
      using TimerHandler::TimerHandler;
      void on_timer(std::uint64_t) override {}
    };
    Armed timer(*proactor);
    timer.start(1h);
  });
  CHECK(message.find("TimerHandler") != std::string::npos);
  CHECK(message.find("armed") != std::string::npos);
}

TEST_CASE("K08: an armed timer that is closed is silent, and cannot be started", "[R6][K08]") {
  World world;
  Ticking timer(*world);
  timer.start(0ms);
  timer.close();
  CHECK(timer.closing());
  timer.start(0ms);
  timer.start_every(1ms);
  timer.start_every(0ms);
  timer.stop();
  CHECK(timer.closed == 0);
  CHECK(!timer.armed());
  world.run_until("it was closed", [&] { return timer.closed > 0; });
  world.turn();
  CHECK(timer.closed == 1);
  CHECK(timer.calls.empty());
  CHECK(timer.errors.empty());
  // After that it is as good as new.
  timer.start(0ms);
  world.run_until("it fired", [&] { return timer.calls.size() == 1; });
}

TEST_CASE("K06: a periodic timer may be closed and deleted in its own callback", "[R6][K06]") {
  World world;
  struct Closing : proa::TimerHandler {
    Closing(proa::Proactor& proactor, int& flag) : TimerHandler(proactor), calls(flag) {}
    void on_timer(std::uint64_t) override {
      ++calls;
      close();
    }
    void on_closed() override {
      calls += 100;
      delete this;
    }
    int& calls;
  };
  int calls = 0;
  (new Closing(*world, calls))->start_every(1us);
  world.run_until("it was closed", [&] { return calls >= 100; });
  CHECK(calls == 101);
}

TEST_CASE("a period that is none is an error, told from the loop", "[R2]") {
  World world;
  Ticking timer(*world);
  SECTION("and the timer is idle again") {
    timer.start_every(GENERATE(Duration(0), Duration(-1)));
    CHECK(timer.errors.empty());
    CHECK(!timer.armed());
    world.run_until("the error was told", [&] { return !timer.errors.empty(); });
    CHECK(!timer.is_open());
  }
  SECTION("in which it may be closed") {
    timer.closes_on_error = true;
    timer.start_every(Duration(0));
    world.run_until("it was closed", [&] { return timer.closed > 0; });
  }
  REQUIRE(timer.errors.size() == 1);
  CHECK(timer.errors[0] == std::errc::invalid_argument);
  CHECK(timer.calls.empty());
}

TEST_CASE("memory that is short when a timer is started is an error", "[R2]") {
  World world;
  std::vector<std::unique_ptr<Ticking>> timers;
  for (int i = 0; i < 200; ++i) timers.push_back(std::make_unique<Ticking>(*world));
  {
    FailingAllocation failing(1, true);
    for (auto& timer : timers) timer->start(1ms);
    REQUIRE(failing.stop());
  }
  world.run_until("all ended", [&] {
    std::size_t ended = 0;
    for (auto& timer : timers) ended += timer->calls.size() + timer->errors.size();
    return ended == timers.size();
  });
  const auto& last = *timers.back();
  REQUIRE(last.errors.size() == 1);
  CHECK(last.errors[0] == std::errc::not_enough_memory);
}

TEST_CASE("M09: the clock is CLOCK_MONOTONIC", "[R7][M09]") {
  World world;
  const auto read = [] {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return TimePoint(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
  };
  const TimePoint before = read();
  const TimePoint seen = world.system().now();
  CHECK(before <= seen);
  CHECK(seen <= read());
}

#ifdef __linux__
// Runs a timer of `delay`, started both ways, in a new time namespace whose monotonic clock is a
// day ahead (time_namespaces(7)), which only a child can enter. Tells what happened by throwing.
[[noreturn]] void time_in_another_namespace(Duration delay) {
  if (::unshare(CLONE_NEWTIME) != 0) throw std::runtime_error("refused");
  std::ofstream("/proc/self/timens_offsets") << "monotonic 86400 0" << std::endl;
  if (::fork() != 0) {
    int status = 0;
    ::wait(&status);
    ::_exit(0);
  }
  const auto proactor = make_proactor();
  for (const bool at : {false, true}) {
    Ticking timer(*proactor);
    const TimePoint start = proactor->system().now();
    if (start < TimePoint(24h)) throw std::runtime_error("the clock is not that of the namespace");
    if (at) {
      timer.start_at(start + delay);
    } else {
      timer.start(delay);
    }
    proactor->run();
    const Duration took = proactor->system().now() - start;
    if (timer.calls.size() != 1) throw std::runtime_error("it did not fire");
    if (took < delay) throw std::runtime_error("early");
    if (took > delay + hang) throw std::runtime_error("late");
  }
  throw std::runtime_error("well");
}

TEST_CASE("M09: in a time namespace timers follow its clock", "[R7][M09]") {
  const std::string outcome = message_of([] { time_in_another_namespace(5ms); });
  if (outcome == "refused") {
    // Needs CAP_SYS_ADMIN, and a kernel with time namespaces.
    skip("time namespaces are refused here (unshare(2), CLONE_NEWTIME)", true);
    return;
  }
  CHECK(outcome == "well");
}
#endif

TEST_CASE("a deadline beyond all time is never reached", "[R7]") {
  World world;
  Ticking timer(*world), other(*world);
  timer.start(Duration::max());
  CHECK(world->next_deadline() == proa::never);
  other.start(2ms);
  world.run_until("the other one fired", [&] { return !other.calls.empty(); });
  CHECK(timer.calls.empty());
}

TEST_CASE("timers allocate nothing in steady state", "[R10]") {
  World world;
  Ticking once(*world), again(*world);
  once.then = [&] { once.start(0ms); };
  again.calls.reserve(100000);
  once.calls.reserve(100000);
  once.start(0ms);
  again.start_every(10us);
  world.run_until("they are warm", [&] { return once.calls.size() > 10; });
  const std::uint64_t before = allocations();
  for (int i = 0; i < 200; ++i) world->run_once(1ms);
  CHECK(allocations() == before);
}

}  // namespace
