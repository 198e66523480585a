// A stream's output: what is written in one callback is queued, then sent gathered; the watermarks
// hold the input back while the queue is long. Upholds R1, R5 (one send in flight) and R10.
#include <cerrno>
#include <proa/error.hpp>
#include <proa/stream_handler.hpp>
#include <utility>

#include "base/error_code.hpp"
#include "handler/handler_loop.hpp"
#include "handler/stream_extras.hpp"
#include "handler/stream_files.hpp"
#include "handler/stream_states.hpp"
#include "handler/stream_timing.hpp"

namespace proa {

void StreamHandler::on_write(std::size_t) {}

const Watermarks& StreamHandler::watermarks() const noexcept {
  static constexpr Watermarks defaults;
  return extras_ ? extras_->watermarks : defaults;
}

void StreamHandler::set_watermarks(const Watermarks& watermarks) noexcept {
  check("set_watermarks");
  if (watermarks.low > watermarks.high) return refuse("set_watermarks", -EINVAL);
  if (!extras()) return refuse("set_watermarks", -ENOMEM);
  const bool held = held_back();
  extras_->watermarks = watermarks;
  queue_grew();
  held && !held_back() ? resume_held() : update_reading();
  if (connected() && announced() && drained()) notify_later(notice_written);
}

bool StreamHandler::drained() const noexcept {
  return is_filled(hold_) && queue_.capacity() <= watermarks().low;
}

void StreamHandler::set_hold(Hold hold) noexcept {
  const bool held = held_back();
  hold_ = hold;
  held && !held_back() ? resume_held() : update_reading();
}

// A verb that needs a connection, on a stream that has none and opens none: told from the loop if
// connect() has not been called by then.
void StreamHandler::need_connection() noexcept {
  if (connection_ > Connection::none) return;
  connection_ = Connection::missed;
  notify_later(notice_error);
}

bool StreamHandler::accepts_output(const char* verb) noexcept {
  start(verb);
  if (!live()) return false;
  need_connection();
  switch (output_) {
    case Output::open:
      return true;
    case Output::cut:
    case Output::failed:
    case Output::broken:
      return false;
    default:
      fail(code_of(Error::closing));
      return false;
  }
}

bool StreamHandler::exceeds_limit(std::size_t more) noexcept {
  const std::size_t limit = watermarks().limit;
  if (more <= limit && queue_.capacity() <= limit - more) return false;
  refuse_write(code_of(Error::write_limit));
  return true;
}

void StreamHandler::write(Buffer buffer) noexcept {
  if (!accepts_output("write")) return;
  if (!buffer) return refuse_write(-ENOBUFS);
  if (exceeds_limit(buffer.capacity())) return;
  if (filter()) return write_filtered(std::move(buffer));
  proactor_.core().pool().turn_to_writing(buffer);
  queue_.push(std::move(buffer));
  queue_grew();
}

void StreamHandler::write(Bytes bytes) noexcept {
  if (accepts_output("write")) copy(&bytes, 1);
}

void StreamHandler::writev(const Bytes* pieces, std::size_t count) noexcept {
  if (accepts_output("writev")) copy(pieces, count);
}

void StreamHandler::copy(const Bytes* pieces, std::size_t count) noexcept {
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const bool nowhere = pieces[i].data == nullptr && pieces[i].size > 0;
    if (nowhere || pieces[i].size > PTRDIFF_MAX - size)
      return refuse_write(code_of(Error::bad_length));
    size += pieces[i].size;
  }
  if (exceeds_limit(size)) return;
  if (filter()) return write_filtered(pieces, count, size);
  if (!queue_.push(pieces, count, proactor_.core().pool())) {
    queue_.drop_unfinished();
    return refuse_write(-ENOBUFS);
  }
  queue_grew();
}

// Behind a gap nothing makes sense: what was queued before it is sent, and that is all. The error
// is told behind the last on_write(), because the handler mostly closes then.
void StreamHandler::refuse_write(std::int32_t error) noexcept {
  output_ = after(output_, OutputEvent::cut);
  refused_ = error;
  if (queue_.empty() || connection_ < Connection::connecting) tell_refusal();
}

void StreamHandler::tell_refusal() noexcept {
  if (refused_ == 0 || error_ != 0) return;  // another error is told first, and calls this again
  fail(std::exchange(refused_, 0));
}

void StreamHandler::queue_grew() noexcept {
  // A queue that is not sent any more never falls, so it must not hold the input back.
  const bool fills = output_ < Output::failed && queue_.capacity() > watermarks().high;
  if (fills && !is_filled(hold_)) set_hold(after_filling(hold_));
  if (!sending() && !queue_.empty()) proactor_.core().flush_later(*this);
}

void StreamHandler::loop_flush() noexcept {
  if (state_ != State::open || !connected() || !announced() || !sends(output_) || sending() ||
      queue_.empty() || taken_ > 0) {
    return close_if_finished();
  }
  if (queue_.begins_with_nothing()) return notify_later(notice_written);
  if (queue_.first_file()) return send_file_part();
  send_.prepare(descriptor(), queue_.first());
  if (proactor_.core().send_at_once(send_)) return;
  if (const std::error_code error = proactor_.submit(send_)) fail(to_negative(error));
}

void StreamHandler::sent(const Result& result) {
  if (closing()) return;
  if (output_ == Output::broken) return queue_.clear();
  taken_ += result.bytes;
  if (timing_ && result.bytes > 0) timing_->sent_last = timing_->idle_since = system_now();
  const std::size_t seen = files_ ? std::exchange(files_->seen, 0) : 0;
  if (lingered_in_vain(result, result.bytes - seen)) return;
  // A deadline that has come is the linger time's alone.
  if (result.error && result.error != Error::deadline) output_error_ = to_negative(result.error);
  tell_written();
}

// Whether bytes can go out, or have and were not told yet.
bool StreamHandler::output_goes_on() noexcept {
  return taken_ > 0 || (sending() && proactor_.system().writable(descriptor()));
}

// Takes what was sent off the queue, one on_write() at a time; many leave others their turn, and an
// exception from one leaves the rest for later. An error of the send comes behind them.
void StreamHandler::tell_written() {
  struct Resume {
    StreamHandler& stream;
    bool done = false;
    ~Resume() {
      if (!done && stream.state_ == State::open) stream.notify_later(notice_written);
    }
  } resume{*this};
  for (std::size_t told = 0; !queue_.empty() && told < HandlerLoop::most_told; ++told) {
    // Writes of nothing that follow themselves must leave others their turn (R8).
    if (told > 0 && taken_ == 0 && queue_.begins_with_nothing()) break;
    bool write_ended = false;
    const std::size_t part = queue_.consume(taken_, write_ended);
    taken_ -= part;
    write_progress_ += part;
    if (!write_ended) break;
    on_write(payload_written());
    if (closing()) break;
  }
  resume.done = true;
  if (closing()) return;
  if (taken_ > 0) return notify_later(notice_written);
  if (output_error_ != 0 && output_ < Output::failed) return output_failed();

  if (queue_.empty() && !sending()) tell_refusal();
  const bool drained = this->drained();
  if (drained) set_hold(Hold::clear);
  if (!queue_.empty()) {
    proactor_.core().flush_later(*this);
  } else if (ends(output_) && !sending()) {
    end_output();
  }
  if (drained && !closing()) on_drained();
}

}  // namespace proa
