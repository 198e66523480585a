// A stream's input: it reads continuously, and pauses without losing a byte. Upholds R1 (verbs only
// note what to do) and R5.
#include <proa/error.hpp>
#include <proa/stream_handler.hpp>

#include "base/error_code.hpp"
#include "handler/handler_loop.hpp"
#include "handler/stream_parts.hpp"
#include "handler/stream_states.hpp"

namespace proa {

void StreamHandler::start_reading() noexcept {
  check_("start_reading");
  wants_input_ = true;
  if (!live_()) return;
  if (output_ != Output::broken) return resume_held_();
  // Gives on_read() what had come before the error that on_error() told.
  if (input_ == Input::rest) judge_(Verdict::error);
}

void StreamHandler::stop_reading() noexcept {
  check_("stop_reading");
  wants_input_ = false;
  if (live_()) update_reading_();
}

// The handler wants input again. It gets the bytes that were kept first, then the end or new bytes.
void StreamHandler::resume_held_() noexcept {
  if (!held_.empty() || input_waits_for_filter_() || receiving_file_() || is_ended(input_) ||
      verdict_ != Verdict::none) {
    notify_later_(notice_read);
  }
  await_input_();
}

void StreamHandler::await_input_() noexcept {
  if (timing_()) timing_()->silent_since = system_now_();
  update_reading_();
}

// Submits or cancels the receive, so that one is at the backend exactly while the stream wants
// input.
void StreamHandler::update_reading_() noexcept {
  if (proactor_.core().inherited()) return;  // a callback of the filter has called fork(2)
  // A filter often gives a few blocks for one: the receive that is there goes on meanwhile.
  const bool goes_on = receiving_file_() || (filter_() && recv_.pending());
  const bool full = filter_() ? filter_is_ahead_() : held_.capacity() >= file_backlog;
  const bool room = !input_waits_for_filter_() && (held_.empty() || (goes_on && !full));
  const bool asked = reads_() || (filter_() && filter_()->wants_input());
  const bool wanted = connected() && announced_() && live_() && output_ != Output::broken &&
                      verdict_ == Verdict::none &&
                      (input_ == Input::flows ? asked && room : input_ == Input::dropped);
  if (wanted == recv_.pending()) return;
  if (!wanted) return proactor_.core().cancel(recv_);
  recv_.prepare(descriptor());
  recv_.set_scatters(true);
  if (const std::error_code error = proactor_.submit(recv_)) fail_(to_negative(error));
}

void StreamHandler::received_(RecvBuffers& request, const Result& result) {
  Buffer buffer = std::move(request.buffer());
  if (closing() || output_ == Output::broken) return;
  if (buffer) {
    if (timing_()) timing_()->silent_since = timing_()->idle_since = system_now_();
    if (!gives(input_) || is_ended(input_)) return;
    const bool plain = !request.has_further() && !filter_() && held_.empty() && !receiving_file_();
    if (plain && reads_()) return read_next_(buffer);
    return received_blocks_(std::move(buffer), request);
  }
  if (request.pending() || lingered_in_vain_(result, 0)) return;
  // Only this stream cancels its receive.
  const bool ended = result.error != std::errc::operation_canceled;
  if (ended) input_ended_(to_negative(result.error));
  if (verdict_ != Verdict::none) return notify_later_(notice_read);
  if (!ended) return update_reading_();
  if (output_ == Output::lingering) return close_if_finished_();
  // If a send has failed already, the handler hears of that in this round, in place of the end.
  if (receiving_file_() || sending_()) return notify_later_(notice_read);
  if (held_.empty() && reads_()) tell_end_();
}

// One call may have received into several blocks. An exception from one on_read(), or stop(),
// leaves the others for later.
void StreamHandler::received_blocks_(Buffer buffer, RecvBuffers& request) {
  std::size_t told = 0;
  struct Rest {
    StreamHandler& stream;
    RecvBuffers& request;
    ~Rest() {
      if (stream.takes_input_()) stream.keep_further_(request);
    }
  } const rest{*this, request};
  do {
    if (filter_()) {
      received_by_filter_(std::move(buffer));
    } else if (reads_() && held_.empty() && !receiving_file_()) {
      ++told;
      read_next_(buffer);
    } else {
      hold_back_(std::move(buffer));
    }
    if (!takes_input_() || !proactor_.core().may_tell()) break;
    buffer = request.take_further();
  } while (buffer);
  proactor_.core().told(told);
}

// Whether what is received is anybody's.
bool StreamHandler::takes_input_() const noexcept {
  return goes_on_() && output_ != Output::broken && gives(input_) && !is_ended(input_);
}

// With a filter, that has not seen these bytes yet.
void StreamHandler::keep_further_(RecvBuffers& request) noexcept {
  if (!request.has_further()) return;
  while (Buffer buffer = request.take_further()) {
    proactor_.core().pool().turn_to_writing(buffer);
    filter_() ? extras_()->came.push(std::move(buffer)) : held_.push(std::move(buffer));
  }
  notify_later_(notice_read);
}

// What is kept here must not keep the blocks that other streams receive into (R8).
void StreamHandler::hold_back_(Buffer buffer) {
  proactor_.core().pool().turn_to_writing(buffer);
  held_.push(std::move(buffer));
  if (receiving_file_()) receive_file_part_();
}

void StreamHandler::input_ended_(std::int32_t error) noexcept {
  // Behind an end that the filter has given nothing that becomes of the connection is news.
  if (input_ != Input::closed) input_error_ = static_cast<std::int16_t>(error);
  if (!filter_() || extras_()->failed) {
    input_ = after(input_, InputEvent::end);
    return;
  }
  ask_filter_for_end_();
  if (error == 0 || input_ != Input::passing) return;
  // The filter still has something to give, and may be waited for no longer than the linger time.
  output_error_ = static_cast<std::int16_t>(error);
  output_failed_();
}

// Gives the handler the oldest buffer that was kept, or the end behind the last one.
void StreamHandler::give_held_() {
  if (!reads_() || output_ == Output::broken) return update_reading_();
  if (receiving_file_()) return receive_file_part_();
  if (held_.empty() && input_waits_for_filter_()) {
    feed_filter_();
    if (proactor_.core().inherited()) return;
    if (held_.empty()) return notify_later_(notice_read);
  }
  if (held_.empty()) return is_ended(input_) ? tell_end_() : update_reading_();
  Buffer buffer = held_.pop();
  proactor_.core().pool().turn_to_receiving(buffer);
  if (!held_.empty() || input_waits_for_filter_() || is_ended(input_)) {
    update_reading_();
    notify_later_(notice_read);
  } else {
    await_input_();
  }
  read_next_(buffer);
}

// Calls on_read(). If the output is above its high mark, no other on_read() follows until the
// output has fallen.
void StreamHandler::read_next_(Buffer& data) {
  if (const Hold next = after_reading(hold_); next != hold_) set_hold_(next);
  on_read(data);
}

void StreamHandler::tell_end_() {
  if (!is_ended(input_)) return;
  // What was sent is told before an error is.
  if (input_error_ != 0 && taken_ > 0) return notify_later_(notice_read);
  input_ = after(input_, InputEvent::tell);
  if (input_error_ != 0) return broken_(to_error_code(input_error_));
  on_end();
}

}  // namespace proa
