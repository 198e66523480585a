// The ring while it runs: it is entered, its queues grow, it ends. ring_open.cpp makes it. Upholds
// R11 (the completion queue is four times as long as the submission queue; the kernel keeps what
// overflows, and the backend counts the overflows).
#include "backend/uring/ring.hpp"

#include <algorithm>

#include "sys/linux.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

long Ring::enter(unsigned want, const timespec* timeout) noexcept {
  return sys::uring_submit_and_wait(&ring_, want, timeout);
}

long Ring::resize(unsigned entries) noexcept {
  sys::QueueRoom room;
  const long reserved = sys::uring_make_room(ring_, entries, room);
  if (reserved < 0) return reserved;
  io_uring_params parameters = {};
  parameters.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  parameters.sq_entries = entries;
  parameters.cq_entries = entries * 4;
  const long resized = register_with(sys::uring_register_resize_rings, &parameters, 1);
  if (resized < 0) {
    sys::uring_leave_room(room);
    return resized;
  }
  const long mapped = sys::uring_remap(&ring_, &parameters, &room);
  if (mapped < 0) lost_ = true;
  return mapped;
}

bool Ring::grow() noexcept {
  if (!features_.resizes || unsubmitted() > 0) return true;
  if (!full_ && ready() <= *ring_.cq.kring_entries / 2) return true;
  full_ = false;
  const unsigned entries = std::min(*ring_.sq.kring_entries * 2, most_entries_);
  // Without memory for more the ring stays as it is.
  features_.resizes = resize(entries) == 0 && entries < most_entries_;
  return !lost_;
}

void Ring::refuse(unsigned opcode) noexcept {
  features_.refused |= std::uint64_t{1} << opcode;
  features_.opcodes &= ~features_.refused;
  if (opcode == IORING_OP_RECV) features_.multishot_recv = false;
  if (opcode == IORING_OP_RECVMSG) features_.multishot_datagrams = false;
}

void Ring::close() noexcept {
  if (open_) sys::uring_exit(&ring_);
  open_ = false;
}

long Ring::register_with(unsigned call, void* argument, unsigned count) noexcept {
  return sys::uring_register(ring_.ring_fd, call, argument, count);
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
