// A stream sends from a file and receives into one. A stretch of a file that is to be sent has its
// place in the queue of writes. It goes out in parts, so that a long stretch shows progress. For
// receive_file() the stream keeps the input as it does while reading is stopped, and writes it into
// the file, one gathered write at a time. Upholds R1 (verbs only note what to do), R5 and R6
// (close() waits for the write, which is on another descriptor).

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <proa/error.hpp>
#include <proa/stream_handler.hpp>

#include "base/error_code.hpp"
#include "handler/handler_loop.hpp"
#include "handler/stream_parts.hpp"
#include "handler/stream_states.hpp"

namespace proa {

namespace {

/// How many bytes one SendFile asks for.
constexpr std::uint64_t part_size = std::uint64_t{1} << 20;
constexpr std::size_t most_pieces = 64;

std::int32_t refusal(Descriptor file, std::uint64_t offset, std::uint64_t length) noexcept {
  if (!file.valid()) return -EBADF;
  return offset > INT64_MAX || length > INT64_MAX - offset ? code_of(Error::bad_offset) : 0;
}

}  // namespace

void StreamHandler::on_received(std::uint64_t) {}

StreamHandler::StreamFiles* StreamHandler::need_files_() noexcept {
  if (!files_() && need_parts_()) parts_->files.reset(new (std::nothrow) StreamFiles(*this));
  return files_();
}

Operation* StreamHandler::send_request_() noexcept {
  if (send_ && send_->pending()) return &send_->request();
  return &files_()->send;
}

void StreamHandler::send_file(Descriptor file, std::uint64_t offset,
                              std::uint64_t length) noexcept {
  if (!accepts_output_("send_file")) return;
  if (const std::int32_t error = refusal(file, offset, length)) return refuse_write_(error);
  if (filter_()) return refuse_write_(-EOPNOTSUPP);  // the file's bytes must not bypass the filter
  if (!need_files_() || !queue_.push(file, offset, length)) return refuse_write_(-ENOMEM);
  queue_grew_();
}

void StreamHandler::send_file_part_() noexcept {
  const detail::FileSegment& next = *queue_.first_file();
  files_()->seen = 0;
  files_()->send.prepare(descriptor(), next.file, next.offset, std::min(next.left, part_size));
  if (const std::error_code error = proactor_.submit(files_()->send)) fail_(to_negative(error));
}

void StreamHandler::file_sent_(SendFile& request, const Result& result) {
  Result told = result;
  if (!result.error && result.bytes < request.length()) told.error = Error::end_of_file;
  sent_(told);
}

// A slow peer takes long for one part. Its progress counts for the timeouts, so that they do not
// take it for a stall. While a write into a file is under way, the disk is waited for, not the
// peer.
void StreamHandler::note_file_progress_() noexcept {
  if (files_() && files_()->write.pending()) timing_()->idle_since = system_now_();
  if (!files_() || !files_()->send.pending()) return;
  const std::size_t moved = proactor_.core().moved(files_()->send);
  if (moved == files_()->seen) return;
  if (moved != SIZE_MAX) files_()->seen = moved;
  timing_()->sent_last = timing_()->idle_since = system_now_();
}

std::uint64_t StreamHandler::file_received() const noexcept {
  return files_() ? files_()->received : 0;
}

void StreamHandler::receive_file(Descriptor file, std::uint64_t offset, std::uint64_t length,
                                 Buffer received) noexcept {
  start_("receive_file");
  if (!live_() || finishing_ || output_ == Output::broken) return;
  if (!gives(input_)) return fail_(code_of(Error::end_of_file));
  need_connection_();
  const bool first = !receiving_file_();
  std::int32_t error = refusal(file, offset, length);
  if (error == 0 && !first && !received.empty()) error = -EALREADY;
  if (error == 0 && (!need_files_() || !files_()->wanted.push(file, offset, length)))
    error = -ENOMEM;
  // Keeps the bytes even if the file is refused, because they are the next ones of the stream.
  if (!received.empty()) held_.push_front(std::move(received));
  if (error != 0) {
    if (reads_()) resume_held_();
    return fail_(error);
  }
  if (first) files_()->received = 0;
  start_reading();
}

// No file waits for input any more: on_read() gets what is left.
void StreamHandler::end_receiving_files_() noexcept {
  files_()->wanted.clear();
  resume_held_();
}

// Goes one step on with the first receive_file(): tells that it is complete, or writes its next
// bytes into the file.
void StreamHandler::receive_file_part_() {
  if (!connected() || !announced_() || !reads_() || files_()->write.pending())
    return update_reading_();
  const detail::FileSegment& next = *files_()->wanted.first_file();
  if (next.left == 0) {
    bool ended = false;
    files_()->wanted.consume(0, ended);
    const std::uint64_t total = files_()->received;
    if (receiving_file_()) {
      files_()->received = 0;
      resume_held_();
    } else {
      end_receiving_files_();
    }
    return on_received(total);
  }
  if (held_.empty() && input_waits_for_filter_()) {
    feed_filter_();
    if (held_.empty()) return notify_later_(notice_read);
  }
  if (held_.empty()) {
    if (is_ended(input_)) return tell_end_();
    return update_reading_();
  }
  std::array<Bytes, most_pieces> pieces;
  std::size_t count = 0;
  std::uint64_t left = next.left;
  for (const detail::Segment* s = held_.first(); s && left > 0 && count < most_pieces;
       s = held_.after(s)) {
    pieces[count] = {s->data, static_cast<std::size_t>(std::min<std::uint64_t>(s->size, left))};
    left -= pieces[count++].size;
  }
  files_()->write.prepare(next.file, next.offset, pieces.data(), count);
  if (const std::error_code error = proactor_.submit(files_()->write)) {
    end_receiving_files_();
    return on_error(error);
  }
  ++elsewhere_;
  update_reading_();
}

void StreamHandler::file_written_(const Result& result) {
  proactor_.core().ended_elsewhere(*this);
  if (closing()) return;
  if (!gives(input_)) return held_.clear();
  if (timing_() && result.bytes > 0) timing_()->idle_since = system_now_();
  held_.consume(result.bytes);
  files_()->received += result.bytes;
  files_()->wanted.advance_file(result.bytes);
  if (!result.error) return resume_held_();
  end_receiving_files_();
  on_error(result.error);
}

void StreamHandler::drop_received_files_() noexcept {
  if (files_()) files_()->wanted.clear();
  if (extras_()) extras_()->came.clear();
  if (!files_() || !files_()->write.pending()) held_.clear();
}

}  // namespace proa
