// The io_uring backend makes results of CQEs. Most CQEs are the result of an operation. After some
// of them the backend starts the operation again: after EAGAIN (it waits for readiness first),
// after a short send, after the kernel has ended a multishot operation, and after a receive found
// no block. Upholds R2 (every CQE without F_MORE ends its operation or starts the operation again),
// R4 (the backend delivers what succeeded before a cancel) and R11 (the user sees none of these
// restarts).
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "backend/perform.hpp"
#include "backend/uring/uring_backend.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

namespace {

bool transient(long result) noexcept { return result == -EAGAIN || result == -EINTR; }

}  // namespace

bool UringBackend::tells_only_of_input(const Operation& operation, long events) noexcept {
  return operation.direction() == Direction::out && events > 0 &&
         (events & (POLLOUT | POLLERR | POLLHUP)) == 0;
}

Operation* UringBackend::complete(const Completion& completion) noexcept {
  const Tag tag = Tag::of(completion.tag);
  if (tag.kind == Tag::kind_wake) woken();
  if (tag.kind == Tag::kind_cancel) cancelled(tag, completion.result);
  if (tag.kind == Tag::kind_wake || tag.kind == Tag::kind_cancel) {
    in_turn_ = true;
    return nullptr;
  }
  Operation* const operation = slots_.find(tag);
  if (!operation) {
    drop(completion, tag.kind);
    return nullptr;
  }
  if (tag.kind == Tag::kind_guard) return guard_ended(*operation, completion.result);
  if (tag.kind == Tag::kind_poll) return polled(*operation, completion);
  // Nearly always bytes of a stream.
  if (completion.result > 0 && operation->opcode() == Opcode::recv_buffers) {
    return received_buffers(static_cast<RecvBuffers&>(*operation), completion);
  }
  if (is_refusal(completion.result) && may_call(*operation)) {
    disarmed(*operation);
    if (completion.has_buffer()) buffers_.put_back(completion.buffer());
    note_refusal(*operation);
    return call(*operation);
  }
  if (completion.result == -ECANCELED && !has(*operation, ending) && may_lack_thread(*operation)) {
    return call(*operation);
  }
  switch (operation->opcode()) {
    case Opcode::recv_buffers:
      return received_buffers(static_cast<RecvBuffers&>(*operation), completion);
    case Opcode::poll:
      return told(static_cast<Poll&>(*operation), completion);
    case Opcode::recv_datagrams:
      return received_datagram(static_cast<RecvDatagrams&>(*operation), completion);
    case Opcode::accept:
      return accepted(static_cast<Accept&>(*operation), completion.result);
    case Opcode::send:
      return sent(static_cast<Send&>(*operation), completion.result);
    case Opcode::connect:
      return connected(static_cast<Connect&>(*operation), completion.result);
    default:
      return go_on_or_end(*operation, completion.result);
  }
}

// The cancel has missed the operation: a worker of the kernel was at it (EALREADY), or it was on
// its way to one (ENOENT). A worker is interrupted, but may go on all the same: after a short send
// it waits for room again. So the cancel is repeated after a while, until the operation ends.
void UringBackend::cancelled(Tag tag, long result) noexcept {
  if (result != -EALREADY && result != -ENOENT && result != -ETIME) return;
  Operation* const operation = slots_.find(tag);
  if (!operation || !has(*operation, ending) || has(*operation, settled)) return;
  if (stage(*operation) != at_kernel || OperationList::linked(*operation)) return;
  if (result == -ETIME || !prepare_delay(tag)) unwanted_.push_back(*operation);
}

// The CQE belongs to an operation that has left its slot. The CQE may carry a block or an accepted
// socket: the backend gives the block back and closes the socket.
void UringBackend::drop(const Completion& completion, unsigned kind) noexcept {
  ++counters_.stale_events;
  if (completion.has_buffer()) buffers_.put_back(completion.buffer());
  if (kind == static_cast<unsigned>(Opcode::accept) && completion.result >= 0) {
    sys::close(completion.result);
  }
}

// After EAGAIN or EINTR the backend starts the operation again. Any other result ends the
// operation, and so does every result of an operation that is cancelled.
Operation* UringBackend::go_on_or_end(Operation& operation, long result) noexcept {
  if (!transient(result) || has(operation, ending)) return end(operation, result);
  ++counters_.retries;
  if (result == -EAGAIN) {
    start_polling(operation);
  } else {
    start(operation);
  }
  return nullptr;
}

bool UringBackend::sees_room_alone(const Operation& operation) const noexcept {
  if (!ring_.features().multishot_poll) return false;
  switch (operation.opcode()) {
    case Opcode::send:
    case Opcode::send_buffers:
    case Opcode::send_file:
      return true;
    case Opcode::poll:
      return !BackendSide::repeating(operation);
    default:
      return false;
  }
}

Operation* UringBackend::polled(Operation& operation, const Completion& completion) noexcept {
  long result = completion.result;
  if (completion.more()) {
    // When a multishot poll has seen room, the backend cancels it, and goes on when it has ended.
    const bool room = result > 0 && !tells_only_of_input(operation, result);
    if (room && !OperationList::linked(operation)) unwanted_.push_back(operation);
    return nullptr;
  }
  if (has(operation, ending)) return end(operation, -ECANCELED);
  if (OperationList::linked(operation)) OperationList::remove(operation);
  if (result == -ETIME || (result == -ECANCELED && has(operation, delaying))) result = 0;
  clear(operation, delaying);
  if (result < 0 && !transient(result)) return end(operation, result);
  clear(operation, polling);
  if (tells_only_of_input(operation, result)) {
    set(operation, delaying);
    start_polling(operation);
  } else if (result < 0) {
    start_polling(operation);
  } else if (operation.opcode() == Opcode::send_datagrams) {
    send_datagrams(operation);
  } else if (operation.opcode() == Opcode::recv_datagrams) {
    return read_datagrams(static_cast<RecvDatagrams&>(operation));
  } else if (operation.opcode() == Opcode::send_file) {
    return pass(operation);
  } else if (by_call(operation)) {
    return call(operation);
  } else if (operation.opcode() == Opcode::recv_buffers) {
    return readable(static_cast<RecvBuffers&>(operation));
  } else {
    start(operation);
  }
  return nullptr;
}

Operation* UringBackend::sent(Send& send, long result) noexcept {
  if (result <= 0) return go_on_or_end(send, result);
  if (BackendSide::moved(send) + static_cast<std::size_t>(result) >= send.size()) {
    if (BackendSide::extra_cost(send) == 0) return end(send, result);
    return end_in_turn(send, result, costly_);
  }
  BackendSide::advance(send, static_cast<std::size_t>(result));
  if (has(send, ending)) return end(send, -ECANCELED);
  ++counters_.retries;
  start(send);
  return nullptr;
}

Operation* UringBackend::received_buffers(RecvBuffers& recv,
                                          const Completion& completion) noexcept {
  const long result = completion.result;
  const bool provided = !has(recv, own_block);
  if (!completion.more()) disarmed(recv);
  clear(recv, own_block);
  if (!completion.more() && OperationList::linked(recv)) OperationList::remove(recv);
  if (result <= 0) {
    if (completion.has_buffer()) buffers_.put_back(completion.buffer());
    if (!provided) recv.buffer().reset();
    if (completion.more()) return nullptr;
    if (has(recv, ending) && (transient(result) || result == -ENOBUFS))
      return end(recv, -ECANCELED);
    if (provided && result == -ENOBUFS) {
      buffers_.grow();
      starve(recv);
      return nullptr;
    }
    if (provided && result == -ECANCELED && !has(recv, ending)) {
      go_on(recv);  // guard_ended() has cancelled the receive so that it reads again
      return nullptr;
    }
    if (!provided && transient(result)) {
      ++counters_.retries;
      start_polling(recv);
      return nullptr;
    }
    return go_on_or_end(recv, result);
  }
  set_pace(recv, completion);
  if (provided) {
    recv.buffer() = buffers_.take(completion.buffer(), static_cast<std::size_t>(result));
  } else {
    source_.fill(recv.buffer(), static_cast<std::size_t>(result));
  }
  if (completion.more()) {
    want_guard(recv, completion);
  } else {
    has(recv, ending) ? finish_later(recv) : go_on(recv);
  }
  BackendSide::finish(recv, result, true);
  return &recv;
}

Operation* UringBackend::connected(Connect& connect, long result) noexcept {
  if (has(connect, ending)) return end(connect, result);
  switch (-result) {
    // the backlog of the UNIX listener is full, and the kernel has no event for room there
    case EAGAIN:
      ++counters_.retries;
      retry_later(connect);
      return nullptr;
    case EINTR:  // the kernel goes on connecting, and a second connect(2) tells the result
    case EINPROGRESS:
    case EALREADY:
      ++counters_.retries;
      set(connect, again);
      start_polling(connect);
      return nullptr;
    case EISCONN:
      return end_in_turn(connect, has(connect, again) ? 0 : result, costly_);
    default:
      return end_in_turn(connect, result, costly_);
  }
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
