// What a Poll asks poll(2) for, and what the answer means: the same for every backend (R12).
#include <poll.h>

#include <cerrno>
#include <proa/poll.hpp>

#include "backend/perform.hpp"
#include "sys/sys.hpp"

namespace proa {

short Poll::wanted() const noexcept { return direction() == Direction::in ? POLLIN : POLLOUT; }

void Poll::set_events(unsigned answered) noexcept {
  // After a hang-up, and with an error, neither a read nor a write waits.
  const unsigned asked = static_cast<unsigned>(wanted()) | POLLHUP | POLLERR;
  events_ = static_cast<std::uint8_t>(((answered & asked) != 0 ? event_ready : 0) |
                                      ((answered & POLLHUP) != 0 ? event_hung_up : 0) |
                                      ((answered & POLLERR) != 0 ? event_failed : 0));
}

Attempt Performer::poll(Poll& operation) noexcept {
  const auto answered =
      static_cast<unsigned>(sys::poll_now(operation.descriptor().number, operation.wanted()));
  if ((answered & POLLNVAL) != 0) return {-EBADF};
  if (answered == 0) return {-EAGAIN};
  operation.set_events(answered);
  return {0};
}

}  // namespace proa
