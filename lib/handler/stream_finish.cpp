// How a stream ends: its output, and then, when nothing is left to wait for, the stream itself.
// Upholds R1 (verbs only note what to do) and R6.
#include <proa/stream_handler.hpp>

#include "handler/handler_loop.hpp"
#include "handler/stream_parts.hpp"
#include "handler/stream_states.hpp"

namespace proa {

void StreamHandler::half_close() noexcept {
  start_("half_close");
  if (!live_() || (output_ != Output::open && output_ != Output::cut)) return;
  output_ = after(output_, OutputEvent::half_close);
  need_connection_();
  end_output_if_sent_();
}

void StreamHandler::finish() noexcept {
  check_("finish");
  if (is_over_() || !open_up_() || finishing_) return;
  finishing_ = true;
  input_ = after(input_, InputEvent::finish);
  output_ = after(output_, OutputEvent::finish);
  drop_received_files_();
  close_if_finished_();
  if (closing()) return;
  if (StreamTiming* const timing = this->need_timing_()) {
    timing->linger = proactor_.options().linger;
    timing->sent_last = system_now_();
    arm_timer_();
  }
  update_reading_();
  if (is_error(verdict_)) notify_later_(notice_read);  // it waits for the handler no more
  end_output_if_sent_();
}

void StreamHandler::end_output_if_sent_() noexcept {
  if (ends(output_) && connected() && announced_() && queue_.empty() && !sending_()) end_output_();
}

// The kernel has taken everything.
void StreamHandler::end_output_() noexcept {
  if (has_last_words_()) return;  // the stream calls this again when the filter has sent them
  output_ = after(output_, OutputEvent::sent);
  const bool failed = descriptor().is_socket() && socket_.shutdown(ShutdownSide::send);
  // The connection is gone: finish() need not wait for an end of the peer.
  if (failed && finishing_) input_ = after(input_, InputEvent::end);
  close_if_finished_();
}

// Closes behind finish() when nothing is left to wait for. finish() waits
// - for the connection, if connect() is under way;
// - until the queue and the filter's last words have gone out;
// - then for the peer's end: to close with input unread would reset the connection, and could take
//   back bytes that the peer has not seen yet (RFC 1122, 4.2.2.13). Only a socket has a peer;
// - and in any case for the errors that are due.
// Without a connection, or behind its error, only the errors are left. The linger time bounds the
// first three (timer_expired_()).
void StreamHandler::close_if_finished_() noexcept {
  if (!finishing_ || !live_()) return;
  if (output_ == Output::lingering && (input_ == Input::over || !descriptor().is_socket())) {
    output_ = after(output_, OutputEvent::done);
  }
  const bool over = connection_ == StreamConnection::none || output_ >= Output::broken;
  if (over && output_ != Output::broken) tell_refusal_();
  if (over && (notices_ & notice_error) == 0) close();
}

}  // namespace proa
