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
#include "handler/stream_parts.hpp"
#include "handler/stream_states.hpp"

namespace proa {

StreamHandler::StreamExtras* StreamHandler::need_extras_() noexcept {
  if (!extras_() && need_parts_()) parts_->extras.reset(new (std::nothrow) StreamExtras);
  return extras_();
}

void StreamHandler::set_filter(std::unique_ptr<StreamFilter> filter) noexcept {
  check_("set_filter");
  if (!filter || closing() || proactor_.shutting_down()) return;
  bool set = need_extras_() != nullptr;
  // Behind a filter the sizes of the queued writes are known already.
  const detail::Segment* const unknown = this->filter_() ? nullptr : queue_.first();
  for (const detail::Segment* s = unknown; set && s; s = s->next) {
    if (s->ends_write) set = extras_()->payloads.push(StreamExtras::as_sent);
  }
  if (!set) {
    // Without the filter that the program asked for, the stream must not send a byte more.
    output_ = after(output_, OutputEvent::cut);
    input_ = after(input_, InputEvent::fail);
    start_("set_filter");
    return fail_(-ENOMEM);
  }
  filter->stream_ = this;
  const bool replaces = extras_()->filter != nullptr;
  extras_()->filter = std::move(filter);
  if (connected() && announced_()) tell_filter_connected_();
  if (replaces) ask_filter_again_();
}

// What the filter before was asked for and has not done is asked of the one in its place.
void StreamHandler::ask_filter_again_() noexcept {
  if (std::exchange(extras_()->asked_for_end, false) && input_ == Input::passing) {
    ask_filter_for_end_();
  }
  if (extras_()->last_words != StreamExtras::LastWords::asked) return;
  extras_()->last_words = StreamExtras::LastWords::none;
  end_output_if_sent_();
}

void StreamHandler::tell_filter_connected_() {
  StreamFilter* const filter = this->filter_();
  if (!filter) return;
  filter->on_connected();
  update_reading_();
}

void StreamHandler::received_by_filter_(Buffer data) {
  if (extras_()->failed) return;
  if (input_waits_for_filter_() || filter_is_ahead_()) {
    proactor_.core().pool().turn_to_writing(data);  // as what a stream holds (R8)
    extras_()->came.push(std::move(data));
    return update_reading_();
  }
  tell_filter_received_(std::move(data));
  if (proactor_.core().inherited()) return;  // the filter has called fork(2)
  if (!reads_()) return update_reading_();   // the filter may want no more input
  if (!held_.empty()) give_held_();
}

void StreamHandler::tell_filter_received_(Buffer data) noexcept {
  if (extras_()->failed) return;
  extras_()->receiving = true;
  filter_()->on_received(std::move(data));
  extras_()->receiving = false;
}

// Whether the handler has yet to read so much of what the filter gave that the filter must wait: a
// few received bytes may become any number (a decompressor).
bool StreamHandler::filter_is_ahead_() const noexcept {
  return filter_() &&
         held_.capacity() >= (receiving_file_() ? file_backlog : StreamExtras::filter_backlog);
}

// Whether bytes were received that the filter could not get yet.
bool StreamHandler::input_waits_for_filter_() const noexcept {
  return extras_() && !extras_()->came.empty();
}

// The filter gets the oldest input that waits for it, and, behind the last, the end that came.
void StreamHandler::feed_filter_() noexcept {
  Buffer data = extras_()->came.pop();
  proactor_.core().pool().turn_to_receiving(data);
  tell_filter_received_(std::move(data));
  if (proactor_.core().inherited()) return;
  if (input_ == Input::passing && !extras_()->asked_for_end) ask_filter_for_end_();
}

void StreamHandler::write_filtered_(Buffer data) noexcept {
  if (!extras_()->payloads.push(data.size())) return refuse_write_(-ENOMEM);
  if (!data.empty()) filter_()->on_written(std::move(data));
  end_filtered_write_();
}

// The filter is given all of it, or nothing.
void StreamHandler::write_filtered_(const Bytes* pieces, std::size_t count,
                                    std::size_t size) noexcept {
  WriteQueue all;
  Buffer block;
  for (std::size_t i = 0; i < count; ++i) {
    for (Bytes left = pieces[i]; left.size > 0;) {
      if (!block) block = proactor_.core().pool().take_for_writing();
      if (!block) return refuse_write_(-ENOBUFS);
      const std::size_t taken = block.append(left);
      left = {static_cast<const char*>(left.data) + taken, left.size - taken};
      if (block.room() == 0) all.push(std::move(block));
    }
  }
  all.push(std::move(block));
  if (!extras_()->payloads.push(size)) return refuse_write_(-ENOMEM);
  while (!all.empty()) filter_()->on_written(all.pop());
  end_filtered_write_();
}

void StreamHandler::end_filtered_write_() noexcept {
  if (!queue_.end_write(proactor_.core().pool())) return refuse_write_(-ENOMEM);
  queue_grew_();
}

// Returns the count that on_write() tells for the write that has ended.
std::size_t StreamHandler::payload_written_() noexcept {
  const std::size_t sent = std::exchange(write_progress_, 0);
  if (!filter_() || extras_()->payloads.empty()) return sent;
  const std::size_t payload = extras_()->payloads.front();
  extras_()->payloads.pop();
  return payload == StreamExtras::as_sent ? sent : payload;
}

// Whether the filter still has something to send before the stream ends its output.
bool StreamHandler::has_last_words_() noexcept {
  if (!filter_()) return false;
  if (extras_()->last_words == StreamExtras::LastWords::none) {
    extras_()->last_words = StreamExtras::LastWords::asked;
    filter_()->on_finished();
  }
  return extras_()->last_words != StreamExtras::LastWords::said || !queue_.empty();
}

void StreamHandler::filter_sent_end_() noexcept {
  if (!live_() || extras_()->last_words != StreamExtras::LastWords::asked) return;
  extras_()->last_words = StreamExtras::LastWords::said;
  notify_later_(notice_written);  // the stream may end its output now
}

// The filter hears no more of the connection: it gives what it still has, then the end.
void StreamHandler::ask_filter_for_end_() noexcept {
  input_ = after(input_, InputEvent::filter);
  if (input_ != Input::passing || input_waits_for_filter_()) return;
  extras_()->asked_for_end = true;
  filter_()->on_ended();
}

void StreamHandler::given_by_filter_(Buffer data) noexcept {
  if (data.empty() || !live_() || !gives(input_) || is_ended(input_) || extras_()->failed) return;
  proactor_.core().pool().turn_to_writing(data);
  held_.push(std::move(data));
  // Behind the peer's end only the filter moves anything.
  if (timing_() && input_ == Input::passing) {
    timing_()->silent_since = timing_()->idle_since = system_now_();
  }
  if (!extras_()->receiving) notify_later_(notice_read);
}

void StreamHandler::filter_gave_end_() noexcept {
  if (!live_() || (input_ != Input::passing && input_ != Input::flows)) return;
  input_ = after(input_, InputEvent::close);
  extras_()->came.clear();
  update_reading_();
  if (connected() && announced_()) notify_later_(notice_read);
}

void StreamHandler::sent_by_filter_(Buffer data) noexcept {
  if (data.empty() || !live_() || !sends(output_)) return;
  if (extras_()->last_words == StreamExtras::LastWords::said) return;
  proactor_.core().pool().turn_to_writing(data);
  queue_.push(std::move(data), false);
  queue_grew_();
}

void StreamHandler::filter_failed_(std::error_code error) noexcept {
  if (!live_()) return;
  extras_()->failed = true;
  extras_()->came.clear();
  // An error of a send may have waited for the filter's end.
  if (input_ == Input::passing) filter_gave_end_();
  if (output_ >= Output::failed) return;
  if (sends(output_)) extras_()->last_try = StreamExtras::LastTry::due;
  // An error of the connection came first.
  output_error_ = input_error_ != 0 ? input_error_ : static_cast<std::int16_t>(to_negative(error));
  output_failed_();
  if (!sending_() && announced_()) tries_last_words_();
}

// One try to send what a filter had sent before it failed, for an alert of TLS. Returns whether the
// error has to wait: for a send that is under way, or until what was sent has been told.
bool StreamHandler::tries_last_words_() noexcept {
  if (!filter_() || extras_()->last_try == StreamExtras::LastTry::none) return false;
  if (queue_.empty() || !connected() || !descriptor().is_socket()) return false;
  if (sending_()) {
    const bool waits =
        extras_()->last_try == StreamExtras::LastTry::due && output_goes_on_() && need_timing_();
    extras_()->last_try = StreamExtras::LastTry::waits;
    if (waits) look_later_(after(system_now_(), next_look));
    return waits;
  }
  if (taken_ > 0) {  // what was sent is told first, and leaves the queue by that
    notify_later_(notice_written);
    notify_later_(notice_read);
    return true;
  }
  extras_()->last_try = StreamExtras::LastTry::none;
  for (const detail::Segment* s = queue_.first(); s && s->block; s = s->next) {
    const long sent = proactor_.system().send(descriptor(), {s->data, s->size});
    if (sent > 0) taken_ += static_cast<std::size_t>(sent);
    if (sent < static_cast<long>(s->size)) break;
  }
  if (taken_ == 0) return false;
  notify_later_(notice_written);
  notify_later_(notice_read);
  return true;
}

StreamHandler& StreamFilter::checked_stream_(const char* verb) const noexcept {
  const void* const self = this;
  if (!stream_) misuse("StreamFilter %p: %s() before set_filter()", self, verb);
  if (const char* const why = stream_->proactor().core().stray()) {
    misuse("StreamFilter %p: %s() %s", self, verb, why);
  }
  return *stream_;
}

void StreamFilter::give(Buffer data) noexcept {
  checked_stream_("give").given_by_filter_(std::move(data));
}
void StreamFilter::give_end() noexcept { checked_stream_("give_end").filter_gave_end_(); }
void StreamFilter::send(Buffer data) noexcept {
  checked_stream_("send").sent_by_filter_(std::move(data));
}
void StreamFilter::send_end() noexcept { checked_stream_("send_end").filter_sent_end_(); }
void StreamFilter::fail(std::error_code error) noexcept {
  checked_stream_("fail").filter_failed_(error);
}
Proactor& StreamFilter::proactor() const noexcept { return stream_->proactor(); }

}  // namespace proa
