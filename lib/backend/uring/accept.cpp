// Accepting. One ACCEPT at a time is at the kernel. When it has brought a connection, more may wait
// in the backlog: the backend takes those by accept4(2), one in each turn of the accepting_ list,
// and gives the next ACCEPT to the kernel when the backlog is empty. A multishot ACCEPT is not
// used, because the kernel would accept the whole backlog at once: thousands of completions of a
// flood of connections would stand in the completion queue in front of everything else, and
// overflow the queue. Upholds R8 (connections that come without end take turns with everything
// else).
#include "backend/uring/uring_backend.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

Operation* UringBackend::accepted(Accept& accept, long result) noexcept {
  if (result < 0) {
    // The error belongs to one connection that died in the queue; the listener goes on accepting.
    if (died_in_queue(accept.descriptor(), result) && !has(accept, ending)) {
      ++counters_.retries;
      start(accept);
      return nullptr;
    }
    return go_on_or_end(accept, result);
  }
  accept.socket() = Socket(system_, {static_cast<int>(result), accept.descriptor().kind});
  accept.peer() = {};
  return brought(accept);
}

// accept.socket() has a connection.
Operation* UringBackend::brought(Accept& accept) noexcept {
  if (!BackendSide::repeating(accept)) return end(accept, 0);
  if (has(accept, ending)) {
    finish_later(accept);
  } else if (has(accept, by_kernel)) {
    start(accept);
  } else {
    list(accept, accepting_);
  }
  BackendSide::finish(accept, 0, true);
  return &accept;
}

bool UringBackend::may_accept() const noexcept {
  return !accepting_.empty() && (!accepted_ || ring_.ready() < options_.round_budget);
}

Operation* UringBackend::accept_waiting() noexcept {
  Accept& accept = static_cast<Accept&>(*accepting_.pop_front());
  set_stage(accept, outside);
  accepted_ = true;
  const long result = performer_.accept(accept).result;
  if (result == -EAGAIN) {
    start(accept);
    return nullptr;
  }
  if (result < 0) return end(accept, result);
  list(accept, accepting_);
  BackendSide::finish(accept, 0, true);
  return &accept;
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
