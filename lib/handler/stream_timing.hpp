#pragma once

#include <proa/stream_handler.hpp>

namespace proa {
inline namespace v0 {

/// A stream's timeouts; the first timeout that is set makes this. One timer serves all of them:
/// when it fires, the stream compares the times of the last bytes to see whether a timeout is
/// really due. The stream takes these times from the clock, because the time of the round may be
/// long past when other callbacks were slow (R7).
struct StreamHandler::StreamTiming {
  explicit StreamTiming(StreamHandler& stream) : timer(stream) {}

  /// What was set holds for the next connection too.
  void forget_connection() noexcept {
    linger = Duration::max();
    look_at = keep_until = never;
    ran_out = RanOut::nothing;
    overdue = false;
  }

  On<Timer, &StreamHandler::timer_expired_> timer;
  Duration read = Duration::max();
  Duration idle = Duration::max();
  Duration linger = Duration::max();
  TimePoint silent_since;  // since then reading is on, and nothing came
  TimePoint idle_since;    // since then nothing moved
  TimePoint sent_last;     // when bytes were last sent, or finish() was called
  // The time that has run out. The operation that the stream waits for is ended, and what the
  // kernel has for it by now decides.
  enum class RanOut : std::uint8_t { nothing, linger, idle };
  RanOut ran_out = RanOut::nothing;
  bool overdue = false;       // the deadline of the server's drain has passed
  TimePoint look_at = never;  // when look_() shall run again
  // so long the input is kept after a failed send, before the error is told
  TimePoint keep_until = never;
};

}  // namespace v0
}  // namespace proa
