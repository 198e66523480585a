// A file as a stream to write: what is written in one callback is queued, then written gathered,
// one WriteAt at a time, so that a position is all there is to know. Syncs begin when the writes
// before them have completed and were told. An error is kept until all is told that was done before
// it: then whatever was not told is dropped, and nothing of it comes later. Upholds R1, R2 (nothing
// is told that did not happen) and R10.
#include <array>
#include <cerrno>
#include <cstdint>
#include <new>
#include <proa/error.hpp>
#include <proa/file_handler.hpp>

#include "base/error_code.hpp"
#include "handler/file_marks.hpp"
#include "handler/file_states.hpp"
#include "handler/handler_loop.hpp"

namespace proa {

namespace {

/// Of one WriteAt; blocks that were filled behind one another count once.
constexpr std::size_t most_pieces = 16;

struct Gathered {
  std::array<Bytes, most_pieces> pieces;
  std::size_t count = 0;
};

/// The front of the queue, no more than so many writes of it.
Gathered gather(const detail::Segment* segment, std::uint64_t writes) noexcept {
  Gathered all;
  for (; segment && writes > 0; segment = segment->next) {
    Bytes* const last = all.count > 0 ? &all.pieces[all.count - 1] : nullptr;
    if (last && static_cast<const char*>(last->data) + last->size == segment->data) {
      last->size += segment->size;
    } else if (segment->size > 0) {
      if (all.count == most_pieces) break;
      all.pieces[all.count++] = {segment->data, segment->size};
    }
    if (segment->ends_write) --writes;
  }
  return all;
}

}  // namespace

void FileHandler::on_write(std::size_t) {}

const Watermarks& FileHandler::watermarks() const noexcept {
  static constexpr Watermarks defaults;
  return watermarks_ ? *watermarks_ : defaults;
}

void FileHandler::set_watermarks(const Watermarks& watermarks) noexcept {
  check_("set_watermarks");
  if (watermarks.low > watermarks.high) return refuse_("set_watermarks", -EINVAL);
  if (!watermarks_) watermarks_.reset(new (std::nothrow) Watermarks);
  if (!watermarks_) return refuse_("set_watermarks", -ENOMEM);
  const bool held = held_back_();
  *watermarks_ = watermarks;
  if (queue_.capacity() > watermarks.high) filled_ = true;
  if (held && reads_()) notify_later_(notice_read);
  if (ready_() && filled_ && queue_.capacity() <= watermarks.low) notify_later_(notice_written);
}

void FileHandler::set_filled_(bool filled) noexcept {
  const bool held = held_back_();
  filled_ = filled;
  if (held && reads_()) notify_later_(notice_read);
}

bool FileHandler::accepts_output_(const char* verb) noexcept {
  start_(verb);
  if (!live_()) return false;
  if (finishing_) fail_(code_of(Error::closing));
  return !finishing_ && output_ == FileOutput::open;
}

// The want of a file is told if open() has not been called by then.
void FileHandler::need_file_() noexcept {
  if (!lacks_file_()) return;
  missed_ = true;
  notify_later_(notice_error);
}

void FileHandler::write(Buffer buffer) noexcept {
  if (!accepts_output_("write")) return;
  if (!buffer) return refuse_write_(-ENOBUFS);
  const std::size_t limit = watermarks().limit;
  if (buffer.capacity() > limit || queue_.capacity() > limit - buffer.capacity()) {
    return refuse_write_(code_of(Error::write_limit));
  }
  // Of whichever pool it is.
  proactor_.core().pool().turn_to_writing(buffer);
  proactor_.core().paged_pool().turn_to_writing(buffer);
  queue_.push(std::move(buffer));
  write_grew_();
}

void FileHandler::write(Bytes bytes) noexcept {
  if (accepts_output_("write")) copy_(&bytes, 1);
}

void FileHandler::writev(const Bytes* pieces, std::size_t count) noexcept {
  if (accepts_output_("writev")) copy_(pieces, count);
}

void FileHandler::copy_(const Bytes* pieces, std::size_t count) noexcept {
  const std::size_t limit = watermarks().limit;
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const bool nowhere = pieces[i].data == nullptr && pieces[i].size > 0;
    if (nowhere || pieces[i].size > PTRDIFF_MAX - size) {
      return refuse_write_(code_of(Error::bad_length));
    }
    size += pieces[i].size;
  }
  if (size > limit || queue_.capacity() > limit - size) {
    return refuse_write_(code_of(Error::write_limit));
  }
  if (!queue_.push(pieces, count, proactor_.core().pool())) {
    queue_.drop_unfinished();
    return refuse_write_(-ENOBUFS);
  }
  write_grew_();
}

// Behind a gap nothing can be in its place: what was queued before it is written, and that is all.
// The error is told behind the last on_write() and on_synced(), because the handler mostly closes
// then.
void FileHandler::refuse_write_(std::int32_t error) noexcept {
  output_ = after(output_, FileOutputEvent::cut);
  if (refused_ == 0) refused_behind_ = writes_queued_;
  if (refused_ == 0) refused_ = error;
  tell_refusal_();
}

void FileHandler::tell_refusal_() noexcept {
  if (refused_ == 0) return;
  if (writes_told_ >= refused_behind_ && !syncs_wait_()) {
    fail_(std::exchange(refused_, 0));
  } else if (lacks_file_()) {
    // Told from the loop, unless open() is called before: then what is queued is written first.
    notify_later_(notice_error);
  }
}

void FileHandler::write_grew_() noexcept {
  need_file_();
  ++writes_queued_;
  if (queue_.capacity() > watermarks().high && !filled_) set_filled_(true);
  if (!write_.pending()) proactor_.core().flush_later(*this);
}

FileHandler::FileMarks* FileHandler::need_marks_() noexcept {
  if (!marks_) {
    marks_.reset(new (std::nothrow) FileMarks(*this));
    if (!marks_) fail_(-ENOMEM);
  }
  return marks_.get();
}

void FileHandler::set_write_position(std::uint64_t offset) noexcept {
  check_("set_write_position");
  if (closing()) return;
  output_ = after(output_, FileOutputEvent::reposition);
  if (queue_.empty() && (!marks_ || marks_->moves.empty())) {
    write_position_ = offset;
  } else if (!need_marks_() || !marks_->moves.push({writes_queued_, offset})) {
    refuse_write_(-ENOMEM);  // what follows would be written to the wrong place
  }
}

void FileHandler::sync() noexcept {
  if (!accepts_output_("sync") || !need_marks_()) return;
  need_file_();
  MarkQueue<FileMarks::SyncMark>& syncs = marks_->syncs;
  if (!syncs.empty() && syncs.back().behind == writes_queued_) {
    ++syncs.back().calls;
  } else if (!syncs.push({writes_queued_, 1})) {
    return fail_(-ENOMEM);
  }
  proactor_.core().flush_later(*this);
}

void FileHandler::loop_flush() {
  if (!ready_()) return close_if_finished_();
  if (!write_.pending() && taken_ == 0 && !output_fails_()) begin_write_();
  begin_sync_();
  close_if_finished_();
}

void FileHandler::begin_write_() noexcept {
  std::uint64_t writes = UINT64_MAX;
  while (marks_ && !marks_->moves.empty()) {
    const FileMarks::Move& move = marks_->moves.front();
    // Writes of nothing that follow it may have been told already.
    if (move.behind > writes_told_) {
      writes = move.behind - writes_told_;
      break;
    }
    write_position_ = move.position;
    marks_->moves.pop();
  }
  if (queue_.empty()) return;
  if (queue_.first()->size == 0) return notify_later_(notice_written);
  const Gathered all = gather(queue_.first(), writes);
  write_.prepare(descriptor(), write_position_, all.pieces.data(), all.count);
  if (const std::error_code error = proactor_.submit(write_)) refuse_output_(error);
}

void FileHandler::begin_sync_() noexcept {
  if (!marks_ || marks_->request.pending() || marks_->failed) return;
  marks_->reach(writes_told_);
  if (marks_->reached == 0) return;
  marks_->request.prepare(descriptor());
  if (const std::error_code error = proactor_.submit(marks_->request)) {
    sync_failed_(error);
    notify_later_(notice_written);
  } else {
    marks_->covered = std::exchange(marks_->reached, 0);
  }
}

void FileHandler::refuse_output_(const std::error_code& error) noexcept {
  if (output_error_ == 0) output_error_ = to_negative(error);
  notify_later_(notice_written);
}

void FileHandler::write_ended_(const Result& result) {
  if (closing()) return;
  taken_ += result.bytes;
  write_position_ += result.bytes;
  if (result.error && output_error_ == 0) output_error_ = to_negative(result.error);
  tell_written_();
}

void FileHandler::sync_ended_(const Result& result) {
  const std::uint64_t covered = std::exchange(marks_->covered, 0);
  if (closing()) return;
  if (result.error) {
    sync_failed_(result.error);
  } else {
    marks_->untold += covered;
  }
  tell_written_();
}

void FileHandler::sync_failed_(const std::error_code& error) noexcept {
  marks_->failed = true;
  marks_->error = to_negative(error);
}

bool FileHandler::output_fails_() const noexcept {
  return output_error_ != 0 || (marks_ && marks_->error != 0);
}

void FileHandler::tell_written_() {
  std::size_t left = HandlerLoop::most_told;
  struct Resume {
    FileHandler& handler;
    const std::size_t& left;
    bool done = false;
    ~Resume() {
      handler.proactor_.core().told(HandlerLoop::most_told - left);
      if (!done && handler.live_()) handler.notify_later_(notice_written);
    }
  } resume{*this, left};
  tell_writes_(left);
  if (goes_on_()) tell_syncs_(left);
  resume.done = true;
  if (!goes_on_()) return;
  if (taken_ > 0 || (marks_ && marks_->untold > 0)) return notify_later_(notice_written);
  if (output_fails_() && !write_.pending() && !sync_is_due_()) return output_failed_();
  tell_refusal_();
  const bool drained = filled_ && queue_.capacity() <= watermarks().low;
  if (drained) set_filled_(false);
  proactor_.core().flush_later(*this);
  if (drained) on_drained();
}

// Takes what was written off the queue, one on_write() at a time; many leave others their turn, and
// an exception from one leaves the rest for later.
void FileHandler::tell_writes_(std::size_t& left) {
  for (bool told = false; !queue_.empty() && left > 0; told = true, --left) {
    // Writes of nothing that follow themselves must leave others their turn (R8).
    if (taken_ == 0 && (told || !takes_nothing_())) break;
    bool write_ended = false;
    const std::size_t part = queue_.consume(taken_, write_ended);
    taken_ -= part;
    write_progress_ += part;
    if (!write_ended) break;
    ++writes_told_;
    on_write(std::exchange(write_progress_, 0));
    if (!goes_on_()) break;
  }
}

// Whether a write of nothing is at the front, and its turn has come.
bool FileHandler::takes_nothing_() const noexcept {
  return ready_() && !output_fails_() && !write_.pending() && queue_.first()->size == 0;
}

void FileHandler::tell_syncs_(std::size_t& left) {
  for (; marks_ && marks_->untold > 0 && left > 0; --left) {
    --marks_->untold;
    on_synced();
    if (!goes_on_()) return;
  }
}

// The error of a Sync is of writes that came first. It takes the place neither of a write's error
// nor of why a write was refused: each has a cause of its own, and is told in its turn.
void FileHandler::output_failed_() {
  std::int32_t error = std::exchange(output_error_, 0);
  const std::int32_t of_sync = marks_ ? std::exchange(marks_->error, 0) : 0;
  if (of_sync != 0) {
    const std::int32_t next = error != 0 ? error : refused_;
    error = of_sync;
    if (next != 0) fail_(next);
  }
  output_ = after(output_, FileOutputEvent::fail);
  drop_output_();
  proactor_.core().flush_later(*this);  // finish() waits for nothing any more
  tell_(to_error_code(error));
}

void FileHandler::drop_output_() noexcept {
  queue_.clear();
  taken_ = write_progress_ = 0;
  refused_ = 0;
  writes_told_ = writes_queued_;
  if (marks_) {
    marks_->failed = false;
    marks_->reached = 0;
    marks_->syncs.clear();
    marks_->moves.clear();
  }
  if (filled_) set_filled_(false);
}

// Whether a Sync is in flight, or to come, for writes that were all told.
bool FileHandler::sync_is_due_() noexcept {
  if (!marks_) return false;
  marks_->reach(writes_told_);
  return marks_->request.pending() || (marks_->reached > 0 && !marks_->failed);
}

bool FileHandler::syncs_wait_() const noexcept {
  return marks_ && (marks_->request.pending() || marks_->reached > 0 || marks_->untold > 0 ||
                    !marks_->syncs.empty());
}

}  // namespace proa
