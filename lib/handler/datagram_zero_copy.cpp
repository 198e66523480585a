// Sends without a copy (MSG_ZEROCOPY): the blocks stay with the kernel until it returns them. It
// raises no event that tells a receive anything, so a timer looks for the notices while some are
// due. Upholds R3 and R6: close() waits for what is lent, and what a device never returns is never
// used again.
#include "handler/datagram_zero_copy.hpp"

#include <new>

#include "handler/handler_loop.hpp"

namespace proa {

namespace {

constexpr Duration look_again = std::chrono::milliseconds(1);
constexpr Duration longest_wait = std::chrono::seconds(1);  // of close()

}  // namespace

DatagramHandler::DatagramHandler(Proactor& proactor) noexcept : Handler(proactor, Kind::datagram) {}

DatagramHandler::~DatagramHandler() {
  if (is_open()) destroyed("destroyed before on_closed()");
}

void DatagramHandler::begin_zero_copy(std::size_t from) noexcept {
  zero_copy_.reset();
  // Where it is refused, bytes are copied.
  if (from == 0 || socket_.set_option(SocketOption::zero_copy, 1)) return;
  zero_copy_.reset(new (std::nothrow) ZeroCopy(*this, from));
}

// From which size on the next send may lend.
std::size_t DatagramHandler::lends_from() const noexcept {
  // Of what is cut here a part may have been lent and another not.
  return zero_copy_ && !cuts_ && zero_copy_->lent.capacity() < ZeroCopy::most ? zero_copy_->from
                                                                              : 0;
}

// The first `count` datagrams were sent from where they are.
void DatagramHandler::lend(std::size_t count) {
  if (zero_copy_->lent.empty()) ++elsewhere_;
  for (std::size_t i = 0; i < count; ++i) queue_.lend(i, zero_copy_->lent);
  zero_copy_->outstanding += send_.lent();
  zero_copy_->since = proactor().system().now();
}

void DatagramHandler::returned(const SendNotice& notice) noexcept {
  if (!zero_copy_) return;
  zero_copy_->outstanding -= std::uint64_t{notice.last - notice.first} + 1;
  zero_copy_->since = proactor().system().now();
}

void DatagramHandler::settle_zero_copy() noexcept {
  ZeroCopy& state = *zero_copy_;
  if (state.lent.empty()) return;
  const TimePoint now = proactor().system().now();
  const bool given_up =
      closing() && (proactor().shutting_down() || now >= after(state.since, longest_wait));
  if (state.outstanding > 0 && !given_up) {
    if (!proactor().core().arm(state.timer, after(now, look_again))) fail(-ENOMEM);
    return;
  }
  proactor().core().disarm(state.timer);
  state.outstanding > 0 ? state.lent.forget() : state.lent.clear();
  state.outstanding = 0;
  proactor().core().ended_elsewhere(*this);
}

void DatagramHandler::look_for_returned(const Result&) { tell_errors(); }

}  // namespace proa
