// Poll over io_uring. The backend uses POLL_ADD, and a multishot POLL_ADD for a repeating Poll.
// io_uring has no edges on a kernel without multishot polls: there the request owns an
// edge-triggered epoll set that holds the descriptor, and POLL_ADD waits for the set. Upholds R2 (a
// repeating Poll ends once) and R8 (a descriptor that stays ready is told once, and does not keep
// the loop awake).
#include <poll.h>
#include <sys/epoll.h>

#include <cerrno>
#include <ctime>

#include "backend/uring/uring_backend.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

// Makes the epoll set. 0 or -errno: epoll takes no descriptor that is always ready (-EPERM), or the
// process has no more descriptors.
long UringBackend::open_helper(Poll& poll) noexcept {
  const long made = sys::epoll_create(EPOLL_CLOEXEC);
  if (made < 0) return made;
  epoll_event wanted = {};
  wanted.events = static_cast<std::uint32_t>(poll.wanted()) | EPOLLET;
  const int set = static_cast<int>(made);
  const long added = sys::epoll_ctl(set, EPOLL_CTL_ADD, poll.descriptor().number, &wanted);
  if (added < 0) {
    sys::close(set);
  } else {
    poll.helper() = set;
  }
  return added;
}

void UringBackend::close_helper(Poll& poll) noexcept {
  if (poll.helper() >= 0) sys::close(poll.helper());
  poll.helper() = -1;
}

// The set is made when the ring is in use: one that was made before fork(2) would be the parent's
// too (R14). Without a set, POLL_ADD polls the descriptor itself, and reports its error.
io_uring_sqe* UringBackend::fill_poll(Poll& poll) noexcept {
  const bool needs_set = BackendSide::repeating(poll) && !ring_.features().multishot_poll;
  if (needs_set && poll.helper() < 0) open_helper(poll);
  io_uring_sqe* const sqe = ring_.take();
  const auto wanted = static_cast<unsigned>(poll.wanted());
  if (poll.helper() >= 0) {
    io_uring_prep_poll_add(sqe, poll.helper(), POLLIN);
  } else if (BackendSide::repeating(poll) && ring_.features().multishot_poll) {
    io_uring_prep_poll_multishot(sqe, poll.descriptor().number, wanted);
  } else {
    io_uring_prep_poll_add(sqe, poll.descriptor().number, wanted);
  }
  return sqe;
}

// Whether the set reports an edge. If so, `events` becomes what the set says of the descriptor.
bool UringBackend::take_edge(Poll& poll, long& events) noexcept {
  constexpr timespec at_once = {};
  epoll_event event = {};
  if (sys::epoll_wait(poll.helper(), &event, 1, &at_once) != 1) return false;
  events = static_cast<long>(event.events);
  return true;
}

// The kernel has ended the poll of a repeating Poll. It ends the poll of a descriptor that is
// always ready, which has told everything then, and waits for its cancel; epoll refuses such a one.
// It also ends the poll of a descriptor that has an error and nothing to wait for (a pressure file
// without a trigger), which goes on by a set: its edges do not repeat themselves, but for the first
// one, which is the error that is told now. And it ends any poll while its completion queue
// overflows.
void UringBackend::poll_again(Poll& poll, bool tells_error) noexcept {
  if (poll.helper() >= 0) return start(poll);
  const long pollable = open_helper(poll);
  if (pollable == -EPERM) return list(poll, always_ready_);
  long first = 0;
  if (pollable == 0 && tells_error) {
    (void)take_edge(poll, first);
  } else if (ring_.features().multishot_poll) {
    close_helper(poll);
  }
  if (pollable == 0) return start(poll);
  set(poll, delaying);  // no descriptor is left to ask with
  start_polling(poll);
}

Operation* UringBackend::told(Poll& poll, const Completion& completion) noexcept {
  long events = completion.result;
  if (events < 0) return completion.more() ? nullptr : go_on_or_end(poll, events);
  const bool news =
      (poll.helper() < 0 || take_edge(poll, events)) && !tells_only_of_input(poll, events);
  if (news) poll.set_events(static_cast<unsigned>(events));
  if (!BackendSide::repeating(poll)) {
    if (news || has(poll, ending)) return end(poll, news ? 0 : -ECANCELED);
    set(poll, delaying);
    start_polling(poll);
    return nullptr;
  }
  if (!completion.more() && has(poll, ending)) {
    if (!news) return end(poll, -ECANCELED);
    finish_later(poll);
  } else if (!completion.more()) {
    poll_again(poll, news && poll.failed());
  }
  if (!news) return nullptr;
  BackendSide::finish(poll, 0, true);
  return &poll;
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
