// The gentle ends of a datagram handler. Upholds R1 (the verb only notes what to do) and R6.
#include <new>
#include <proa/datagram_handler.hpp>
#include <proa/error.hpp>
#include <utility>

#include "handler/datagram_extras.hpp"
#include "handler/datagram_states.hpp"
#include "handler/handler_loop.hpp"

namespace proa {

namespace {

/// What may have come, if the system does not say for how much it has room. Datagrams of UNIX
/// sockets take room of their senders.
constexpr int unknown_room = 1 << 24;

}  // namespace

DatagramHandler::DatagramHandler(Proactor& proactor) noexcept
    : Handler(proactor, HandlerKind::datagram) {}

DatagramHandler::~DatagramHandler() {
  if (is_open()) destroyed_();
}

void DatagramHandler::finish() noexcept {
  check_("finish");
  if (is_over_() || !open_up_() || finishing_) return;
  stop_receiving();
  finishing_ = true;
  close_if_finished_();
  if (!closing()) begin_linger_();
}

void DatagramHandler::drain() noexcept {
  check_("drain");
  if (is_over_() || !open_up_() || finishing_) return;
  notify_later_(notice_drain);
}

// The receive ends as by a deadline. So the core takes what the kernel has, a round's budget at a
// time, before it tells the end (R7).
void DatagramHandler::loop_drain() {
  using detail::Receiving;
  if (finishing_ || receiving_ == Receiving::draining) return;
  if (receiving_ == Receiving::restarting) return notify_later_(notice_drain);  // it begins soon
  if (receiving_ != Receiving::on || !recv_.pending() || !make_extras_()) return on_drain();
  // The system does not say how much has come, only how much it has room for.
  int room = 0;
  const bool ip = address().family() != Address::Family::local;
  const bool told = ip && !socket_.get_option(SocketOption::receive_buffer, room);
  extras_->last_input = static_cast<std::uint32_t>(told ? room : unknown_room);
  extras_->last_left = extras_->last_input;
  receiving_ = Receiving::draining;
  proactor().core().expire(recv_);
}

// The receive has ended, and the handler was told what that brought: goes on if more had come. A
// receive that brought nothing has waited in vain for a block (Core::awaits_block()).
void DatagramHandler::drain_on_() {
  const bool brought =
      std::exchange(extras_->last_left, extras_->last_input) != extras_->last_input;
  const bool more = recv_.has_queued() || proactor().system().readable(descriptor());
  if (extras_->last_input > 0 && more && brought) return arm_();
  receiving_ = detail::Receiving::on;
  arm_();
  on_drain();
}

// Returns nullptr if memory is short.
DatagramHandler::DatagramExtras* DatagramHandler::make_extras_() noexcept {
  if (!extras_) extras_.reset(new (std::nothrow) DatagramExtras(*this, 0));
  return extras_.get();
}

// Without memory for the timer there is no bound.
void DatagramHandler::begin_linger_() noexcept {
  if (!make_extras_()) return;
  extras_->lingered = false;
  extras_->sent_last = proactor().system().now();
  look_at_linger_at_(after(extras_->sent_last, proactor().options().linger));
}

void DatagramHandler::look_at_linger_at_(TimePoint when) noexcept {
  (void)proactor().core().arm(extras_->linger, when);
}

// The linger time has run out, or part of it. Only the system knows whether it has room for a
// datagram by now (R7). So the handler ends the send that waits for room, and the result of that
// send says whether the system took anything. Between two sends nothing waits for room.
void DatagramHandler::look_at_linger_(const Result&) {
  const TimePoint now = proactor().system().now();
  const TimePoint until = after(extras_->sent_last, proactor().options().linger);
  if (now < until) return look_at_linger_at_(until);
  if (!send_.pending()) return look_at_linger_at_(after(now, next_look));
  extras_->lingered = true;
  proactor().core().expire(send_);
}

// A send has ended. Returns true if the linger time has ended that send, and the system took
// nothing: the handler waits no longer.
bool DatagramHandler::lingered_in_vain_(const Result& result) noexcept {
  if (!finishing_ || !extras_) return false;
  const bool lingered = std::exchange(extras_->lingered, false);
  if (lingered && result.error == Error::deadline) return true;
  if (!result.error) extras_->sent_last = proactor().system().now();
  if (lingered) look_at_linger_at_(after(extras_->sent_last, proactor().options().linger));
  return false;
}

// Behind finish(): nothing is left to send, and no error is due.
void DatagramHandler::close_if_finished_() noexcept {
  if (!finishing_ || state_ != HandlerState::open || (notices_ & notice_error) != 0) return;
  if (queue_.empty() && !send_.pending()) close();
}

}  // namespace proa
