// The end of a handler: close() and what follows it, up to on_closed() and a new beginning.
// Upholds R6.
#include <exception>
#include <proa/handler.hpp>

#include "handler/handler_loop.hpp"
#include "handler/server_core.hpp"

namespace proa {

void Handler::destroyed_(const char* how) noexcept {
  if (!proactor_.core().inherited()) {
    misused_(std::uncaught_exceptions() == 0
                 ? how
                 : "destroyed while it was open, by an exception that leaves its scope");
  }
  disown_();
}

void Handler::disown_() noexcept {
  if (state_ == HandlerState::idle) return;
  loop_leave_process();
  ServerCore* const server = std::exchange(server_, nullptr);
  rest_();
  socket_.close();
  if (server) server->gone();
}

void Handler::close() noexcept {
  // The kernel hears nothing of what a child of fork(2) has inherited, so the handler is only let
  // go.
  if (proactor_.core().lost()) return disown_();
  if (!proactor_.core().inherited()) check_("close");
  if (is_over_()) return forget_();
  notices_ = static_cast<std::uint16_t>(notices_ & ~notice_reopen);
  open_up_();
  if (state_ != HandlerState::open) return;
  state_ = HandlerState::closing;
  loop_closing_down();
  proactor_.core().close(*this);
}

void Handler::rest_() noexcept {
  proactor_.core().closed(*this);
  state_ = HandlerState::idle;
  notices_ = 0;
  told_last_ = 0;
  error_ = 0;
  if (more_errors_) proactor_.core().forget_errors(*this);
  more_errors_ = false;
  if (server_) server_->rests(*this);
}

void Handler::forget_() noexcept {
  const bool remembers = (notices_ & notice_reopen) != 0;
  notices_ = static_cast<std::uint16_t>(notices_ & ~notice_reopen);
  if (is_open()) loop_closing_down();
  if (is_open() || remembers) loop_release_resources();
  if (is_open()) rest_();
}

void Handler::reopen_later_() noexcept {
  notices_ = static_cast<std::uint16_t>(notices_ | notice_reopen);
}

// on_closed() may destroy the handler: the destructor takes it out of the list `still_there` then.
void Handler::became_closed_() {
  loop_release_resources();
  ServerCore* const server = std::exchange(server_, nullptr);
  const unsigned reopens = notices_ & notice_reopen;
  rest_();
  notices_ = static_cast<std::uint16_t>(reopens);
  socket_.close();
  if (server) server->gone();
  List<Handler, NoticeHook> still_there;
  struct GoOn {
    List<Handler, NoticeHook>& those;
    const bool served;
    ~GoOn() {
      if (Handler* const handler = those.pop_front()) handler->go_on_(served);
    }
  } const go_on{still_there, server != nullptr};  // also if on_closed() throws
  still_there.push_back(*this);
  in_on_closed_ = true;
  on_closed();
}

// What on_closed() has closed again reopens behind the next on_closed().
void Handler::go_on_(bool served) noexcept {
  in_on_closed_ = false;
  if (proactor_.core().inherited()) return;  // on_closed() has called fork(2)
  if ((notices_ & notice_reopen) != 0 && !closing()) {
    notices_ = static_cast<std::uint16_t>(notices_ & ~notice_reopen);
    loop_dispatch(notice_reopen);
  }
  if (state_ == HandlerState::idle && served) {
    notices_ |= notice_left;
    proactor_.core().notify_idle(*this);
  } else if (notices_ != 0) {
    proactor_.core().notify_later(*this);  // notices of what on_closed() has begun
  }
}

}  // namespace proa
