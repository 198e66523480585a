// The faults of kqueue and aio(4).
#include <aio.h>
#include <fcntl.h>
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

bool turned_away(aiocb& block) noexcept {
  if (hit(state.denying)) return true;
  std::size_t most = longest();
  const bool direct = (::fcntl(block.aio_fildes, F_GETFL) & O_DIRECT) != 0;
  if (most == 0 || (direct && most % 512 != 0)) return false;
  ++state.injected;
  auto* const pieces = static_cast<iovec*>(const_cast<void*>(block.aio_iov));
  std::size_t kept = 0;
  for (; kept < block.aio_iovcnt && most > 0; ++kept) {
    pieces[kept].iov_len = std::min(pieces[kept].iov_len, most);
    most -= pieces[kept].iov_len;
  }
  block.aio_iovcnt = kept;
  return false;
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
  const long error = hit(state.interrupting) ? -EINTR : planned(Call::kevent);
  if (error != 0 && error != -EINTR) return refuse(changes, count, events, error);
  note_edges(kq, changes, count);
  if (error == 0) return below(kq, changes, count, events, most, timeout);
  if (count == 0 || below(kq, changes, count, nullptr, 0, nullptr) == 0) return error;
  return below(kq, changes, count, events, most, timeout);
}

long aio_readv(aiocb* block) noexcept {
  if (const long error = planned(Call::aio_readv)) return error;
  return turned_away(*block) ? -EAGAIN : state.below.aio_readv(block);
}
long aio_writev(aiocb* block) noexcept {
  if (const long error = planned(Call::aio_writev)) return error;
  return turned_away(*block) ? -EAGAIN : state.below.aio_writev(block);
}
// The request is over all the same.
long aio_return(aiocb* block) noexcept {
  const long result = state.below.aio_return(block);
  const long error = planned(Call::aio_return);
  return error ? error : result;
}

}  // namespace proa_test::faults
