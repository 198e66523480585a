// What other threads may do: post, stop, notify, give buffers back (R9).
#include <atomic>
#include <csignal>
#include <deque>
#include <proa/notifier.hpp>
#include <thread>

#include "support/patterns.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

// One post of a numbered sequence.
struct Numbered {
  Numbered(std::vector<std::size_t>& into, std::size_t of) : seen(into), number(of) {}
  void run() { seen.push_back(number); }
  std::vector<std::size_t>& seen;
  const std::size_t number;
  proa::OnPost<&Numbered::run> post{*this};
};

TEST_CASE("X01: posts of 8 threads run once each, in the order of each thread",
          "[R9][X01][thread]") {
  constexpr std::size_t threads = 8;
  const std::size_t each = sanitized() ? 5000 : 100000;
  std::array<std::vector<std::size_t>, threads> seen;
  std::array<std::deque<Numbered>, threads> posts;
  std::vector<std::thread> producers;
  for (std::size_t t = 0; t < threads; ++t) {
    seen[t].reserve(each);
    for (std::size_t i = 0; i < each; ++i) posts[t].emplace_back(seen[t], i);
  }
  std::atomic<std::size_t> refused{0};
  World world;
  {
    const proa::KeepAlive keep_alive(*world);
    for (auto& mine : posts) {
      producers.emplace_back([&] {
        for (Numbered& numbered : mine) {
          if (!world->post(numbered.post)) ++refused;
        }
      });
    }
    world.run_until(
        "all have run",
        [&] {
          std::size_t sum = 0;
          for (const auto& numbers : seen) sum += numbers.size();
          return sum == threads * each;
        },
        20s);
  }
  for (std::thread& producer : producers) producer.join();
  CHECK(refused == 0);
  for (const auto& numbers : seen) {
    REQUIRE(numbers.size() == each);
    CHECK(std::is_sorted(numbers.begin(), numbers.end()));
    CHECK(numbers.back() == each - 1);
  }
  CHECK(world->counters().posts == threads * each);
}

TEST_CASE("X01: a post wakes a sleeping run()", "[R9][X01][thread]") {
  World world;
  proa::TimePoint posted;
  proa::TimePoint ran;
  auto keep_alive = std::make_unique<proa::KeepAlive>(*world);
  for (int i = 0; i < 50; ++i) {
    bool done = false;
    std::thread other([&] {
      posted = world.system().now();
      if (!world->post([&] {
            ran = world.system().now();
            done = true;
          })) {
        std::abort();
      }
    });
    while (!done) world->run_once(hang);
    other.join();
    REQUIRE(ran - posted < hang);
  }
}

TEST_CASE("X03: a posted callable runs once, or is destroyed unrun", "[R9][X03]") {
  // What it captured shows that it was destroyed.
  const auto witness = std::make_shared<int>(0);
  World world;
  SECTION("run") {
    REQUIRE(world->post([witness] { ++*witness; }));
    CHECK(*witness == 0);
    CHECK(world->run() == 1);
    CHECK(*witness == 1);
  }
  SECTION("shut down before its turn") {
    REQUIRE(world->post([witness] { ++*witness; }));
    CHECK(world->shutdown(hang) == 0);
    CHECK(*witness == 0);
  }
  SECTION("posted after shutdown") {
    CHECK(world->shutdown(hang) == 0);
    CHECK(!world->post([witness] { ++*witness; }));
    CHECK(*witness == 0);
  }
  SECTION("never run, proactor destroyed") {
    REQUIRE(world->post([witness] { ++*witness; }));
    world.end();
    CHECK(*witness == 0);
  }
  CHECK(witness.use_count() == 1);
}

TEST_CASE("X03: threads that post while the proactor shuts down are told", "[R9][X03][thread]") {
  std::atomic<std::size_t> run{0};
  std::atomic<std::size_t> accepted{0};
  std::atomic<bool> refused{false};
  const auto witness = std::make_shared<int>(0);
  World world;
  std::vector<std::thread> producers;
  for (int t = 0; t < 4; ++t) {
    producers.emplace_back([&] {
      while (world->post([&, witness] { ++run; })) ++accepted;
      refused = true;
    });
  }
  world.run_until("some have run", [&] { return run > 100; });
  CHECK(world->shutdown(hang) == 0);
  for (std::thread& producer : producers) producer.join();
  CHECK(refused);
  CHECK(run <= accepted);
  CHECK(witness.use_count() == 1);
}

TEST_CASE("a post may be posted again from its own callback", "[R9]") {
  std::vector<std::size_t> seen;
  World world;
  Numbered numbered(seen, 7);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(world->post(numbered.post));
    CHECK(world->run() == 1);
  }
  CHECK(seen == std::vector<std::size_t>{7, 7, 7});
}

TEST_CASE("posts run in the order in which they were posted", "[R9]") {
  std::string order;
  World world;
  for (const char c : {'a', 'b', 'c', 'd'}) REQUIRE(world->post([&order, c] { order += c; }));
  CHECK(world->run() == 4);
  CHECK(order == "abcd");
}

TEST_CASE("stop() of another thread ends a sleeping run()", "[R9][thread]") {
  World world;
  const proa::KeepAlive keep_alive(*world);
  for (int i = 0; i < 20; ++i) {
    std::thread other([&] { world->stop(); });
    CHECK(world->run() == 0);
    other.join();
  }
}

struct Bell : proa::Notifier {
  using Notifier::Notifier;
  ~Bell() override = default;
  void on_notify() override { ++rings; }
  void on_closed() override { ++closed; }
  std::size_t rings = 0;
  std::size_t closed = 0;
};

TEST_CASE("a notifier calls at least once after the last notify()", "[R9][thread]") {
  World world;
  {
    Bell bell(*world);
    bell.start();
    const proa::KeepAlive keep_alive(*world);
    std::atomic<std::size_t> done{0};
    std::vector<std::thread> others;
    for (int t = 0; t < 4; ++t) {
      others.emplace_back([&] {
        for (int i = 0; i < 5000; ++i) bell.notify();
        ++done;
      });
    }
    world.run_until("all have notified", [&] { return done == 4; });
    const std::size_t before = bell.rings;
    bell.notify();
    world.run_until("it rang once more", [&] { return bell.rings > before; });
    CHECK(bell.rings <= 20001);
    for (std::thread& other : others) other.join();
    bell.close();
    world.run_until("it is closed", [&] { return bell.closed == 1; });
  }
}

TEST_CASE("a notifier does not keep run() going", "[R9]") {
  World world;
  Bell bell(*world);
  bell.start();
  CHECK(world->run() == 0);
  bell.notify();
  CHECK(world->run() == 1);
  CHECK(bell.rings == 1);
  bell.close();
  world.run_until("it is closed", [&] { return bell.closed == 1; });
}

std::atomic<proa::Proactor*> stopped_by_signal{nullptr};
std::atomic<Bell*> rung_by_signal{nullptr};

TEST_CASE("stop() and notify() may be called from a signal handler", "[R9]") {
  World world;
  Bell bell(*world);
  bell.start();
  stopped_by_signal = &*world;
  rung_by_signal = &bell;
  struct sigaction action = {};
  struct sigaction before = {};
  action.sa_handler = [](int) {
    rung_by_signal.load()->notify();
    stopped_by_signal.load()->stop();
  };
  REQUIRE(::sigaction(SIGUSR1, &action, &before) == 0);
  const proa::KeepAlive keep_alive(*world);
  for (std::size_t i = 1; i <= 20; ++i) {
    ::raise(SIGUSR1);
    world->run();
    world.run_until("it rang", [&] { return bell.rings == i; });
  }
  ::sigaction(SIGUSR1, &before, nullptr);
  bell.close();
  world.run_until("it is closed", [&] { return bell.closed == 1; });
}

TEST_CASE("a buffer may be destroyed on any thread, and after its proactor", "[R9][thread]") {
  std::vector<proa::Buffer> kept;
  {
    auto proactor = make_proactor();
    proactor->poll();
    for (int i = 0; i < 200; ++i) {
      kept.push_back(proactor->take_buffer());
      REQUIRE(kept.back());
      REQUIRE(kept.back().append("payload") == 7);
    }
    std::vector<std::thread> others;
    for (int t = 0; t < 4; ++t) {
      std::vector<proa::Buffer> mine;
      for (int i = 0; i < 40; ++i) {
        mine.push_back(std::move(kept.back()));
        kept.pop_back();
      }
      others.emplace_back([given = std::move(mine)]() mutable { given.clear(); });
    }
    for (int i = 0; i < 100; ++i) proactor->take_buffer();
    for (std::thread& other : others) other.join();
    CHECK(proactor->shutdown(hang) == 0);
  }
  std::thread last([&] {
    for (proa::Buffer& buffer : kept) {
      if (buffer.text() != "payload") std::abort();
    }
    kept.clear();
  });
  last.join();
  CHECK(kept.empty());
}

TEST_CASE("everything may begin on another thread than the one that runs", "[R9][thread]") {
  Read read;
  Timing timer;
  World world;
  const Connection line = world.pair();
  world.submit(read.from(line.descriptor()));
  world.submit(timer.request, world.in(1ms));
  line.far.send("x");
  line.far.turn();
  std::thread loop([&] {
    world->run();
    if (world->shutdown(hang) != 0) std::abort();
  });
  loop.join();
  CHECK(read.text() == "x");
  CHECK(timer.done());
  // Shut down on its thread, it may be destroyed on this one.
  world.end(true);
}

}  // namespace
