// A verdict is what the handler will be told: a timeout, a failed send, or that the server drains.
// Before that the handler gets all input that had come. The stream cancels its receive, and the
// core delivers in order what the backend has for the stream; after that the stream reads from the
// socket itself. Upholds R7 (what has arrived comes before what is overdue) and R11 (without a free
// block the stream reads again later).
#include <algorithm>
#include <chrono>
#include <proa/error.hpp>
#include <proa/stream_handler.hpp>

#include "base/error_code.hpp"
#include "handler/handler_loop.hpp"
#include "handler/stream_parts.hpp"
#include "handler/stream_states.hpp"

namespace proa {

namespace {

/// What had come, if the system does not know how much that is: such a descriptor holds little.
constexpr long unknown_input = long{1} << 20;

}  // namespace

void StreamHandler::judge_(Verdict verdict) noexcept {
  verdict_ = verdict;
  // A peer that never stops sending must not put the verdict off for ever, nor fill the memory.
  const long unread = proactor_.system().unread(descriptor());
  last_input_ = static_cast<std::uint32_t>(unread < 0 ? unknown_input : unread);
  update_reading_();
  if (!recv_.pending()) notify_later_(notice_read);
}

void StreamHandler::look_() {
  if (recv_.pending()) return;  // the end of the receive calls look_() again
  // finish() may wait for the peer's end, which came while the timeout was judged.
  close_if_finished_();
  if (closing() || output_ == Output::done) return;
  if (verdict_ == Verdict::timeout) return look_at_silence_();
  if (is_error(verdict_) && !wants_input_ && gives(input_)) return keep_last_input_();
  give_last_input_();
}

// Calls on_read() with what is left, or tells the verdict if nothing is.
void StreamHandler::give_last_input_() {
  const bool into_file = reads_() && receiving_file_();
  if (into_file && (!held_.empty() || files_()->wanted.begins_with_nothing())) {
    return receive_file_part_();  // the end of the step calls look_() again
  }
  Buffer buffer;
  if (reads_()) {
    if (!held_.empty()) {
      buffer = held_.pop();
      proactor_.core().pool().turn_to_receiving(buffer);
    } else if (!take_last_input_(buffer)) {
      return wait_to_pronounce_(next_look);
    } else if (buffer && filter_()) {
      notify_later_(notice_read);
      return tell_filter_received_(std::move(buffer));
    }
  }
  if (!buffer && reads_()) {
    const bool done = filter_has_given_all_();
    if (!held_.empty()) return notify_later_(notice_read);  // the filter gave it with the end
    if (!done) return wait_to_pronounce_();
  }
  if (!buffer) return pronounce_();
  notify_later_(notice_read);
  into_file ? held_.push(std::move(buffer)) : read_next_(buffer);
}

// A send failed while reading was off. The stream keeps the input that had come for
// start_reading(), and the error waits for that, but no longer than the linger time, because the
// handler may not mean to read.
void StreamHandler::keep_last_input_() {
  // on_error() has told it: start_reading() goes on with what is left
  if (output_ == Output::broken) {
    verdict_ = Verdict::none;
    if (timing_()) timing_()->keep_until = never;
    return;
  }
  if (held_.empty()) {
    Buffer buffer;
    if (!take_last_input_(buffer)) return wait_to_pronounce_(next_look);
    if (!buffer) {
      const bool done = filter_has_given_all_();
      return done && held_.empty() ? pronounce_() : wait_to_pronounce_();
    }
    if (filter_()) {
      notify_later_(notice_read);
      return tell_filter_received_(std::move(buffer));
    }
    held_.push(std::move(buffer));
  }
  wait_to_pronounce_();
}

// Whether a filter has given all that it will. Before an error it is asked for what it still has,
// unless the error is its own.
bool StreamHandler::filter_has_given_all_() noexcept {
  if (!filter_() || extras_()->failed || extras_()->asked_for_end) return input_ != Input::passing;
  if (input_ == Input::passing || (input_ == Input::flows && is_error(verdict_))) {
    ask_filter_for_end_();
  }
  return input_ != Input::passing;
}

// More input is to come: of the filter, when the handler reads again, or when the pool has a block.
// The verdict waits for it, but no longer than the linger time.
void StreamHandler::wait_to_pronounce_(Duration look_again) {
  if (proactor_.core().inherited()) return;  // the filter has called fork(2)
  if (!need_timing_()) return pronounce_();
  const TimePoint now = system_now_();
  if (timing_()->keep_until == never)
    timing_()->keep_until = after(now, proactor_.options().linger);
  // Behind the deadline of a drain the verdict waits for nothing.
  if (timing_()->overdue || timing_()->keep_until <= now) return pronounce_();
  look_later_(std::min(timing_()->keep_until, after(now, look_again)));
}

// Whether the stream has waited for a block of the pool for the linger time, or the deadline of a
// drain has passed. Blocks beyond the pool's number must not be the rule, so they are not the first
// choice.
bool StreamHandler::waited_for_block_() noexcept {
  if (!need_timing_()) return true;
  const TimePoint now = system_now_();
  if (timing_()->keep_until == never)
    timing_()->keep_until = after(now, proactor_.options().linger);
  return timing_()->overdue || timing_()->keep_until <= now;
}

// Reads what the socket has into a block. The buffer stays empty if nothing is left. Returns false
// if there is no block.
bool StreamHandler::take_last_input_(Buffer& buffer) noexcept {
  if (input_waits_for_filter_()) {
    buffer = extras_()->came.pop();
    return true;
  }
  // Behind the end, or an error before which the filter was asked for the rest, it hears no more.
  const bool asked = filter_() && extras_()->asked_for_end;
  if (input_ == Input::passing || is_ended(input_) || asked) return true;
  System& system = proactor_.system();
  // Behind the last byte that had come only the end is looked for.
  if (last_input_ == 0 && system.unread(descriptor()) != 0) return true;
  if (!system.readable(descriptor())) return true;
  buffer = proactor_.core().pool().take();
  // What had come is no more than the kernel held, and must not be lost for want of a block.
  if (!buffer && waited_for_block_()) buffer = proactor_.core().pool().take_for_writing();
  if (!buffer) return false;
  const long size = system.recv(descriptor(), {buffer.data(), buffer.capacity()});
  if (size > 0) {
    last_input_ -= std::min(last_input_, static_cast<std::uint32_t>(size));
    proactor_.core().pool().fill(buffer, static_cast<std::size_t>(size));
    if (timing_()) timing_()->silent_since = timing_()->idle_since = system_now_();
    return true;
  }
  buffer.reset();
  if (size != -EAGAIN && is_drain(verdict_)) {
    input_ended_(static_cast<std::int32_t>(size));
  }
  return true;
}

// Calls look_() at that time, or in the next round if there is no timer for it.
void StreamHandler::look_later_(TimePoint when) noexcept {
  if (need_timing_()) timing_()->look_at = when;
  if (!timing_() || !proactor_.core().arm(timing_()->timer, when)) notify_later_(notice_read);
}

// The handler has got all input that had come: tells the verdict.
void StreamHandler::pronounce_() {
  const Verdict verdict = verdict_;
  if (is_error(verdict) && taken_ > 0) return notify_later_(notice_read);  // what was sent is first
  if (is_error(verdict) && tries_last_words_()) return;
  if (is_drain(verdict) && is_ended(input_) && reads_()) {
    notify_later_(notice_read);
    return tell_end_();
  }
  verdict_ = Verdict::none;
  if (timing_()) {
    timing_()->keep_until = never;
    arm_timer_();
  }
  if (verdict == Verdict::overdue) return end_overdue_();
  if (timing_() && timing_()->overdue) notify_later_(notice_overdue);
  if (verdict == Verdict::drain) {
    resume_held_();
    return on_drain();
  }
  if (verdict == Verdict::error_and_drain) notify_later_(notice_drain);
  const bool kept = !wants_input_ && !held_.empty();
  input_ = after(input_, kept ? InputEvent::keep : InputEvent::fail);
  broken_(to_error_code(output_error_));
}

// A send failed. The peer may have answered before it went ("too large", and a reset behind it), so
// the handler gets the input before it hears of the error.
void StreamHandler::output_failed_() noexcept {
  output_ = after(output_, OutputEvent::fail);
  hold_ = Hold::clear;  // queue_grew_() says why
  judge_(verdict_ == Verdict::drain ? Verdict::error_and_drain : Verdict::error);
}

void StreamHandler::loop_drain() {
  if (is_error(verdict_)) {
    verdict_ = Verdict::error_and_drain;
  } else if (connected() && wants_input_ && gives(input_) && output_ != Output::broken) {
    judge_(Verdict::drain);
  } else {
    on_drain();
  }
}

// The handler gets what had come by the deadline of the drain (R7). If a verdict is open, it comes
// first, and asks for this again.
void StreamHandler::loop_overdue() {
  if (!connected() || output_ == Output::broken || !need_timing_()) return close();
  timing_()->overdue = true;
  if (verdict_ == Verdict::drain && !finishing_) return notify_later_(notice_read);
  if (finishing_ || !wants_input_ || !gives(input_)) return end_overdue_();
  const bool judges = verdict_ == Verdict::none || verdict_ == Verdict::timeout;
  judges ? judge_(Verdict::overdue) : notify_later_(notice_read);
}

// From here on the stream is as behind finish() with a linger time of nothing: what the kernel has
// room for goes out, and the stream closes.
void StreamHandler::end_overdue_() noexcept {
  finish();
  if (!live_()) return;
  timing_()->linger = Duration::zero();
  arm_timer_();
}

}  // namespace proa
