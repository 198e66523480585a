// A stream's timeouts. A moved byte does not move the timer: when the timer fires, the stream
// compares the time of the last bytes. Upholds R7 (no timeout is early, or told while the kernel
// has something for the stream).

#include <algorithm>
#include <cerrno>
#include <new>
#include <proa/error.hpp>
#include <proa/stream_handler.hpp>

#include "handler/handler_loop.hpp"
#include "handler/stream_parts.hpp"
#include "handler/stream_states.hpp"

namespace proa {

StreamHandler::StreamTiming* StreamHandler::need_timing_() noexcept {
  if (!timing_()) {
    if (need_parts_()) parts_->timing.reset(new (std::nothrow) StreamTiming(*this));
    if (!timing_()) refuse_("timing", -ENOMEM);
  }
  return timing_();
}

bool StreamHandler::take_limit_(const char* verb, Duration limit) noexcept {
  check_(verb);
  if (limit > Duration::zero()) return need_timing_() != nullptr;
  refuse_(verb, -EINVAL);
  return false;
}

void StreamHandler::set_read_timeout(Duration limit) noexcept {
  if (!take_limit_("set_read_timeout", limit)) return;
  timing_()->read = limit;
  timing_()->silent_since = system_now_();
  if (live_()) arm_timer_();
}

void StreamHandler::set_idle_timeout(Duration limit) noexcept {
  if (!take_limit_("set_idle_timeout", limit)) return;
  timing_()->idle = limit;
  timing_()->idle_since = system_now_();
  if (live_()) arm_timer_();
}

void StreamHandler::start_timing_() noexcept {
  timing_()->silent_since = timing_()->idle_since = system_now_();
  arm_timer_();
}

TimePoint StreamHandler::system_now_() const noexcept { return proactor_.system().now(); }

// Whether the stream waits for input, of the peer or, behind the peer's end, of the filter. While
// it does not, because the handler wants none or the input has ended, the read timeout stands
// still.
bool StreamHandler::silent_() const noexcept {
  return connected() && reads_() && held_.empty() && output_ != Output::broken &&
         (input_ == Input::flows || input_ == Input::passing);
}

// Behind finish() the linger time takes its place.
TimePoint StreamHandler::idle_until_() const noexcept {
  const bool asks = timing_()->ran_out == StreamTiming::RanOut::idle;
  return finishing_ || asks ? never : after(timing_()->idle_since, timing_()->idle);
}

// When finish() has waited for long enough.
TimePoint StreamHandler::linger_until_() const noexcept {
  const bool asks = timing_()->ran_out == StreamTiming::RanOut::linger;
  return asks ? never : after(timing_()->sent_last, timing_()->linger);
}

TimePoint StreamHandler::next_timeout_() const noexcept {
  const TimePoint since = silent_() ? timing_()->silent_since : proactor_.core().now();
  return std::min({after(since, timing_()->read), idle_until_(), linger_until_()});
}

void StreamHandler::arm_timer_() noexcept {
  const TimePoint next = verdict_ == Verdict::none ? next_timeout_() : timing_()->look_at;
  if (next == never) return proactor_.core().disarm(timing_()->timer);
  if (!proactor_.core().arm(timing_()->timer, next)) fail_(-ENOMEM);
}

// Whether a timeout is due. It is not if the kernel has bytes that the stream has not read yet, or,
// while a send waits, room for its bytes.
bool StreamHandler::timed_out_(TimePoint now) noexcept {
  System& system = proactor_.system();
  const bool read = silent_() && after(timing_()->silent_since, timing_()->read) <= now;
  const bool idle = idle_until_() <= now;
  if (!read && !idle) return false;
  // What the stream has, and the handler or a file did not get yet, did not come late.
  if (reads_() && !held_.empty()) return false;
  const bool takes =
      (reads_() && held_.empty() && input_ != Input::passing) || input_ == Input::dropped;
  if (takes && connected() && system.readable(descriptor())) return false;
  return read || !output_goes_on_();
}

void StreamHandler::timer_expired_(const Result&) {
  if (verdict_ != Verdict::none) {
    timing_()->look_at = never;
    return notify_later_(notice_read);
  }
  const TimePoint now = proactor_.core().now();
  note_file_progress_();
  if (next_timeout_() > now) return arm_timer_();
  if (linger_until_() <= now) return linger_ended_();
  if (timed_out_(now)) {
    const bool read = silent_() && after(timing_()->silent_since, timing_()->read) <= now;
    return sending_() && !read ? ask_send_() : judge_(Verdict::timeout);
  }
  look_later_(after(now, next_look));
}

// The linger time has run out. Only the kernel knows what has come, and what has found room, by
// now (R7). So the stream ends the operation that it waits for, and that one's result says whether
// anything moved.
void StreamHandler::linger_ended_() noexcept {
  const bool writes_nothing = !queue_.empty() && queue_.begins_with_nothing();
  const bool goes_on = taken_ > 0 || !announced_() || writes_nothing;
  Operation* waits = nullptr;
  if (connection_ == StreamConnection::connecting) {
    waits = connect_request_();
  } else if (goes_on) {
    return look_later_(after(system_now_(), next_look));
  } else if (sending_()) {
    waits = send_request_();
  } else if (output_ == Output::lingering && recv_.pending()) {
    waits = &recv_;
  }
  if (!waits) return linger_over_();
  timing_()->ran_out = StreamTiming::RanOut::linger;
  proactor_.core().expire(*waits);
}

// The stream has been idle for long enough, and a send waits. The system reports room only when a
// good part of the socket's buffer is free: a peer that reads slowly, but reads, makes less. So the
// stream ends the send, and the result of that says whether the kernel took anything.
void StreamHandler::ask_send_() noexcept {
  timing_()->ran_out = StreamTiming::RanOut::idle;
  proactor_.core().expire(*send_request_());
}

// That send has ended.
void StreamHandler::idle_send_ended_() noexcept {
  timing_()->ran_out = StreamTiming::RanOut::nothing;
  if (verdict_ != Verdict::none) return;
  timed_out_(system_now_()) ? judge_(Verdict::timeout) : arm_timer_();
}

// finish() waits no longer, except for errors that are due.
void StreamHandler::linger_over_() noexcept {
  output_ = after(output_, OutputEvent::done);
  close_if_finished_();
}

// An operation has ended, and has moved so many bytes since the stream last looked. Returns true if
// the linger time has ended it, and nothing moved: nothing is left to do then.
bool StreamHandler::lingered_in_vain_(const Result& result, std::size_t moved) noexcept {
  if (!timing_() || timing_()->ran_out != StreamTiming::RanOut::linger) return false;
  timing_()->ran_out = StreamTiming::RanOut::nothing;
  if (result.error == Error::deadline && moved == 0) {
    linger_over_();
    return true;
  }
  timing_()->sent_last = system_now_();
  arm_timer_();
  return false;
}

// The core has delivered all that the backend had for the stream: tells the timeout if it is still
// due.
void StreamHandler::look_at_silence_() {
  const TimePoint now = system_now_();
  verdict_ = Verdict::none;
  notify_later_(notice_read);  // the next round goes on reading, or tells the end
  if (!timed_out_(now)) {
    return next_timeout_() > now ? arm_timer_() : look_later_(after(now, next_look));
  }
  timing_()->silent_since = timing_()->idle_since = now;
  arm_timer_();
  on_error(Error::deadline);
}

}  // namespace proa
