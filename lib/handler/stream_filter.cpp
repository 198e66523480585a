// A filter between the protocol that a stream speaks and its connection. The input that the stream
// keeps is what the filter has made of the received bytes, and the stream's queue holds what the
// filter sends. The stream marks the end of a write behind what the filter has made of that write.
// Upholds R1 (nothing here calls the protocol) and R5.
#include <cerrno>
#include <new>
#include <proa/stream_filter.hpp>
#include <proa/stream_handler.hpp>

#include "base/error_code.hpp"
#include "base/misuse.hpp"
#include "handler/handler_loop.hpp"
#include "handler/stream_extras.hpp"
#include "handler/stream_states.hpp"
#include "handler/stream_timing.hpp"

namespace proa {

StreamHandler::Extras* StreamHandler::extras() noexcept {
  if (!extras_) extras_.reset(new (std::nothrow) Extras);
  return extras_.get();
}

void StreamHandler::set_filter(std::unique_ptr<StreamFilter> filter) noexcept {
  check("set_filter");
  if (!filter || closing() || proactor_.shutting_down()) return;
  bool set = extras() != nullptr;
  // Behind a filter the sizes of the queued writes are known already.
  const detail::Segment* const unknown = this->filter() ? nullptr : queue_.first();
  for (const detail::Segment* s = unknown; set && s; s = s->next) {
    if (s->ends_write) set = extras_->payloads.push(Extras::as_sent);
  }
  if (!set) {
    // Without the filter that the program asked for, the stream must not send a byte more.
    output_ = after(output_, OutputEvent::cut);
    input_ = after(input_, InputEvent::fail);
    start("set_filter");
    return fail(-ENOMEM);
  }
  filter->stream_ = this;
  const bool replaces = extras_->filter != nullptr;
  extras_->filter = std::move(filter);
  if (connected() && announced()) tell_filter_connected();
  if (replaces) ask_filter_again();
}

// What the filter before was asked for and has not done is asked of the one in its place.
void StreamHandler::ask_filter_again() noexcept {
  if (std::exchange(extras_->asked_for_end, false) && input_ == Input::passing) {
    ask_filter_for_end();
  }
  if (extras_->last_words != Extras::LastWords::asked) return;
  extras_->last_words = Extras::LastWords::none;
  end_output_if_sent();
}

void StreamHandler::tell_filter_connected() {
  StreamFilter* const filter = this->filter();
  if (!filter) return;
  filter->on_connected();
  update_reading();
}

void StreamHandler::received_by_filter(Buffer data) {
  if (extras_->failed) return;
  if (input_waits_for_filter() || filter_is_ahead()) {
    extras_->came.push(std::move(data));
    return update_reading();
  }
  tell_filter_received(std::move(data));
  if (!reads()) return update_reading();  // the filter may want no more input
  if (!held_.empty()) give_held();
}

void StreamHandler::tell_filter_received(Buffer data) noexcept {
  if (extras_->failed) return;
  extras_->receiving = true;
  filter()->on_received(std::move(data));
  extras_->receiving = false;
}

// Whether the handler has yet to read so much of what the filter gave that the filter must wait: a
// few received bytes may become any number (a decompressor).
bool StreamHandler::filter_is_ahead() const noexcept {
  return filter() && held_.capacity() >= (receiving_file() ? file_backlog : Extras::filter_backlog);
}

// Whether bytes were received that the filter could not get yet.
bool StreamHandler::input_waits_for_filter() const noexcept {
  return extras_ && !extras_->came.empty();
}

// The filter gets the oldest input that waits for it, and, behind the last, the end that came.
void StreamHandler::feed_filter() noexcept {
  tell_filter_received(extras_->came.pop());
  if (input_ == Input::passing && !extras_->asked_for_end) ask_filter_for_end();
}

void StreamHandler::write_filtered(Buffer data) noexcept {
  if (!extras_->payloads.push(data.size())) return refuse_write(-ENOMEM);
  if (!data.empty()) filter()->on_written(std::move(data));
  end_filtered_write();
}

// The filter is given all of it, or nothing.
void StreamHandler::write_filtered(const Bytes* pieces, std::size_t count,
                                   std::size_t size) noexcept {
  WriteQueue all;
  Buffer block;
  for (std::size_t i = 0; i < count; ++i) {
    for (Bytes left = pieces[i]; left.size > 0;) {
      if (!block) block = proactor_.core().pool().take_for_writing();
      if (!block) return refuse_write(-ENOBUFS);
      const std::size_t taken = block.append(left);
      left = {static_cast<const char*>(left.data) + taken, left.size - taken};
      if (block.room() == 0) all.push(std::move(block));
    }
  }
  all.push(std::move(block));
  if (!extras_->payloads.push(size)) return refuse_write(-ENOMEM);
  while (!all.empty()) filter()->on_written(all.pop());
  end_filtered_write();
}

void StreamHandler::end_filtered_write() noexcept {
  if (!queue_.end_write(proactor_.core().pool())) return refuse_write(-ENOMEM);
  queue_grew();
}

// Returns the count that on_write() tells for the write that has ended.
std::size_t StreamHandler::payload_written() noexcept {
  const std::size_t sent = std::exchange(write_progress_, 0);
  if (!filter() || extras_->payloads.empty()) return sent;
  const std::size_t payload = extras_->payloads.front();
  extras_->payloads.pop();
  return payload == Extras::as_sent ? sent : payload;
}

// Whether the filter still has something to send before the stream ends its output.
bool StreamHandler::has_last_words() noexcept {
  if (!filter()) return false;
  if (extras_->last_words == Extras::LastWords::none) {
    extras_->last_words = Extras::LastWords::asked;
    filter()->on_finished();
  }
  return extras_->last_words != Extras::LastWords::said || !queue_.empty();
}

void StreamHandler::filter_sent_end() noexcept {
  if (!live() || extras_->last_words != Extras::LastWords::asked) return;
  extras_->last_words = Extras::LastWords::said;
  notify_later(notice_written);  // the stream may end its output now
}

// The filter hears no more of the connection: it gives what it still has, then the end.
void StreamHandler::ask_filter_for_end() noexcept {
  input_ = after(input_, InputEvent::filter);
  if (input_ != Input::passing || input_waits_for_filter()) return;
  extras_->asked_for_end = true;
  filter()->on_ended();
}

void StreamHandler::given_by_filter(Buffer data) noexcept {
  if (data.empty() || !live() || !gives(input_) || is_ended(input_) || extras_->failed) return;
  proactor_.core().pool().turn_to_writing(data);
  held_.push(std::move(data));
  // Behind the peer's end only the filter moves anything.
  if (timing_ && input_ == Input::passing) {
    timing_->silent_since = timing_->idle_since = system_now();
  }
  if (!extras_->receiving) notify_later(notice_read);
}

void StreamHandler::filter_gave_end() noexcept {
  if (!live() || (input_ != Input::passing && input_ != Input::flows)) return;
  input_ = after(input_, InputEvent::close);
  extras_->came.clear();
  update_reading();
  if (connected() && announced()) notify_later(notice_read);
}

void StreamHandler::sent_by_filter(Buffer data) noexcept {
  if (data.empty() || !live() || !sends(output_)) return;
  if (extras_->last_words == Extras::LastWords::said) return;
  proactor_.core().pool().turn_to_writing(data);
  queue_.push(std::move(data), false);
  queue_grew();
}

void StreamHandler::filter_failed(std::error_code error) noexcept {
  if (!live()) return;
  extras_->failed = true;
  extras_->came.clear();
  // An error of a send may have waited for the filter's end.
  if (input_ == Input::passing) filter_gave_end();
  if (output_ >= Output::failed) return;
  if (sends(output_)) extras_->last_try = Extras::LastTry::due;
  // An error of the connection came first.
  output_error_ = input_error_ != 0 ? input_error_ : to_negative(error);
  output_failed();
  if (!sending() && announced()) tries_last_words();
}

// One try to send what a filter had sent before it failed, for an alert of TLS. Returns whether the
// error has to wait: for a send that is under way, or until what was sent has been told.
bool StreamHandler::tries_last_words() noexcept {
  if (!filter() || extras_->last_try == Extras::LastTry::none) return false;
  if (queue_.empty() || !connected() || !descriptor().is_socket()) return false;
  if (sending()) {
    const bool waits = extras_->last_try == Extras::LastTry::due && output_goes_on() && timing();
    extras_->last_try = Extras::LastTry::waits;
    if (waits) look_later(after(system_now(), next_look));
    return waits;
  }
  extras_->last_try = Extras::LastTry::none;
  for (const detail::Segment* s = queue_.first(); s && s->block; s = s->next) {
    const long sent = proactor_.system().send(descriptor(), {s->data, s->size});
    if (sent > 0) taken_ += static_cast<std::size_t>(sent);
    if (sent < static_cast<long>(s->size)) break;
  }
  if (taken_ == 0) return false;
  notify_later(notice_written);
  notify_later(notice_read);
  return true;
}

StreamHandler& StreamFilter::stream(const char* verb) const noexcept {
  const void* const self = this;
  if (!stream_) misuse("StreamFilter %p: %s() before set_filter()", self, verb);
  if (const char* const why = stream_->proactor().core().stray()) {
    misuse("StreamFilter %p: %s() %s", self, verb, why);
  }
  return *stream_;
}

void StreamFilter::give(Buffer data) noexcept { stream("give").given_by_filter(std::move(data)); }
void StreamFilter::give_end() noexcept { stream("give_end").filter_gave_end(); }
void StreamFilter::send(Buffer data) noexcept { stream("send").sent_by_filter(std::move(data)); }
void StreamFilter::send_end() noexcept { stream("send_end").filter_sent_end(); }
void StreamFilter::fail(std::error_code error) noexcept { stream("fail").filter_failed(error); }
Proactor& StreamFilter::proactor() const noexcept { return stream_->proactor(); }

}  // namespace proa
