// The guard of a multishot receive: a poll beside it for the end of the stream. The kernel goes on
// reading only while the socket says that there is more, and a reset does not count as more, nor
// does any end of a UNIX socket (since Linux 6.17). An end that had come before the last of the
// input was read wakes nobody again, and would never be told: that happens to more input than the
// kernel reads in one go, and on some kernels before Linux 7.0 to any input that an end follows
// closely. The poll sees the end itself. If the receive has not ended by then, the backend cancels
// it and starts it again, whereupon it reads. Upholds R2 (no end is lost), R6 (a receive leaves
// when its guard is gone: the kernel would keep the socket open for a guard) and R12.
#include <poll.h>

#include "backend/uring/uring_backend.hpp"

namespace proa::uring {

// The receive has read all that there was, so that the kernel looks no further. Only then an end
// may be lost; and no guard is made if the end is among the completions that are there already.
void UringBackend::want_guard(RecvBuffers& recv, const Completion& completion) noexcept {
  if (completion.has_rest() || has(recv, guarded) || has(recv, ending)) return;
  if (!OperationList::linked(recv)) unguarded_.push_back(recv);
}

bool UringBackend::prepare_guard(Operation& operation) noexcept {
  io_uring_sqe* const sqe = ring_.take();
  if (!sqe) return false;
  io_uring_prep_poll_add(sqe, operation.descriptor().number, POLLRDHUP);
  sqe->user_data = guard_of(operation).value();
  set(operation, guarded);
  return true;
}

Operation* UringBackend::guard_ended(Operation& operation, long result) noexcept {
  clear(operation, guarded);
  if (has(operation, settled)) return leave(operation);
  const bool over = result > 0 && (result & (POLLHUP | POLLRDHUP)) != 0;
  // Whatever is started again anyway will see the end. So will, mostly, what is at the kernel: its
  // last completion takes it off the list.
  const bool looks_again = has(operation, polling) || has(operation, own_block);
  if (over && stage(operation) == at_kernel && !has(operation, ending) && !looks_again) {
    unwanted_.push_back(operation);
  }
  return nullptr;
}

// The operation has its result.
Operation* UringBackend::await_guard(Operation& operation) noexcept {
  if (OperationList::linked(operation)) OperationList::remove(operation);
  set(operation, settled);
  set_stage(operation, at_kernel);
  unwanted_.push_back(operation);
  return nullptr;
}

}  // namespace proa::uring
