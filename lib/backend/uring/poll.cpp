// Poll over io_uring: POLL_ADD, for a repeating one as a multishot. A kernel without that has no
// edges in io_uring: there an epoll set of the request's own, edge-triggered, makes them, and
// POLL_ADD waits for the set. Upholds R2 (a repeating Poll ends once) and R8 (what is ready and
// stays so is told once, and does not keep the loop awake).
#include <poll.h>
#include <sys/epoll.h>

#include <cerrno>
#include <ctime>

#include "backend/uring/uring_backend.hpp"

namespace proa::uring {

// A set that holds the descriptor; without one (a descriptor that is always ready, or no more
// descriptors) POLL_ADD asks the descriptor itself, and its error is told.
void UringBackend::open_helper(Poll& poll) noexcept {
  if (!BackendSide::repeating(poll) || ring_.features().multishot_poll) return;
  const long made = sys::epoll_create(EPOLL_CLOEXEC);
  if (made < 0) return;
  epoll_event wanted = {};
  wanted.events = static_cast<std::uint32_t>(poll.wanted()) | EPOLLET;
  const int set = static_cast<int>(made);
  if (sys::epoll_ctl(set, EPOLL_CTL_ADD, poll.descriptor().number, &wanted) < 0) {
    sys::close(set);
  } else {
    poll.helper() = set;
  }
}

void UringBackend::close_helper(Poll& poll) noexcept {
  if (poll.helper() >= 0) sys::close(poll.helper());
  poll.helper() = -1;
}

io_uring_sqe* UringBackend::fill_poll(Poll& poll) noexcept {
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

// Whether the set had an edge: then `events` are the descriptor's.
bool UringBackend::take_edge(Poll& poll, long& events) noexcept {
  constexpr timespec at_once = {};
  epoll_event event = {};
  if (sys::epoll_wait(poll.helper(), &event, 1, &at_once) != 1) return false;
  events = static_cast<long>(event.events);
  return true;
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
  if (completion.more()) {
    clear(poll, again);
  } else if (has(poll, ending)) {
    if (!news) return end(poll, -ECANCELED);
    finish_later(poll);
  } else if (poll.helper() >= 0 || !has(poll, again)) {
    set(poll, again);
    start(poll);
  } else {
    // The kernel ended a multishot twice without one result more: there is nothing to wait for.
    // (Once it does so when its completions overflow, which is over by the next entry.)
    list(poll, always_ready_);
    return nullptr;
  }
  if (!news) return nullptr;
  BackendSide::finish(poll, 0, true);
  return &poll;
}

}  // namespace proa::uring
