#pragma once

// A clock that does not count the pauses of a busy machine. Where a test says that something must
// not have timed out yet, a loop that waited for a processor would be taken for a silent peer.

#include <algorithm>
#include <ctime>
#include <mutex>
#include <proa/time.hpp>

#include "support/replaced.hpp"

namespace proa_test {

// While it lives, the clock that proa and World::system() read goes on by `step` at most from one
// reading to the next: a limit of time takes many turns of the loop, however long a turn lasts. Who
// sleeps until then in the kernel wakes early by this clock, and sleeps again. Declare it before
// the World.
class PatientClock {
 public:
  static constexpr proa::Duration step = std::chrono::milliseconds(2);

 private:
  static proa::Duration real() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }
  static long tick(timespec* now) noexcept {
    const std::lock_guard lock(mutex_);
    const proa::Duration read = real();
    told_ += std::min(read - read_, step);
    read_ = read;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(told_);
    now->tv_sec = static_cast<std::time_t>(seconds.count());
    now->tv_nsec = static_cast<long>((told_ - seconds).count());
    return 0;
  }

  inline static std::mutex mutex_;
  inline static proa::Duration read_{0};
  inline static proa::Duration told_{0};

  struct Start {
    Start() { told_ = read_ = real(); }
  } start_;
  Replaced<long(timespec*) noexcept> clock_{proa::sys::table.clock, tick};
};

}  // namespace proa_test
