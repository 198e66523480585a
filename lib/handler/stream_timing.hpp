#pragma once

#include <chrono>
#include <proa/stream_handler.hpp>

namespace proa {

/// A stream's timeouts; made when the first one is asked for. One timer serves all: it is looked at
/// when it fires, and the times of the last bytes say whether anything is really due. They are read
/// from the clock, because the time of the round may be long past when others held it up (R7).
struct StreamHandler::Timing {
  explicit Timing(StreamHandler& stream) : timer(stream) {}

  On<Timer, &StreamHandler::timer_expired> timer;
  Duration read = Duration::max();
  Duration idle = Duration::max();
  Duration linger = Duration::max();
  TimePoint silent_since;        // reading is on, and nothing came
  TimePoint idle_since;          // nothing moved
  TimePoint sent_last;           // or finish() was called
  TimePoint look_at = never;     // for the verdict
  TimePoint keep_until = never;  // what a failed send leaves unread is kept that long untold
};

/// How soon a stream looks again at what the kernel has for it and nobody has taken yet.
constexpr Duration next_look = std::chrono::milliseconds(10);

}  // namespace proa
