// The timer heap against a sorted map: random arming, removing and firing.
#include "proactor/timers.hpp"

#include <array>
#include <map>
#include <memory>
#include <proa/on.hpp>
#include <proa/requests.hpp>
#include <random>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace {

using proa::TimePoint;
using proa::Timers;

TimePoint at(int tick) { return TimePoint(std::chrono::nanoseconds(tick)); }

struct Armed {
  proa::Timer operation;
  std::uint32_t place = Timers::none;
};

TEST_CASE("an empty heap has nothing due and no next deadline", "[timers]") {
  Timers timers;
  CHECK(timers.empty());
  CHECK(timers.next() == proa::never);
  CHECK(timers.due(proa::never, timers.mark()) == nullptr);
}

TEST_CASE("equal deadlines are due in the order they were armed", "[timers][R7][M01]") {
  Timers timers;
  std::array<Armed, 100> armed;
  for (Armed& one : armed) REQUIRE(timers.add(one.operation, one.place, at(5)));
  for (Armed& one : armed) {
    REQUIRE(timers.due(at(5), timers.mark()) == &one.operation);
    timers.remove(one.place);
  }
  CHECK(timers.empty());
}

TEST_CASE("nothing is due a tick too early", "[timers][R7]") {
  Timers timers;
  Armed one;
  REQUIRE(timers.add(one.operation, one.place, at(5)));
  CHECK(timers.next() == at(5));
  CHECK(timers.due(at(4), timers.mark()) == nullptr);
  CHECK(timers.due(at(5), timers.mark()) == &one.operation);
  timers.remove(one.place);
}

TEST_CASE("what is armed behind the mark waits", "[timers][R8]") {
  Timers timers;
  Armed first, second;
  REQUIRE(timers.add(first.operation, first.place, at(1)));
  const std::uint64_t mark = timers.mark();
  REQUIRE(timers.due(at(9), mark) == &first.operation);
  timers.remove(first.place);
  REQUIRE(timers.add(second.operation, second.place, at(0)));
  CHECK(timers.due(at(9), mark) == nullptr);
  CHECK(timers.due(at(9), timers.mark()) == &second.operation);
  timers.remove(second.place);
}

TEST_CASE("the heap agrees with a sorted map", "[timers][R7]") {
  const unsigned seed = GENERATE(1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u);
  // Few distinct deadlines, or many.
  const int spread = seed % 2 == 0 ? 8 : 1000000;
  CAPTURE(seed);
  std::minstd_rand random(seed);
  std::vector<std::unique_ptr<Armed>> idle;
  for (int i = 0; i < 300; ++i) idle.push_back(std::make_unique<Armed>());

  Timers timers;
  std::multimap<TimePoint, std::unique_ptr<Armed>> model;  // equal keys in order of insertion
  const auto disarm = [&](auto where) {
    timers.remove(where->second->place);
    idle.push_back(std::move(where->second));
    model.erase(where);
  };
  for (int step = 0; step < 20000; ++step) {
    // Phases of growth and of shrinking.
    const unsigned growth = (step / 500) % 2 == 0 ? 6 : 2;
    const unsigned dice = static_cast<unsigned>(random()) % 10;
    if (dice < growth) {
      if (idle.empty()) continue;
      const TimePoint deadline = at(static_cast<int>(random() % static_cast<unsigned>(spread)));
      std::unique_ptr<Armed> one = std::move(idle.back());
      idle.pop_back();
      REQUIRE(timers.add(one->operation, one->place, deadline));
      REQUIRE(timers.deadline(one->place) == deadline);
      model.emplace(deadline, std::move(one));
    } else if (model.empty()) {
      continue;
    } else if (dice % 2 == 0) {
      disarm(std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % model.size())));
    } else {
      REQUIRE(timers.due(timers.next(), timers.mark()) == &model.begin()->second->operation);
      disarm(model.begin());
    }
    REQUIRE(timers.empty() == model.empty());
    REQUIRE(timers.next() == (model.empty() ? proa::never : model.begin()->first));
  }
  while (!model.empty()) {
    REQUIRE(timers.due(proa::never, timers.mark()) == &model.begin()->second->operation);
    disarm(model.begin());
  }
  CHECK(timers.empty());
}

TEST_CASE("a removed timer has no place, and the others keep theirs", "[timers]") {
  Timers timers;
  std::array<Armed, 40> armed;
  for (int i = 0; i < 40; ++i) {
    Armed& one = armed[static_cast<std::size_t>(i)];
    REQUIRE(timers.add(one.operation, one.place, at(i * 7 % 40)));
  }
  for (int i = 0; i < 40; i += 2) {
    Armed& one = armed[static_cast<std::size_t>(i)];
    timers.remove(one.place);
    CHECK(one.place == Timers::none);
  }
  for (int i = 1; i < 40; i += 2) {
    CHECK(timers.deadline(armed[static_cast<std::size_t>(i)].place) == at(i * 7 % 40));
  }
  int visited = 0;
  timers.each([&](proa::Operation&) { ++visited; });
  CHECK(visited == 20);
  for (Armed& one : armed) {
    if (one.place != Timers::none) timers.remove(one.place);
  }
}

}  // namespace
