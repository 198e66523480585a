// A stream's life: it opens, hears what the loop has to tell, and gives back what it had.
// stream_connect.cpp is how it connects, stream_finish.cpp how it ends.
// Upholds R1 (verbs only note what to do) and R6.
#include <cerrno>
#include <exception>
#include <proa/error.hpp>
#include <proa/stream_handler.hpp>

#include "base/error_code.hpp"
#include "handler/handler_loop.hpp"
#include "handler/stream_parts.hpp"
#include "handler/stream_states.hpp"

namespace proa {

StreamHandler::StreamHandler(Proactor& proactor) noexcept
    : StreamHandler(proactor, Socket(), StreamConnection::none) {}

StreamHandler::StreamHandler(Proactor& proactor, Socket socket,
                             StreamConnection connection) noexcept
    : Handler(proactor, HandlerKind::stream, std::move(socket)),
      connection_(connection),
      hold_(Hold::clear),
      wants_input_(false),
      finishing_(false) {}

StreamHandler::StreamHandler(Proactor& proactor, Socket connected) noexcept
    : StreamHandler(proactor, std::move(connected), StreamConnection::none) {
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

StreamHandler::StreamParts* StreamHandler::need_parts_() noexcept {
  if (!parts_) parts_.reset(new (std::nothrow) StreamParts);
  return parts_.get();
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
  if (send_) proactor_.core().cancel(send_->request());
  if (files_()) proactor_.core().cancel(files_()->send);
  taken_ = write_progress_ = 0;
  refused_ = 0;
  if (!sending_()) queue_.clear();
  proactor_.core().flush_later(*this);  // finish() may wait for this
  on_error(error);
  if (!finishing_) unanswered_();
}

void StreamHandler::loop_closing_down() noexcept {
  if (timing_()) proactor_.core().disarm(timing_()->timer);
  // close() ends only what is on the stream's own descriptor
  if (files_()) proactor_.core().cancel(files_()->write);
}

void StreamHandler::loop_release_resources() noexcept {
  if (parts_ && (notices_ & notice_reopen) == 0) parts_->connecting.reset();
  queue_.clear();
  held_.clear();
  if (timing_()) timing_()->forget_connection();
  if (extras_()) extras_()->forget_connection();
  if (parts_) parts_->files.reset();
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
