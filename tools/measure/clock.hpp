// The time, for what is measured.
#pragma once

#include <cstdint>
#include <ctime>

namespace measure {

/// Nanoseconds since some moment.
inline std::int64_t now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1000000000 + time.tv_nsec;
}

inline std::int64_t in(double seconds) { return now() + static_cast<std::int64_t>(seconds * 1e9); }

}  // namespace measure
