// A stream's output: what is written in one callback is queued, then sent gathered; the watermarks
// hold the input back while the queue is long. Upholds R1, R5 (one send in flight) and R10.
#include <cerrno>
#include <proa/error.hpp>
#include <proa/stream_handler.hpp>
#include <utility>

#include "base/error_code.hpp"
#include "handler/handler_loop.hpp"
#include "handler/stream_parts.hpp"
#include "handler/stream_states.hpp"

namespace proa {

void StreamHandler::on_write(std::size_t) {}

const Watermarks& StreamHandler::watermarks() const noexcept {
  static constexpr Watermarks defaults;
  return extras_() ? extras_()->watermarks : defaults;
}

void StreamHandler::set_watermarks(const Watermarks& watermarks) noexcept {
  check_("set_watermarks");
  if (watermarks.low > watermarks.high) return refuse_("set_watermarks", -EINVAL);
  if (!need_extras_()) return refuse_("set_watermarks", -ENOMEM);
  const bool held = held_back_();
  extras_()->watermarks = watermarks;
  queue_grew_();
  held && !held_back_() ? resume_held_() : update_reading_();
  if (connected() && announced_() && drained_()) notify_later_(notice_written);
}

bool StreamHandler::drained_() const noexcept {
  return is_filled(hold_) && queue_.capacity() <= watermarks().low;
}

void StreamHandler::set_hold_(Hold hold) noexcept {
  const bool held = held_back_();
  hold_ = hold;
  held && !held_back_() ? resume_held_() : update_reading_();
}

// A verb that needs a connection, on a stream that has none and opens none: told from the loop if
// connect() has not been called by then.
void StreamHandler::need_connection_() noexcept {
  if (connection_ > StreamConnection::none) return;
  connection_ = StreamConnection::missed;
  notify_later_(notice_error);
}

bool StreamHandler::accepts_output_(const char* verb) noexcept {
  start_(verb);
  if (!live_()) return false;
  need_connection_();
  switch (output_) {
    case Output::open:
      return true;
    case Output::cut:
    case Output::failed:
    case Output::broken:
      return false;
    default:
      fail_(code_of(Error::closing));
      return false;
  }
}

bool StreamHandler::exceeds_limit_(std::size_t more) noexcept {
  const std::size_t limit = watermarks().limit;
  if (more <= limit && queue_.capacity() <= limit - more) return false;
  refuse_write_(code_of(Error::write_limit));
  return true;
}

void StreamHandler::write(Buffer buffer) noexcept {
  if (!accepts_output_("write")) return;
  if (!buffer) return refuse_write_(-ENOBUFS);
  if (exceeds_limit_(buffer.capacity())) return;
  if (filter_()) return write_filtered_(std::move(buffer));
  proactor_.core().pool().turn_to_writing(buffer);
  queue_.push(std::move(buffer));
  queue_grew_();
}

void StreamHandler::write(Bytes bytes) noexcept {
  if (accepts_output_("write")) copy_(&bytes, 1);
}

void StreamHandler::writev(const Bytes* pieces, std::size_t count) noexcept {
  if (accepts_output_("writev")) copy_(pieces, count);
}

void StreamHandler::copy_(const Bytes* pieces, std::size_t count) noexcept {
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const bool nowhere = pieces[i].data == nullptr && pieces[i].size > 0;
    if (nowhere || pieces[i].size > PTRDIFF_MAX - size)
      return refuse_write_(code_of(Error::bad_length));
    size += pieces[i].size;
  }
  if (exceeds_limit_(size)) return;
  if (filter_()) return write_filtered_(pieces, count, size);
  if (!queue_.push(pieces, count, proactor_.core().pool())) {
    queue_.drop_unfinished();
    return refuse_write_(-ENOBUFS);
  }
  queue_grew_();
}

// Behind a gap nothing makes sense: what was queued before it is sent, and that is all. The error
// is told behind the last on_write(), because the handler mostly closes then.
void StreamHandler::refuse_write_(std::int32_t error) noexcept {
  output_ = after(output_, OutputEvent::cut);
  refused_ = static_cast<std::int16_t>(error);
  if (queue_.empty()) return tell_refusal_();
  // Told from the loop, unless connect() is called before: then what is queued goes out first.
  if (connection_ < StreamConnection::connecting) notify_later_(notice_error);
}

void StreamHandler::tell_refusal_() noexcept {
  if (refused_ == 0) return;
  refusal_due_ = std::exchange(refused_, std::int16_t{0});
  fail_(refusal_due_);
}

// on_error() is about to tell this error. Without memory for the error of the refused write, ENOMEM
// stands for it (fail_()).
void StreamHandler::refusal_told_(std::int32_t error) noexcept {
  if (refusal_due_ == 0 || (error != refusal_due_ && error != -ENOMEM)) return;
  refusal_due_ = 0;
  reopen_output_();
}

// A program that was told of a refused write, and has no connection and opens none, knows of the
// gap, and may connect elsewhere: what it writes from then on is sent. A stream that did not get
// its filter has no input either, and must not send without it.
void StreamHandler::reopen_output_() noexcept {
  const bool told = refused_ == 0 && refusal_due_ == 0;
  if (!told || connection_ >= StreamConnection::connecting || input_ != Input::flows) return;
  output_ = after(output_, OutputEvent::reopen);
}

void StreamHandler::queue_grew_() noexcept {
  // A queue that is not sent any more never falls, so it must not hold the input back.
  const bool fills = output_ < Output::failed && queue_.capacity() > watermarks().high;
  if (fills && !is_filled(hold_)) set_hold_(after_filling(hold_));
  if (!sending_() && !queue_.empty()) proactor_.core().flush_later(*this);
}

void StreamHandler::loop_flush() {
  if (state_ != HandlerState::open || !connected() || !announced_() || !sends(output_) ||
      sending_() || queue_.empty() || taken_ > 0) {
    return close_if_finished_();
  }
  if (queue_.begins_with_nothing()) return notify_later_(notice_written);
  if (queue_.first_file()) return send_file_part_();
  HandlerLoop& core = proactor_.core();
  StreamSend* const send = core.stream_sends().next();
  if (!send) return fail_(-ENOMEM);
  send->request().prepare(descriptor(), queue_.first());
  std::size_t taken = 0;
  if (const std::error_code error = core.send(send->request(), taken)) {
    return fail_(to_negative(error));
  }
  if (taken > 0) return sent_at_once_(taken);
  send_ = core.stream_sends().take();
  send_->lend(*this);
}

// The kernel has taken bytes, and no operation tells it.
void StreamHandler::sent_at_once_(std::size_t bytes) {
  if (timing_()) timing_()->sent_last = timing_()->idle_since = system_now_();
  HandlerLoop& core = proactor_.core();
  if (!core.tells_at_once()) {
    taken_ = bytes;
    return notify_later_(notice_written);
  }
  const Core::CallbackScope scope(core);
  if (tells_only_(bytes)) return;
  taken_ = bytes;
  tell_written_();
}

// Nearly always the kernel has taken all of the one write that there is, and nothing else waits for
// the end of that write. Tells it then; else returns false.
bool StreamHandler::tells_only_(std::size_t bytes) {
  const bool plain = output_ == Output::open && write_progress_ == 0 && !filter_() &&
                     !is_filled(hold_) && refused_ == 0;
  if (!plain || !queue_.consume_only(bytes)) return false;
  on_write(bytes);
  return true;
}

void StreamHandler::send_ended_(const Result& result) {
  proactor_.core().stream_sends().give_back(std::move(send_));
  sent_(result);
}

void StreamHandler::sent_(const Result& result) {
  if (closing()) return;
  const std::size_t seen = files_() ? std::exchange(files_()->seen, 0) : 0;
  const std::size_t moved = result.bytes - seen;  // since the stream looked last
  if (timing_() && moved > 0) timing_()->sent_last = timing_()->idle_since = system_now_();
  if (output_ == Output::broken) {
    queue_.clear();
    if (timing_() && timing_()->ran_out == StreamTiming::RanOut::idle) idle_send_ended_();
    return;
  }
  if (!timing_() && !files_() && !result.error && taken_ == 0 && tells_only_(result.bytes)) return;
  taken_ += result.bytes;
  if (lingered_in_vain_(result, moved)) return;
  if (timing_() && timing_()->ran_out == StreamTiming::RanOut::idle) idle_send_ended_();
  // A deadline that has come is the linger time's alone.
  if (result.error && result.error != Error::deadline) {
    output_error_ = static_cast<std::int16_t>(to_negative(result.error));
  }
  tell_written_();
}

// Whether bytes can go out, or have and were not told yet.
bool StreamHandler::output_goes_on_() noexcept {
  return taken_ > 0 || (sending_() && proactor_.system().writable(descriptor()));
}

// Takes what was sent off the queue, one on_write() at a time; many leave others their turn, and an
// exception from one leaves the rest for later. An error of the send comes behind them.
void StreamHandler::tell_written_() {
  std::size_t told = 0;
  struct Resume {
    StreamHandler& stream;
    const std::size_t& told;
    bool done = false;
    ~Resume() {
      stream.proactor_.core().told(told);
      if (!done && stream.state_ == HandlerState::open) stream.notify_later_(notice_written);
    }
  } resume{*this, told};
  bool goes_on = true;
  for (; goes_on && !queue_.empty() && told < HandlerLoop::most_told; ++told) {
    // Writes of nothing that follow themselves must leave others their turn (R8).
    if (told > 0 && taken_ == 0 && queue_.begins_with_nothing()) break;
    bool write_ended = false;
    const std::size_t part = queue_.consume(taken_, write_ended);
    taken_ -= part;
    write_progress_ += part;
    if (!write_ended) break;
    on_write(payload_written_());
    goes_on = goes_on_();
  }
  resume.done = true;
  if (!goes_on) return;
  if (taken_ > 0) return notify_later_(notice_written);
  if (output_error_ != 0 && output_ < Output::failed) return output_failed_();

  if (queue_.empty() && !sending_()) tell_refusal_();
  const bool drained = this->drained_();
  if (drained) set_hold_(Hold::clear);
  if (!queue_.empty()) {
    proactor_.core().flush_later(*this);
  } else if (ends(output_) && !sending_()) {
    end_output_();
  }
  if (drained && !closing()) on_drained();
}

}  // namespace proa
