#pragma once

#include <chrono>

namespace proa {
inline namespace v0 {

/// Lengths of time, in nanoseconds.
using Duration = std::chrono::nanoseconds;

/// Points on the monotonic clock (CLOCK_MONOTONIC, clock_gettime(2)); the wall clock plays no part.
using TimePoint = std::chrono::steady_clock::time_point;

/// A point that is never reached: "no deadline". (Hidden, because gcc would have a plugin that
/// takes its address stay loaded for ever.)
inline constexpr TimePoint never [[gnu::visibility("hidden")]] = TimePoint::max();

/// `start + length`, `never` where the sum would overflow; a negative length counts as zero.
constexpr TimePoint after(TimePoint start, Duration length) noexcept {
  if (length <= Duration::zero()) return start;
  return length >= never - start ? never : start + length;
}

}  // namespace v0
}  // namespace proa
