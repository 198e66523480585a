// Sends without a copy (MSG_ZEROCOPY): the kernel has the blocks until it returns them with a
// notice. No event of a receive tells of the notices, so a timer looks for them while some are due.
// Upholds R3 and R6: close() waits for the lent blocks, and the handler never uses a block again
// that a device does not return.
#include <new>

#include "handler/datagram_extras.hpp"
#include "handler/handler_loop.hpp"

namespace proa {

namespace {

constexpr Duration look_again = std::chrono::milliseconds(1);
// close() waits for lent blocks so long at most
constexpr Duration longest_wait = std::chrono::seconds(1);

}  // namespace

void DatagramHandler::begin_zero_copy_(std::size_t from) noexcept {
  extras_.reset();
  // Where the system refuses the option, sends copy the bytes.
  if (from == 0 || socket_.set_option(SocketOption::zero_copy, 1)) return;
  extras_.reset(new (std::nothrow) DatagramExtras(*this, from));
}

// Returns the size from which on the next send may lend its blocks; 0 if it may not.
std::size_t DatagramHandler::lends_from_() const noexcept {
  // If the library cuts datagrams, one part of a datagram could be lent and another not.
  return extras_ && !cuts_ && extras_->lent.capacity() < DatagramExtras::most ? extras_->from : 0;
}

// The kernel sends the first `count` datagrams from where they are: moves their blocks from the
// queue to `lent`.
void DatagramHandler::lend_(std::size_t count) {
  if (extras_->lent.empty()) ++elsewhere_;
  for (std::size_t i = 0; i < count; ++i) queue_.lend(i, extras_->lent);
  extras_->outstanding += send_.lent();
  extras_->since = proactor().system().now();
}

void DatagramHandler::returned_(const SendNotice& notice) noexcept {
  if (!extras_) return;
  extras_->outstanding -= std::uint64_t{notice.last - notice.first} + 1;
  extras_->since = proactor().system().now();
}

void DatagramHandler::settle_zero_copy_() noexcept {
  DatagramExtras& state = *extras_;
  if (state.lent.empty()) return;
  const TimePoint now = proactor().system().now();
  const bool given_up =
      closing() && (proactor().shutting_down() || now >= after(state.since, longest_wait));
  if (state.outstanding > 0 && !given_up) {
    if (proactor().core().arm(state.timer, after(now, look_again))) return;
    // Without memory for the timer the next round looks. A handler that closes has no other turn.
    if (!closing()) return notify_later_(notice_read);
  }
  proactor().core().disarm(state.timer);
  state.outstanding > 0 ? state.lent.forget() : state.lent.clear();
  state.outstanding = 0;
  proactor().core().ended_elsewhere(*this);
}

void DatagramHandler::look_for_returned_(const Result&) { tell_errors_(); }

// The handler is told nothing from here on except its end. A callback in the middle of a batch may
// have closed it, before anything was arranged that would look for the lent blocks.
void DatagramHandler::loop_closing_down() noexcept {
  if (!extras_) return;
  proactor().core().disarm(extras_->linger);
  if (!extras_->lent.empty()) tell_errors_();
}

}  // namespace proa
