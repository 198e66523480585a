// A file's handler opens its file, reads it as a stream, and closes it. Two reads are in flight at
// most. They may complete in any order; the handler tells them in the order of their offsets.
// Upholds R1 (verbs only note what to do), R6 and R11 (without a free block the handler waits for
// one).
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <new>
#include <proa/file_handler.hpp>

#include "base/error_code.hpp"
#include "file/file_calls.hpp"
#include "handler/file_marks.hpp"
#include "handler/file_states.hpp"
#include "handler/handler_loop.hpp"
#include "sys/sys.hpp"

namespace proa {

struct FileHandler::FileOpening {
  explicit FileOpening(FileHandler& handler) noexcept : request(handler) {}

  On<Open, &FileHandler::open_ended_> request;
  std::unique_ptr<FileOpening> next;  // an open() that was called while the handler closes
};

FileHandler::FileHandler(Proactor& proactor) noexcept : Handler(proactor, HandlerKind::file) {}

FileHandler::FileHandler(Proactor& proactor, File file) noexcept
    : Handler(proactor, HandlerKind::file) {
  start_("FileHandler");
  if (!live_()) return;
  if (!file.valid()) {
    fail_(-EBADF);
  } else {
    take_(std::move(file));
    notify_later_(notice_open);
  }
}

FileHandler::~FileHandler() {
  // The constructor of a derived class threw, perhaps behind a close(), or on_closed() has called
  // verbs that need a file: nothing has begun yet.
  const bool unwound = state_ == HandlerState::closing && std::uncaught_exceptions() > 0;
  const bool open = state_ == HandlerState::open;
  if ((open || unwound) && ((notices_ & notice_open) != 0 || is_over_())) {
    if (open) loop_closing_down();
    rest_();
  }
  // Reported here, because the destructor of a pending request could only name the request.
  if (state_ != HandlerState::idle) destroyed_();
}

void FileHandler::on_read(Buffer&) {}

void FileHandler::take_(File file) noexcept {
  Handler::take_(Socket(std::move(file)));
  direct_ = is_direct(descriptor().number);
  offset_alignment_ = direct_ ? std::max<std::size_t>(alignment().offset, 1) : 1;
}

FileAlignment FileHandler::alignment() const noexcept {
  FileAlignment needed;
  if (descriptor().valid()) proactor_.system().file_alignment(descriptor(), needed);
  return needed;
}

// An open() that was remembered is not pending, and the new one replaces it.
void FileHandler::open(const std::string& path, OpenFlags flags, unsigned mode,
                       Descriptor at) noexcept {
  start_("open");
  if (!is_open()) return;
  if (opening_ && !opening_->request.pending()) opening_.reset();
  if (live_() && (opening_ || descriptor().valid())) return fail_(-EBUSY);
  missed_ = false;
  std::unique_ptr<FileOpening> made(new (std::nothrow) FileOpening(*this));
  if (made) {
    made->request.prepare(path, flags, mode, at);
  } else if (live_()) {
    return fail_(-ENOMEM);
  }
  (opening_ ? opening_->next : opening_) = std::move(made);
  live_() ? begin_opening_() : reopen_later_();
}

// An open() that is remembered has not begun.
bool FileHandler::loop_has_begun() const noexcept {
  return descriptor().valid() || (opening_ && opening_->request.pending());
}

bool FileHandler::lacks_file_() const noexcept { return !opening_ && !descriptor().valid(); }

void FileHandler::reopen_() noexcept {
  if (opening_ && opening_->request.pending()) return;  // on_closed() has called open() again
  if (!start_("open")) return opening_.reset();
  // Without one memory was short; or on_closed() has tried another one, which has failed.
  opening_ ? begin_opening_() : fail_(-ENOMEM);
}

void FileHandler::begin_opening_() noexcept {
  if (const std::error_code error = proactor_.submit(opening_->request)) {
    opening_.reset();
    return fail_(to_negative(error));
  }
  ++elsewhere_;
}

void FileHandler::open_ended_(const Result& result) {
  const auto ended = std::move(opening_);
  opening_ = std::move(ended->next);
  proactor_.core().ended_elsewhere(*this);
  // A file that was opened although the open was cancelled is closed with the request.
  if (closing()) return;
  if (result.error) {
    notify_later_(notice_written);  // finish() may have waited for the file
    return tell_(result.error);
  }
  take_(std::move(ended->request.file()));
  proactor_.core().flush_later(*this);
  read_ahead_();
  on_open();
}

void FileHandler::start_reading() noexcept {
  check_("start_reading");
  if (closing() || reading_ != FileReading::off || finishing_) return;
  restart_reading_();
}

void FileHandler::start_reading(std::uint64_t offset) noexcept {
  check_("start_reading");
  if (closing() || finishing_) return;
  read_position_ = offset;
  drop_ahead_();
  restart_reading_();
}

void FileHandler::restart_reading_() noexcept {
  reading_ = FileReading::on;
  read_ahead_();
}

void FileHandler::stop_reading() noexcept {
  check_("stop_reading");
  drop_ahead_();
  reading_ = FileReading::off;
}

void FileHandler::drop_ahead_() noexcept {
  for (FileAhead& ahead : ahead_) {
    if (ahead.request.pending()) {
      ahead.state = FileAhead::State::stale;
      proactor_.core().cancel(ahead.request);
    } else {
      ahead.state = FileAhead::State::idle;
      ahead.buffer.reset();
    }
  }
  next_read_ = read_position_;
}

void FileHandler::read_ahead_() noexcept {
  if (reading_ != FileReading::on || held_back_() || !ready_()) return;
  for (FileAhead& ahead : ahead_) {
    if (!ahead.busy() && !submit_read_(ahead)) return;
  }
}

void FileHandler::loop_lent(Buffer block) noexcept {
  if (reading_ != FileReading::on || held_back_() || !ready_()) return;
  FileAhead& ahead = ahead_[ahead_[0].busy() ? 1 : 0];
  if (!ahead.busy()) submit_read_(ahead, std::move(block));
}

bool FileHandler::submit_read_(FileAhead& ahead, Buffer block) noexcept {
  constexpr std::uint64_t last_offset = INT64_MAX;
  HandlerLoop& core = proactor_.core();
  Pool& pool = direct_ ? core.paged_pool() : core.pool();
  // The second read only makes the handler faster: it does not wait for a block, and its failure is
  // no error.
  const bool second = ahead_[0].busy() || ahead_[1].busy();
  // What follows a short read is dropped, and a device would not give it again.
  if (second && descriptor().kind != DescriptorKind::file) return false;
  const bool may_take = !block && !core.awaited(pool);
  if (second && !block && (!may_take || !pool.available() || next_read_ >= last_offset)) {
    return false;
  }
  ahead.buffer = may_take ? pool.take() : std::move(block);
  if (!ahead.buffer) {
    core.await_buffer(*this, pool);
    return false;
  }
  ahead.from = next_read_;
  ahead.skip = static_cast<std::size_t>(next_read_ % offset_alignment_);
  const std::uint64_t offset = next_read_ - ahead.skip;
  ahead.length = ahead.buffer.capacity();
  if (offset <= last_offset) {
    ahead.length =
        static_cast<std::size_t>(std::min<std::uint64_t>(ahead.length, last_offset - offset));
  }
  ahead.request.prepare(descriptor(), offset, {ahead.buffer.data(), ahead.length});
  if (const std::error_code error = proactor_.submit(ahead.request)) {
    ahead.buffer.reset();
    reading_ = FileReading::failed;
    input_error_ = to_negative(error);
    notify_later_(notice_read);
    return false;
  }
  ahead.state = FileAhead::State::reading;
  next_read_ = offset + ahead.length;
  return true;
}

void FileHandler::read_ended_(ReadAt& request, const Result& result) {
  FileAhead& ahead = ahead_[&request == &ahead_[0].request ? 0 : 1];
  if (ahead.state == FileAhead::State::stale || closing()) {
    ahead.state = FileAhead::State::idle;
    ahead.buffer.reset();
    return read_ahead_();
  }
  ahead.state = FileAhead::State::done;
  ahead.bytes = result.bytes;
  ahead.error = to_negative(result.error);
  deliver_next_();
}

FileHandler::FileAhead* FileHandler::next_in_order_() noexcept {
  for (FileAhead& ahead : ahead_) {
    if (ahead.state == FileAhead::State::done && ahead.from == read_position_) return &ahead;
  }
  return nullptr;
}

// Makes one callback. What follows waits for a notice, so that an exception out of this callback
// loses nothing.
void FileHandler::deliver_next_() {
  if (!reads_()) return;
  if (reading_ == FileReading::failed) {
    const std::error_code error = to_error_code(input_error_);
    stop_reading();
    return tell_(error);
  }
  if (reading_ == FileReading::ended) {
    stop_reading();
    return on_end();
  }
  FileAhead* const ahead = next_in_order_();
  if (!ahead) return read_ahead_();
  Buffer data = std::move(ahead->buffer);
  ahead->state = FileAhead::State::idle;
  proactor_.core().pool().fill(data, ahead->bytes);
  data.remove_prefix(ahead->skip);
  read_position_ += data.size();
  // A short read has seen the end. What the other read found behind it was written later.
  if (ahead->error != 0 || ahead->bytes < ahead->length || ahead->bytes == 0) {
    input_error_ = ahead->error;
    reading_ = input_error_ == 0 ? FileReading::ended : FileReading::failed;
    drop_ahead_();
    if (data.empty()) return deliver_next_();
    notify_later_(notice_read);
  } else {
    read_ahead_();
    if (next_in_order_()) notify_later_(notice_read);
  }
  on_read(data);
}

// What keeps the handler from its file is told in place of the want of one.
void FileHandler::loop_tell_error(std::int32_t error) {
  if (error == 0 || error == -EBADF) {
    const bool missed = std::exchange(missed_, false) && lacks_file_();
    const bool refused = !missed && error == 0 && lacks_file_();
    if (missed || error != 0) error = -EBADF;
    if (refused) error = std::exchange(refused_, 0);
    if (error == 0) return;  // open() was called in time
  }
  // another error hides neither the want of a file nor a refused write
  if (missed_ || (refused_ != 0 && lacks_file_())) notify_later_(notice_error);
  const std::error_code code = to_error_code(error);
  lacks_file_() ? tell_(code) : on_error(code);
}

// Tells an error behind which the handler may have to wait for its owner.
void FileHandler::tell_(const std::error_code& error) {
  on_error(error);
  if (finishing_) return;
  const bool writes = write_.pending() || output_fails_() || !queue_.empty() || syncs_wait_();
  const bool errors = (notices_ & notice_error) != 0;  // more of them are due: the last one counts
  const bool goes_on = opening_ || reading_ != FileReading::off || writes || errors;
  if (lacks_file_() || !goes_on) unanswered_();
}

void FileHandler::loop_dispatch(HandlerNotice notice) {
  switch (notice) {
    case notice_open:
      proactor_.core().flush_later(*this);
      read_ahead_();
      return on_open();
    case notice_read:
      return deliver_next_();
    case notice_written:
      return tell_written_();
    case notice_reopen:
      return reopen_();
    default:
      return;
  }
}

void FileHandler::finish() noexcept {
  check_("finish");
  if (is_over_() || !open_up_() || finishing_) return;
  finishing_ = true;
  stop_reading();
  proactor_.core().flush_later(*this);
  close_if_finished_();
}

void FileHandler::close_if_finished_() noexcept {
  if (!finishing_ || !live_() || opening_ || (notices_ & (notice_open | notice_error)) != 0) return;
  const bool waits = write_.pending() || output_fails_() || !queue_.empty() || syncs_wait_();
  if (descriptor().valid() && waits) return;
  tell_refusal_();
  if ((notices_ & notice_error) == 0) close();
}

void FileHandler::loop_closing_down() noexcept {
  if (opening_) proactor_.core().cancel(opening_->request);
  if (StarvedHook::hook(*this).linked()) List<FileHandler, StarvedHook>::remove(*this);
}

// The file may have been opened, and may not outlive the proactor.
void FileHandler::loop_leave_process() noexcept { opening_.reset(); }

void FileHandler::loop_release_resources() noexcept {
  if ((notices_ & notice_reopen) == 0) opening_.reset();
  queue_.clear();
  for (FileAhead& ahead : ahead_) {
    ahead.buffer.reset();
    ahead.state = FileAhead::State::idle;
  }
  marks_.reset();
  read_position_ = next_read_ = write_position_ = 0;
  writes_queued_ = writes_told_ = refused_behind_ = 0;
  taken_ = write_progress_ = 0;
  offset_alignment_ = 1;
  input_error_ = output_error_ = refused_ = 0;
  reading_ = FileReading::off;
  output_ = FileOutput::open;
  direct_ = filled_ = finishing_ = missed_ = false;
}

}  // namespace proa
