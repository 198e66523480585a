// A stream's life and its input: connecting, continuous reading, pausing without losing a byte.
// Upholds R1 (verbs only note what to do), R5 and R6.
#include <cerrno>
#include <new>
#include <proa/error.hpp>
#include <proa/stream_handler.hpp>

#include "base/error_code.hpp"
#include "handler/stream_files.hpp"
#include "handler/stream_states.hpp"
#include "handler/stream_timing.hpp"
#include "proactor/core.hpp"

namespace proa {

StreamHandler::StreamHandler(Proactor& proactor) noexcept : Handler(proactor, Kind::stream) {}

StreamHandler::StreamHandler(Proactor& proactor, Socket connected) noexcept
    : Handler(proactor, Kind::stream, std::move(connected)) {
  start();
  connection_ = Connection::given;
  if (live()) notify_later(notice_open);
}

StreamHandler::~StreamHandler() {
  // The constructor of a derived class threw: nothing has begun yet.
  if (state_ == State::open && !announced()) {
    closing_down();
    rest();
  }
  // Here, because a request that is destroyed first would only name itself.
  if (state_ != State::idle) misused("destroyed before on_closed()");
}

void StreamHandler::connect(const Address& address, TimePoint deadline) noexcept {
  start();
  if (!live()) return;
  if (connection_ != Connection::none) return fail(connected() ? -EISCONN : -EALREADY);
  if (!address.is_set()) return fail(code_of(Error::bad_address));
  std::error_code error;
  socket_ = Socket::open(proactor_, address.family(), Transport::stream, error);
  if (error) return fail(to_negative(error));
  if (descriptor().kind == DescriptorKind::tcp) {
    (void)socket_.set_option(SocketOption::no_delay, 1);
  }
  connecting_.reset(new (std::nothrow) On<Connect, &StreamHandler::connect_ended>(*this));
  if (!connecting_) return fail(-ENOMEM);
  connecting_->prepare(descriptor(), address);
  if ((error = proactor_.submit(*connecting_, deadline))) {
    connecting_.reset();
    return fail(to_negative(error));
  }
  connection_ = Connection::connecting;
  if (timing_) start_timing();
}

void StreamHandler::connect_ended(const Result& result) {
  const auto request = std::move(connecting_);
  connection_ = Connection::none;
  if (closing()) return;
  if (result.error) return on_error(result.error);
  connection_ = Connection::opened;
  proactor_.core().flush_later(*this);
  resume_held();
  if (output_ending_ && queue_.empty()) end_output();
  if (!closing()) on_open();
}

void StreamHandler::start_reading() noexcept {
  wants_input_ = true;
  if (live() && !broken_) resume_held();
}

// What was kept while nothing was wanted comes first, then the end or new input.
void StreamHandler::resume_held() noexcept {
  if (!held_.empty() || receiving_file() || (input_over_ && !end_told_)) notify_later(notice_read);
  await_input();
}

void StreamHandler::await_input() noexcept {
  if (timing_) timing_->silent_since = system_now();
  update_reading();
}

void StreamHandler::stop_reading() noexcept {
  wants_input_ = false;
  if (live()) update_reading();
}

// Brings the receive at the backend in line with what is wanted of it.
void StreamHandler::update_reading() noexcept {
  const bool room = held_.empty() || (receiving_file() && held_.capacity() < file_backlog);
  const bool wanted = connected() && announced() && !input_over_ && !broken_ && live() &&
                      output_error_ == 0 && (finishing_ || (reads() && room));
  if (wanted == recv_.pending()) return;
  if (!wanted) return proactor_.core().cancel(recv_);
  recv_.prepare(descriptor());
  if (const std::error_code error = proactor_.submit(recv_)) fail(to_negative(error));
}

void StreamHandler::received(RecvBuffers& request, const Result& result) {
  Buffer buffer = std::move(request.buffer());
  if (closing() || broken_) return;
  if (buffer) {
    if (timing_) timing_->silent_since = timing_->idle_since = system_now();
    if (finishing_) return;
    if (reads() && held_.empty() && !receiving_file()) return read_next(buffer);
    held_.push(std::move(buffer));
    if (receiving_file()) receive_file_part();
    return;
  }
  if (request.pending()) return;
  if (output_error_ != 0) {
    input_over_ = result.error != std::errc::operation_canceled;
    return notify_later(notice_read);
  }
  // A cancel can only have been our own.
  if (result.error == std::errc::operation_canceled) return update_reading();
  input_over_ = true;
  input_error_ = to_negative(result.error);
  if (finishing_ && output_over_) return close();
  if (receiving_file()) return notify_later(notice_read);
  if (held_.empty() && reads()) tell_end();
}

// One on_read(); if the output is above its high mark, it is the last one until that has fallen.
void StreamHandler::read_next(Buffer& data) {
  if (const Hold next = after_reading(hold_); next != hold_) set_hold(next);
  on_read(data);
}

void StreamHandler::tell_end() {
  if (std::exchange(end_told_, true)) return;
  if (input_error_ != 0) return broken(to_error_code(input_error_));
  on_end();
}

// A send failed. The answer of a peer that has gone may still be unread ("too large", and a reset
// behind it), so what has arrived is read before the error is told.
void StreamHandler::output_failed(const std::error_code& error) {
  output_over_ = true;
  output_error_ = to_negative(error);
  hold_ = Hold::clear;  // the queue will not fall any more
  if (!reads()) return broken(error);
  proactor_.core().cancel(recv_);
  notify_later(notice_read);
}

void StreamHandler::last_input() {
  if (recv_.pending()) return;  // its end comes back here
  const bool into_file = reads() && receiving_file();
  if (into_file && (!held_.empty() || files_->wanted.begins_with_nothing())) {
    return receive_file_part();  // its end comes back here
  }
  Buffer buffer = take_last_input();
  if (!buffer) return broken(to_error_code(output_error_));
  notify_later(notice_read);
  into_file ? held_.push(std::move(buffer)) : read_next(buffer);
}

Buffer StreamHandler::take_last_input() noexcept {
  constexpr std::uint32_t most =
      4096;  // a peer that never stops must not put the error off for ever
  if (!reads()) return {};
  if (!held_.empty()) return held_.pop();
  if (input_over_ || ++last_reads_ > most) return {};
  Buffer buffer = proactor_.core().pool().take();
  if (!buffer) return {};
  const long size = proactor_.system().recv(descriptor(), {buffer.data(), buffer.capacity()});
  if (size <= 0) return {};
  proactor_.core().pool().fill(buffer, static_cast<std::size_t>(size));
  return buffer;
}

void StreamHandler::broken(std::error_code error) {
  if (std::exchange(broken_, true)) return;
  proactor_.core().cancel(recv_);
  proactor_.core().cancel(send_);
  if (files_) proactor_.core().cancel(files_->send);
  if (!sending()) queue_.clear();
  on_error(error);
}

void StreamHandler::dispatch(Notice notice) {
  switch (notice) {
    case notice_open:
      proactor_.core().flush_later(*this);
      resume_held();
      return on_open();
    case notice_written:
      return tell_written();
    case notice_read:
      break;
    default:
      return;
  }
  if (connection_ == Connection::none) return on_error(to_error_code(-ENOTCONN));
  if (output_error_ != 0 && !broken_) return last_input();
  if (!reads() || broken_) return;
  if (receiving_file()) return receive_file_part();
  if (held_.empty()) {
    if (input_over_) tell_end();
    return;
  }
  Buffer buffer = held_.pop();
  if (!held_.empty() || input_over_) {
    notify_later(notice_read);
  } else {
    await_input();
  }
  read_next(buffer);
}

void StreamHandler::half_close() noexcept {
  start();
  if (!live() || broken_ || std::exchange(output_ending_, true)) return;
  need_connection();
  if (connected() && queue_.empty() && !sending()) end_output();
}

void StreamHandler::finish() noexcept {
  start();
  if (!live() || finishing_) return;
  finishing_ = output_ending_ = true;
  drop_received_files();
  if (broken_ || output_error_ != 0 || connection_ == Connection::none) return close();
  if (Timing* const timing = this->timing()) {
    timing->linger = proactor_.options().linger;
    timing->sent_last = system_now();
    arm_timer();
  }
  update_reading();
  if (connected() && queue_.empty() && !sending()) end_output();
}

// Everything was sent. Behind finish() the peer's end is awaited, because closing with input unread
// would reset the connection, and take back bytes that the peer has not seen yet (RFC 1122,
// 4.2.2.13).
void StreamHandler::end_output() noexcept {
  output_over_ = true;
  const bool shut = descriptor().is_socket() && !socket_.shutdown(ShutdownSide::send);
  if (finishing_ && (!shut || input_over_)) close();
}

void StreamHandler::closing_down() noexcept {
  if (timing_) proactor_.core().disarm(timing_->timer);
  if (files_) proactor_.core().cancel(files_->write);  // on another descriptor: close() does not
}

void StreamHandler::release_resources() noexcept {
  queue_.clear();
  held_.clear();
  timing_.reset();
  watermarks_.reset();
  files_.reset();
  taken_ = write_progress_ = 0;
  input_error_ = output_error_ = 0;
  last_reads_ = 0;
  connection_ = Connection::none;
  hold_ = Hold::clear;
  wants_input_ = input_over_ = end_told_ = false;
  finishing_ = output_ending_ = output_over_ = broken_ = false;
}

}  // namespace proa
