// The faults of epoll and of libaio; on Linux also those of the emulated kqueue.
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#ifdef PROA_HAVE_AIO
#include <libaio.h>
#endif

#include "support/faults_state.hpp"

namespace proa_test::faults {

namespace {

#ifdef PROA_HAVE_AIO
// The kernel copies blocks and pieces within the call.
long faulty_aio_submit(void* context, long count, iocb** blocks) noexcept {
  if (const long error = planned(Call::aio_submit)) return error;
  if (hit(state.denying)) {
    if (count < 2 || hit(0.5)) return -EAGAIN;
    count /= 2;
  }
  const std::size_t most = longest();
  if (most == 0 || most % 512 != 0) return state.below.aio_submit(context, count, blocks);
  std::vector<std::vector<iovec>> pieces;
  for (long i = 0; i < count; ++i) {
    iocb& block = *blocks[i];
    ++state.injected;
    if (block.aio_lio_opcode == IO_CMD_PREAD || block.aio_lio_opcode == IO_CMD_PWRITE) {
      block.u.c.nbytes = std::min<unsigned long>(block.u.c.nbytes, most);
      continue;
    }
    pieces.push_back(cut(static_cast<const iovec*>(block.u.c.buf), block.u.c.nbytes, most));
    block.u.c.buf = pieces.back().data();
    block.u.c.nbytes = pieces.back().size();
  }
  return state.below.aio_submit(context, count, blocks);
}
#endif

long faulty_epoll_ctl(int epoll, int what, int fd, epoll_event* event) noexcept {
  if (const long error = planned(Call::epoll_ctl)) return error;
  const long result = state.below.epoll_ctl(epoll, what, fd, event);
  if (result < 0) return result;
  if (what == EPOLL_CTL_DEL) {
    unwatched(fd);
  } else {
    watched(fd, [epoll, fd, wanted = *event]() mutable {
      state.below.epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &wanted);
    });
  }
  return result;
}

long faulty_epoll_wait(int epoll, epoll_event* events, int count,
                       const timespec* timeout) noexcept {
  if (const long error = planned(Call::epoll_wait)) return error;
  if (hit(state.interrupting)) return -EINTR;
  return state.below.epoll_wait(epoll, events, count, timeout);
}

}  // namespace

void wrap_own_calls(proa::sys::Table& wrapped) {
  wrapped.epoll_ctl = faulty_epoll_ctl;
  wrapped.epoll_wait = faulty_epoll_wait;
#ifdef PROA_HAVE_AIO
  wrapped.aio_submit = faulty_aio_submit;
#endif
#ifdef PROA_HAVE_URING
  wrapped.uring_submit_and_wait = uring_submit_and_wait;
#endif
  wrapped.kevent = kevent;
  wrapped.aio_readv = aio_readv;
  wrapped.aio_writev = aio_writev;
  wrapped.aio_return = aio_return;
}

}  // namespace proa_test::faults
