// A stream's life: it connects, hears what the loop has to tell, ends its output, and finishes.
// Upholds R1 (verbs only note what to do) and R6.
#include <cerrno>
#include <exception>
#include <new>
#include <proa/error.hpp>
#include <proa/stream_handler.hpp>

#include "base/error_code.hpp"
#include "handler/handler_loop.hpp"
#include "handler/stream_extras.hpp"
#include "handler/stream_files.hpp"
#include "handler/stream_states.hpp"
#include "handler/stream_timing.hpp"

namespace proa {

struct StreamHandler::StreamConnecting {
  explicit StreamConnecting(StreamHandler& handler) noexcept : request(handler) {}

  On<Connect, &StreamHandler::connect_ended_> request;
  TimePoint deadline = never;
  std::unique_ptr<StreamConnecting> next;  // a connect() that was called while the handler closes
};

StreamHandler::StreamHandler(Proactor& proactor) noexcept
    : Handler(proactor, HandlerKind::stream) {}

StreamHandler::StreamHandler(Proactor& proactor, Socket connected) noexcept
    : Handler(proactor, HandlerKind::stream, std::move(connected)) {
  start_("StreamHandler");
  if (!live_()) {  // the proactor was shut down
    socket_.close();
  } else if (!descriptor().valid()) {
    refuse_connection_(-EBADF);
  } else {
    connection_ = StreamConnection::given;
    notify_later_(notice_open);
  }
}

StreamHandler::~StreamHandler() {
  // The constructor of a derived class threw, perhaps behind a close(), or on_closed() has called
  // verbs that need a connection: nothing has begun yet.
  const bool unwound = state_ == HandlerState::closing && std::uncaught_exceptions() > 0;
  const bool open = state_ == HandlerState::open;
  if ((open || unwound) && (!announced_() || is_over_())) {
    if (open) loop_closing_down();
    rest_();
  }
  // Reported here, because the destructor of a pending request could only name the request.
  if (state_ != HandlerState::idle) destroyed_();
}

void StreamHandler::connect(const Address& address, TimePoint deadline) noexcept {
  start_("connect");
  if (closing()) return connect_later_(address, deadline);
  if (!live_()) return;
  if (connection_ >= StreamConnection::connecting) return fail_(connected() ? -EISCONN : -EALREADY);
  connecting_.reset();  // a connect() that was remembered is void now
  if (!address.is_set()) return refuse_connection_(code_of(Error::bad_address));
  if (proactor_.core().has_requests(*this)) return connect_behind_(address, deadline);
  std::error_code error;
  take_(Socket::open(proactor_, address.family(), Transport::stream, error));
  if (error) return refuse_connection_(to_negative(error));
  if (descriptor().kind == DescriptorKind::tcp) {
    (void)socket_.set_option(SocketOption::no_delay, 1);
  }
  connecting_.reset(new (std::nothrow) StreamConnecting(*this));
  if (!connecting_) return refuse_connection_(-ENOMEM);
  connecting_->request.prepare(descriptor(), address);
  if ((error = proactor_.submit(connecting_->request, deadline))) {
    connecting_.reset();
    return refuse_connection_(to_negative(error));
  }
  connection_ = StreamConnection::connecting;
  if (timing_) start_timing_();
}

// Remembers a connect() that was called while the handler closes. The last one replaces those
// before.
void StreamHandler::connect_later_(const Address& address, TimePoint deadline) noexcept {
  std::unique_ptr<StreamConnecting> made(new (std::nothrow) StreamConnecting(*this));
  if (made) {
    made->request.prepare({}, address);
    made->deadline = deadline;
  }
  const bool pending = connecting_ && connecting_->request.pending();
  (pending ? connecting_->next : connecting_) = std::move(made);
  reopen_later_();
}

// Requests of the program's own are pending on the descriptor of the connection that failed. They
// end first, because that descriptor is closed then (R6); the end of the last one is
// notice_reopen.
void StreamHandler::connect_behind_(const Address& address, TimePoint deadline) noexcept {
  connecting_.reset(new (std::nothrow) StreamConnecting(*this));
  if (!connecting_) return refuse_connection_(-ENOMEM);
  connecting_->request.prepare({}, address);
  connecting_->deadline = deadline;
  connection_ = StreamConnection::connecting;
  proactor_.core().end_requests(*this);
}

void StreamHandler::reconnect_() noexcept {
  if (!connecting_) {  // memory was short; or on_closed() has tried another one, which has failed
    if (start_("connect")) refuse_connection_(-ENOMEM);
    return;
  }
  if (connecting_->request.pending()) return;  // on_closed() has connected elsewhere
  connection_ = StreamConnection::none;
  const auto asked = std::move(connecting_);
  connect(asked->request.address(), asked->deadline);
}

void StreamHandler::refuse_connection_(std::int32_t error) noexcept {
  connection_ = StreamConnection::refused;
  fail_(error);
}

void StreamHandler::not_connected_(std::error_code error) {
  proactor_.core().flush_later(*this);  // finish() may wait for the connection
  on_error(error);
  if (connection_ == StreamConnection::none && !finishing_) unanswered_();
}

// What keeps a stream from its connection is told in place of the want of one.
void StreamHandler::loop_tell_error(std::int32_t error) {
  if (connection_ == StreamConnection::missed) {
    if (error != 0) put_error_back_(error);
    error = -ENOTCONN;
  } else if (error == 0 && connection_ < StreamConnection::connecting) {
    error = refusal_due_ = std::exchange(refused_, std::int16_t{0});
  }
  if (error == 0) return;  // connect() was called in time
  if (refused_ != 0 && connection_ < StreamConnection::connecting) notify_later_(notice_error);
  refusal_told_(error);
  if (connection_ >= StreamConnection::connecting) return on_error(to_error_code(error));
  connection_ = StreamConnection::none;
  not_connected_(to_error_code(error));
}

Operation* StreamHandler::connect_request_() noexcept {
  return connecting_ && connecting_->request.pending() ? &connecting_->request : nullptr;
}

void StreamHandler::connect_ended_(const Result& result) {
  const auto ended = std::move(connecting_);
  connecting_ = std::move(ended->next);
  connection_ = StreamConnection::none;
  if (closing() || lingered_in_vain_(result, 0)) return;
  if (result.error) {
    reopen_output_();
    // Told behind this error, unless the handler connects elsewhere before.
    if (refused_ != 0) notify_later_(notice_error);
    return not_connected_(result.error);
  }
  connection_ = StreamConnection::opened;
  opened_();
}

void StreamHandler::opened_() {
  proactor_.core().flush_later(*this);
  resume_held_();
  tell_filter_connected_();
  // on_connected() of a filter may have called fork(2): the child hears nothing more (R14).
  if (proactor_.core().inherited()) return;
  end_output_if_sent_();
  if (!closing()) on_open();
}

void StreamHandler::loop_dispatch(HandlerNotice notice) {
  switch (notice) {
    case notice_open:
      return opened_();
    case notice_written:
      return tell_written_();
    case notice_reopen:
      return reconnect_();
    case notice_read:
      if (verdict_ != Verdict::none) return look_();
      return give_held_();
    default:
      return;
  }
}

void StreamHandler::broken_(std::error_code error) {
  output_ = after(output_, OutputEvent::tell);
  proactor_.core().cancel(recv_);
  proactor_.core().cancel(send_);
  if (files_) proactor_.core().cancel(files_->send);
  taken_ = write_progress_ = 0;
  refused_ = 0;
  if (!sending_()) queue_.clear();
  proactor_.core().flush_later(*this);  // finish() may wait for this
  on_error(error);
  if (!finishing_) unanswered_();
}

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

void StreamHandler::loop_closing_down() noexcept {
  if (timing_) proactor_.core().disarm(timing_->timer);
  // close() ends only what is on the stream's own descriptor
  if (files_) proactor_.core().cancel(files_->write);
}

void StreamHandler::loop_release_resources() noexcept {
  if ((notices_ & notice_reopen) == 0) connecting_.reset();
  queue_.clear();
  held_.clear();
  if (timing_) timing_->forget_connection();
  if (extras_) extras_->forget_connection();
  files_.reset();
  taken_ = write_progress_ = 0;
  input_error_ = output_error_ = 0;
  refused_ = refusal_due_ = 0;
  connection_ = StreamConnection::none;
  input_ = Input::flows;
  output_ = Output::open;
  hold_ = Hold::clear;
  verdict_ = Verdict::none;
  wants_input_ = finishing_ = false;
}

}  // namespace proa
