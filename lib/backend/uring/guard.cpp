// The guard of a multishot receive is a POLL_ADD on the same socket, which waits for the end of the
// stream. The receive alone can miss that end. The kernel continues a multishot receive only while
// the socket reports more input; a reset does not count as input, nor does any end of a UNIX socket
// (since Linux 6.17). If the end arrived before the receive had read the last input, no later event
// wakes the receive, and it would never report the end. This happens if more input waits than the
// kernel reads in one go, and on some kernels before Linux 7.0 after any input that an end follows
// closely. When the guard reports an end and the receive has not ended by then, the backend cancels
// the receive and starts it again, so that it reads the end. Upholds R2 (no end is lost), R6 (a
// receive leaves the backend after its guard has ended, because the kernel keeps a socket open for
// a guard) and R12.
#include <poll.h>

#include "backend/uring/uring_backend.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

// Asks for a guard once the receive has read all input, because only then it can miss an end. The
// backend makes the guard before it next enters the kernel, and makes none if the receive has ended
// by then.
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
  // A receive that the backend will start again reads the end anyway. A receive at the kernel may
  // have ended already, too: received_buffers() takes it off the list then, before the backend
  // cancels it.
  // One in unwanted_ is cancelled anyway (set_pace()).
  const bool looks_again =
      has(operation, polling) || has(operation, own_block) || OperationList::linked(operation);
  if (over && stage(operation) == at_kernel && !has(operation, ending) && !looks_again) {
    unwanted_.push_back(operation);
  }
  return nullptr;
}

// The operation has its result, but stays here until the cancel of its guard has completed.
Operation* UringBackend::await_guard(Operation& operation) noexcept {
  if (OperationList::linked(operation)) OperationList::remove(operation);
  set(operation, settled);
  set_stage(operation, at_kernel);
  unwanted_.push_back(operation);
  return nullptr;
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
