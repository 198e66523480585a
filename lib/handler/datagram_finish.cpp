// The gentle end of a datagram handler. Upholds R1 (the verb only notes what to do) and R6.
#include <new>
#include <proa/datagram_handler.hpp>

#include "handler/datagram_extras.hpp"
#include "handler/datagram_states.hpp"
#include "handler/handler_loop.hpp"

namespace proa {

DatagramHandler::DatagramHandler(Proactor& proactor) noexcept : Handler(proactor, Kind::datagram) {}

DatagramHandler::~DatagramHandler() {
  if (is_open()) destroyed();
}

void DatagramHandler::finish() noexcept {
  check("finish");
  if (is_over() || !open_up() || finishing_) return;
  stop_receiving();
  finishing_ = true;
  close_if_finished();
  if (!closing()) begin_linger();
}

// Without memory for the timer there is no bound.
void DatagramHandler::begin_linger() noexcept {
  if (!extras_) extras_.reset(new (std::nothrow) Extras(*this, 0));
  if (!extras_) return;
  extras_->sent_last = proactor().system().now();
  (void)proactor().core().arm(extras_->linger,
                              after(extras_->sent_last, proactor().options().linger));
}

void DatagramHandler::look_at_linger(const Result&) {
  const TimePoint until = after(extras_->sent_last, proactor().options().linger);
  const bool over = proactor().system().now() >= until;
  if (over || !proactor().core().arm(extras_->linger, until)) close();
}

// Behind finish(): nothing is left to send, and no error is due.
void DatagramHandler::close_if_finished() noexcept {
  if (!finishing_ || state_ != State::open || (notices_ & notice_error) != 0) return;
  if (queue_.empty() && !send_.pending()) close();
}

}  // namespace proa
