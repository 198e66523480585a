// A stream's input: it reads continuously, and pauses without losing a byte. Upholds R1 (verbs only
// note what to do) and R5.
#include <proa/error.hpp>
#include <proa/stream_handler.hpp>

#include "base/error_code.hpp"
#include "handler/handler_loop.hpp"
#include "handler/stream_extras.hpp"
#include "handler/stream_files.hpp"
#include "handler/stream_states.hpp"
#include "handler/stream_timing.hpp"

namespace proa {

void StreamHandler::start_reading() noexcept {
  check("start_reading");
  wants_input_ = true;
  if (!live()) return;
  if (output_ != Output::broken) return resume_held();
  // Gives on_read() what had come before the error that on_error() told.
  if (input_ == Input::rest) judge(Verdict::error);
}

void StreamHandler::stop_reading() noexcept {
  check("stop_reading");
  wants_input_ = false;
  if (live()) update_reading();
}

// The handler wants input again. It gets the bytes that were kept first, then the end or new bytes.
void StreamHandler::resume_held() noexcept {
  if (!held_.empty() || input_waits_for_filter() || receiving_file() || is_ended(input_) ||
      verdict_ != Verdict::none) {
    notify_later(notice_read);
  }
  await_input();
}

void StreamHandler::await_input() noexcept {
  if (timing_) timing_->silent_since = system_now();
  update_reading();
}

// Submits or cancels the receive, so that one is at the backend exactly while the stream wants
// input.
void StreamHandler::update_reading() noexcept {
  // A filter often gives a few blocks for one: the receive that is there goes on meanwhile.
  const bool goes_on = receiving_file() || (filter() && recv_.pending());
  const bool full = filter() ? filter_is_ahead() : held_.capacity() >= file_backlog;
  const bool room = !input_waits_for_filter() && (held_.empty() || (goes_on && !full));
  const bool asked = reads() || (filter() && filter()->wants_input());
  const bool wanted = connected() && announced() && live() && output_ != Output::broken &&
                      verdict_ == Verdict::none &&
                      (input_ == Input::flows ? asked && room : input_ == Input::dropped);
  if (wanted == recv_.pending()) return;
  if (!wanted) return proactor_.core().cancel(recv_);
  recv_.prepare(descriptor());
  if (const std::error_code error = proactor_.submit(recv_)) fail(to_negative(error));
}

void StreamHandler::received(RecvBuffers& request, const Result& result) {
  Buffer buffer = std::move(request.buffer());
  if (closing() || output_ == Output::broken) return;
  if (buffer) {
    if (timing_) timing_->silent_since = timing_->idle_since = system_now();
    if (!gives(input_) || is_ended(input_)) return;
    if (filter()) return received_by_filter(std::move(buffer));
    if (reads() && held_.empty() && !receiving_file()) return read_next(buffer);
    // What is kept here must not keep the blocks that other streams receive into (R8).
    proactor_.core().pool().turn_to_writing(buffer);
    held_.push(std::move(buffer));
    if (receiving_file()) receive_file_part();
    return;
  }
  if (request.pending() || lingered_in_vain(result, 0)) return;
  // Only this stream cancels its receive.
  const bool ended = result.error != std::errc::operation_canceled;
  if (ended) input_ended(to_negative(result.error));
  if (verdict_ != Verdict::none) return notify_later(notice_read);
  if (!ended) return update_reading();
  if (output_ == Output::lingering) return close_if_finished();
  // If a send has failed already, the handler hears of that in this round, in place of the end.
  if (receiving_file() || sending()) return notify_later(notice_read);
  if (held_.empty() && reads()) tell_end();
}

void StreamHandler::input_ended(std::int32_t error) noexcept {
  // Behind an end that the filter has given nothing that becomes of the connection is news.
  if (input_ != Input::closed) input_error_ = error;
  if (!filter() || extras_->failed) {
    input_ = after(input_, InputEvent::end);
    return;
  }
  ask_filter_for_end();
  if (error == 0 || input_ != Input::passing) return;
  // The filter still has something to give, and may be waited for no longer than the linger time.
  output_error_ = error;
  output_failed();
}

// Gives the handler the oldest buffer that was kept, or the end behind the last one.
void StreamHandler::give_held() {
  if (!reads() || output_ == Output::broken) return update_reading();
  if (receiving_file()) return receive_file_part();
  if (held_.empty() && input_waits_for_filter()) {
    feed_filter();
    if (held_.empty()) return notify_later(notice_read);
  }
  if (held_.empty()) return is_ended(input_) ? tell_end() : update_reading();
  Buffer buffer = held_.pop();
  proactor_.core().pool().turn_to_receiving(buffer);
  if (!held_.empty() || input_waits_for_filter() || is_ended(input_)) {
    update_reading();
    notify_later(notice_read);
  } else {
    await_input();
  }
  read_next(buffer);
}

// Calls on_read(). If the output is above its high mark, no other on_read() follows until the
// output has fallen.
void StreamHandler::read_next(Buffer& data) {
  if (const Hold next = after_reading(hold_); next != hold_) set_hold(next);
  on_read(data);
}

void StreamHandler::tell_end() {
  if (!is_ended(input_)) return;
  // What was sent is told before an error is.
  if (input_error_ != 0 && taken_ > 0) return notify_later(notice_read);
  input_ = after(input_, InputEvent::tell);
  if (input_error_ != 0) return broken(to_error_code(input_error_));
  on_end();
}

}  // namespace proa
