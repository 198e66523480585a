// The faults of kqueue.
#include <sys/event.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "support/faults_state.hpp"

namespace proa_test::faults {

namespace {

// As the kernel tells of changes that it refuses: at once, and of nothing else.
long refuse(const struct kevent* changes, int count, struct kevent* events, long error) noexcept {
  std::copy(changes, changes + count, events);
  for (int i = 0; i < count; ++i) {
    events[i].flags = EV_ERROR;
    events[i].data = -error;
  }
  return count;
}

void note_edges(int kq, const struct kevent* changes, int count) {
  for (int i = 0; i < count; ++i) {
    if (changes[i].filter != EVFILT_READ) continue;
    std::vector<struct kevent> both(2, changes[i]);
    both[1].filter = EVFILT_WRITE;
    watched(static_cast<int>(changes[i].ident), [kq, both] {
      state.below.kevent(kq, both.data(), static_cast<int>(both.size()), nullptr, 0, nullptr);
    });
  }
}

// Whether the error that is planned is one of changes.
bool awaits_changes() noexcept {
  const std::lock_guard lock(state.mutex);
  const Plan& plan = state.plans[static_cast<unsigned>(Call::kevent)];
  return plan.times > 0 && plan.error != -EINTR;
}

}  // namespace

// Interrupted, the call has made the changes all the same (kevent(2), EINTR).
long kevent(int kq, const struct kevent* changes, int count, struct kevent* events, int most,
            const timespec* timeout) noexcept {
  const auto& below = state.below.kevent;
  // A wake-up that failed would be lost, and it cannot.
  const bool wakes = count == 1 && (changes->fflags & NOTE_TRIGGER) != 0;
  if (wakes) return below(kq, changes, count, events, most, timeout);
  if (most == 0) {
    const long error = planned(Call::kevent);
    return error ? error : below(kq, changes, count, events, most, timeout);
  }
  if (count == 0 && awaits_changes()) return below(kq, changes, count, events, most, timeout);
  const long error = hit(state.interrupting) ? -EINTR : planned(Call::kevent);
  if (error != 0 && error != -EINTR) return refuse(changes, count, events, error);
  note_edges(kq, changes, count);
  if (error == 0) return below(kq, changes, count, events, most, timeout);
  if (count == 0 || below(kq, changes, count, nullptr, 0, nullptr) == 0) return error;
  return below(kq, changes, count, events, most, timeout);
}

}  // namespace proa_test::faults
