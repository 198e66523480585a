// The faults of io_uring: changes to the two queues on the way into the kernel and out of it.
#include <cerrno>

#include "support/faults_state.hpp"

#ifdef PROA_HAVE_URING
#include <liburing.h>

#include <algorithm>

namespace proa_test::faults {

namespace {

// The call that does the same; Call::number for what is never faulted.
Call call_of(const io_uring_sqe& sqe) noexcept {
  const bool streams = sqe.off == ~std::uint64_t{0};
  switch (sqe.opcode) {
    case IORING_OP_RECV:
      return Call::recv;
    case IORING_OP_READ:
      return streams ? Call::read : Call::preadv2;
    case IORING_OP_READV:
    case IORING_OP_READ_FIXED:
      return Call::preadv2;
    case IORING_OP_SEND:
      return Call::send;
    case IORING_OP_SENDMSG:
      return Call::sendmsg;
    case IORING_OP_RECVMSG:
      return Call::recvmmsg;
    case IORING_OP_WRITE_FIXED:
      return Call::pwritev2;
    case IORING_OP_WRITE:
    case IORING_OP_WRITEV:
      return streams ? Call::writev : Call::pwritev2;
    case IORING_OP_ACCEPT:
      return Call::accept;
    case IORING_OP_FSYNC:
      return (sqe.fsync_flags & IORING_FSYNC_DATASYNC) != 0 ? Call::fdatasync : Call::fsync;
    case IORING_OP_OPENAT:
      return Call::openat;
    case IORING_OP_STATX:
      return Call::status;
    case IORING_OP_FALLOCATE:
      return Call::fallocate;
    default:
      return Call::number;
  }
}
bool transfers(Call call) noexcept {
  return call != Call::fsync && call != Call::fdatasync && call != Call::openat &&
         call != Call::status && call != Call::fallocate;
}
// Makes it fail at once and do nothing; its CQE is then told another reason. What the kernel
// leaves to its threads would fail there, later: but not an opcode that it does not know.
void spoil(io_uring_sqe& sqe, Call call, long error) {
  if (transfers(call)) {
    sqe.fd = -1;
    sqe.flags &= static_cast<unsigned char>(~IOSQE_ASYNC);
  } else {
    sqe.opcode = 255;
  }
  state.told[sqe.user_data] = static_cast<int>(error);
}

void shorten(io_uring_sqe& sqe, std::vector<msghdr>& messages,
             std::vector<std::vector<iovec>>& pieces) {
  const std::size_t most = longest();
  if (most == 0 || sqe.opcode == IORING_OP_ACCEPT || sqe.opcode == IORING_OP_RECVMSG) return;
  ++state.injected;
  if (sqe.opcode == IORING_OP_SENDMSG) {
    messages.push_back(*reinterpret_cast<const msghdr*>(sqe.addr));
    pieces.push_back(cut(messages.back().msg_iov, messages.back().msg_iovlen, most));
    messages.back().msg_iov = pieces.back().data();
    messages.back().msg_iovlen = pieces.back().size();
    sqe.addr = reinterpret_cast<std::uint64_t>(&messages.back());
  } else if (sqe.opcode == IORING_OP_WRITEV || sqe.opcode == IORING_OP_READV) {
    pieces.push_back(cut(reinterpret_cast<const iovec*>(sqe.addr), sqe.len, most));
    sqe.addr = reinterpret_cast<std::uint64_t>(pieces.back().data());
    sqe.len = static_cast<unsigned>(pieces.back().size());
  } else if ((sqe.flags & IOSQE_BUFFER_SELECT) == 0 || sqe.len != 0) {
    sqe.len = std::min(sqe.len, static_cast<unsigned>(most));
  }
}

long enter(io_uring* ring, unsigned want, const timespec* timeout) noexcept {
  if (const long error = planned(Call::uring_submit_and_wait)) return error;
  return state.below.uring_submit_and_wait(ring, want, timeout);
}

}  // namespace

long uring_submit_and_wait(io_uring* ring, unsigned want, const timespec* timeout) noexcept {
  if (hit(state.interrupting)) return -EINTR;
  const unsigned first = ring->sq.sqe_head;
  const unsigned last = ring->sq.sqe_tail;
  std::vector<msghdr> messages;
  std::vector<std::vector<iovec>> pieces;
  messages.reserve(last - first);  // their addresses are in the queue
  pieces.reserve(last - first);
  for (unsigned i = first; i != last; ++i) {
    io_uring_sqe& sqe = ring->sq.sqes[i & *ring->sq.kring_mask];
    const Call call = call_of(sqe);
    if (call == Call::number || sqe.fd == -1) continue;  // those of before, too
    if (const long error = planned(call)) {
      spoil(sqe, call, error);
      continue;
    }
    if (!transfers(call)) continue;
    if (sqe.fd >= 0 && hit(state.denying)) {
      spoil(sqe, call, hit(0.5) ? -EINTR : -EAGAIN);
      continue;
    }
    shorten(sqe, messages, pieces);
  }
  // Short of waiting, so that what was denied is not waited for.
  const long result = enter(ring, state.told.empty() ? want : 0, timeout);
  const unsigned tail = io_uring_smp_load_acquire(ring->cq.ktail);
  for (unsigned i = *ring->cq.khead; i != tail; ++i) {
    io_uring_cqe& cqe = ring->cq.cqes[i & *ring->cq.kring_mask];
    const auto found = state.told.find(cqe.user_data);
    // EACCES: the ring refuses the opcode before it looks for the descriptor.
    const bool spoilt = cqe.res == -EBADF || cqe.res == -EINVAL || cqe.res == -EACCES;
    if (found == state.told.end() || !spoilt) continue;
    cqe.res = found->second;
    state.told.erase(found);
  }
  return result;
}

}  // namespace proa_test::faults
#endif
