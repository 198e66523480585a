#pragma once

#include <chrono>
#include <ctime>
#include <proa/time.hpp>

#include "support/replaced.hpp"

namespace proa_test {

/// While it lives, the test can let time pass. Declare it before the World.
class LeapingClock {
 public:
  LeapingClock() { ahead_ = proa::Duration::zero(); }
  void leap(proa::Duration time) { ahead_ += time; }

 private:
  static long tick(timespec* now) noexcept {
    ::clock_gettime(CLOCK_MONOTONIC, now);
    const proa::Duration told =
        std::chrono::seconds(now->tv_sec) + std::chrono::nanoseconds(now->tv_nsec) + ahead_;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(told);
    now->tv_sec = static_cast<std::time_t>(seconds.count());
    now->tv_nsec = static_cast<long>((told - seconds).count());
    return 0;
  }
  inline static proa::Duration ahead_{0};
  Replaced<long(timespec*) noexcept> clock_{proa::sys::table.clock, tick};
};

}  // namespace proa_test
