// A timer is one Timer operation, and the handler is open while that is armed. The handler settles
// its state before it calls on_timer(), so that the callback may do anything, even destroy the
// timer. Upholds R7: a deadline counts from the clock at the start (the round's time is older, and
// would make the timer early), and periods count from the first deadline.
#include <cerrno>
#include <proa/timer_handler.hpp>
#include <utility>

#include "base/error_code.hpp"
#include "handler/handler_loop.hpp"

namespace proa {

TimerHandler::~TimerHandler() {
  if (is_over_()) forget_();
  if (is_open()) {
    destroyed_("destroyed while it was armed or closing: stop() it, or call Proactor::shutdown()");
  }
}

void TimerHandler::start(Duration delay) noexcept {
  check_("start");
  arm_(after(proactor().system().now(), delay), Duration::zero());
}

void TimerHandler::start_at(TimePoint deadline) noexcept {
  check_("start_at");
  arm_(deadline, Duration::zero());
}

void TimerHandler::start_every(Duration period) noexcept {
  check_("start_every");
  if (period > Duration::zero()) {
    arm_(after(proactor().system().now(), period), period);
    return;
  }
  stop();
  Handler::start_("start_every");
  refuse_(-EINVAL);
}

void TimerHandler::arm_(TimePoint deadline, Duration period) noexcept {
  Handler::start_("start");
  if (closing()) return;
  due_ = deadline;
  period_ = period;
  error_ = 0;  // drops the error of an earlier start: only the last start counts
  notices_ &= static_cast<std::uint16_t>(~notice_notified);
  if (!proactor().core().arm(timer_, deadline)) refuse_(-ENOMEM);
}

// The loop tells the error by loop_dispatch(); until then the handler stays open.
void TimerHandler::refuse_(std::int32_t error) noexcept {
  if (closing()) return;
  error_ = static_cast<std::int16_t>(error);
  notify_later_(notice_notified);
}

void TimerHandler::stop() noexcept {
  if (!proactor().core().inherited()) check_("stop");
  if (!is_open() || closing()) return;
  proactor().core().disarm(timer_);
  rest_();
}

void TimerHandler::fired_(const Result&) {
  std::uint64_t expirations = 1;
  if (period_ > Duration::zero()) {
    expirations += static_cast<std::uint64_t>((proactor().now() - due_) / period_);
    due_ += period_ * static_cast<std::int64_t>(expirations);
    if (!proactor().core().arm(timer_, due_)) refuse_(-ENOMEM);
  } else {
    rest_();
  }
  on_timer(expirations);
}

void TimerHandler::loop_dispatch(HandlerNotice) {
  const std::error_code error = to_error_code(std::exchange(error_, 0));
  if (!timer_.pending()) rest_();
  on_error(error);
}

void TimerHandler::loop_closing_down() noexcept { proactor().core().disarm(timer_); }

}  // namespace proa
