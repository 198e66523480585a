// Reconnector: how long it waits, and of what that is made.
#include <algorithm>
#include <list>

#include "reconnector_rig.hpp"
#include "support/replaced.hpp"

namespace {

using namespace proa_test;
using proa::Backoff;
using proa::Duration;

TEST_CASE("reconnector: waits are drawn from the whole of their range", "[reconnect]") {
  std::list<Again> all;
  World world;
  const Backoff backoff{1s, 50s, 0};
  constexpr int tries = 12;
  Duration shortest[tries], longest[tries];
  std::fill_n(shortest, tries, Duration::max());
  std::fill_n(longest, tries, Duration::min());
  for (int i = 0; i < 100; ++i) {
    Again again(*world, backoff);
    for (int n = 0; n < tries; ++n) {
      again.failed();
      again.stop();
      shortest[n] = std::min(shortest[n], again.delay());
      longest[n] = std::max(longest[n], again.delay());
    }
    CHECK(again.attempt() == tries);
    again.succeeded();
    again.failed();
    CHECK(again.delay() <= 1s);
    again.stop();
  }
  for (int n = 0; n < tries; ++n) {
    const Duration most = n < 6 ? Duration(1s) * (1 << n) : Duration(50s);
    CAPTURE(n, shortest[n].count(), longest[n].count());
    CHECK(shortest[n] >= 0s);
    CHECK(longest[n] <= most);
    CHECK(shortest[n] < most / 4);  // by chance not once in 10^12 runs
    CHECK(longest[n] > most / 4 * 3);
  }
}

long all_ones(void* data, std::size_t size) noexcept {
  std::fill_n(static_cast<unsigned char*>(data), size, static_cast<unsigned char>(0xff));
  return static_cast<long>(size);
}
long none(void*, std::size_t) noexcept { return -5; }

TEST_CASE("reconnector: the wait is made of the system's entropy", "[reconnect]") {
  World world;
  constexpr Backoff longest{Duration::max(), Duration::max(), 0};
  {
    const Replaced replaced(proa::sys::table.entropy, all_ones);
    Again again(*world, Backoff{999ns, 5s, 0});
    again.failed();
    CHECK(again.delay() == Duration(~std::uint64_t{0} % 1000));
    again.stop();
    Again never(*world, longest);
    never.failed();
    CHECK(never.delay() == Duration::max());
    never.stop();
    never.failed();  // twice that would overflow
    CHECK(never.delay() == Duration::max());
    never.stop();
  }
  // Without, it is drawn all the same.
  const Replaced replaced(proa::sys::table.entropy, none);
  Duration most{};
  for (int i = 0; i < 100; ++i) {
    Again again(*world, Backoff{1s, 1s, 0});
    again.failed();
    CHECK(again.delay() >= 0s);
    CHECK(again.delay() <= 1s);
    most = std::max(most, again.delay());
    again.stop();
  }
  CHECK(most > 500ms);
}

TEST_CASE("reconnector: no attempt comes before its wait is over", "[R7][reconnect]") {
  std::list<Again> all;
  World world;
  Again& again = all.emplace_back(*world, Backoff{20ms, 20ms, 0});
  proa::TimePoint due;
  int early = 0;
  const auto fail = [&] {
    const proa::TimePoint before = world.system().now();
    again.failed();
    due = before + again.delay();
  };
  again.then = [&] {
    early += world.system().now() < due;
    if (again.attempts.size() < 10) fail();
  };
  fail();
  world->run();
  CHECK(early == 0);
  CHECK(again.attempts.size() == 10);
}

}  // namespace
