// A filter may refuse single opcodes of io_uring (trial.cpp). The backend does not make such an
// SQE: next() makes the system call instead, and after EAGAIN the operation polls as any other
// does. The result of the call goes where the result of the SQE would go. A filter may also look at
// more than the opcode, and refuse one SQE and not the next. So every EACCES and EPERM is asked
// again by the system call, which has the same right to fail so, and the opcode stays in use,
// except for receives into blocks of the ring. Upholds R12 (a filter changes no result) and R8 (a
// call takes its turn).
#include <cerrno>

#include "backend/uring/uring_backend.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

// Whether the filter refuses an opcode that the operation needs.
bool UringBackend::refuses(const Operation& operation) const noexcept {
  const Features& features = ring_.features();
  const bool socket = operation.descriptor().is_socket();
  switch (operation.opcode()) {
    case Opcode::recv:
    case Opcode::recv_buffers:
      return !features.has_opcode(socket ? IORING_OP_RECV : IORING_OP_READ);
    case Opcode::send:
    case Opcode::send_buffers:
      return !features.has_opcode(socket ? IORING_OP_SEND : IORING_OP_WRITE) ||
             !features.has_opcode(socket ? IORING_OP_SENDMSG : IORING_OP_WRITEV);
    case Opcode::accept:
      return !features.has_opcode(IORING_OP_ACCEPT);
    case Opcode::connect:
      return !features.has_opcode(IORING_OP_CONNECT);
    default:
      return false;
  }
}

// Whether the loop may make the system call of an operation whose SQE has failed.
bool UringBackend::may_call(const Operation& operation) noexcept {
  switch (operation.opcode()) {
    case Opcode::recv:
    case Opcode::recv_buffers:
    case Opcode::send:
    case Opcode::send_buffers:
    case Opcode::accept:
    case Opcode::connect:
    case Opcode::recv_datagrams:
      return true;
    default:
      return false;
  }
}

// From now on receives of this kind are not given blocks of the ring: while the pool is used up,
// the backend would start them again and again for the blocks that lie in the ring.
void UringBackend::note_refusal(Operation& operation) noexcept {
  if (operation.opcode() == Opcode::recv_datagrams) ring_.refuse(IORING_OP_RECVMSG);
  if (operation.opcode() == Opcode::recv_buffers && from_ring(operation) &&
      !has(operation, own_block)) {
    ring_.refuse(IORING_OP_RECV);
  }
}

Operation* UringBackend::call(Operation& operation) noexcept {
  if (OperationList::linked(operation)) OperationList::remove(operation);
  set_stage(operation, outside);
  if (operation.opcode() == Opcode::recv_buffers && has(operation, own_block)) {
    clear(operation, own_block);
    static_cast<RecvBuffers&>(operation).buffer().reset();
  }
  if (has(operation, ending)) return end(operation, -ECANCELED);
  switch (operation.opcode()) {
    case Opcode::recv:
      return go_on_or_end(operation, performer_.recv(static_cast<Recv&>(operation)).result);
    case Opcode::recv_buffers:
      if (starved_.empty()) return receive(static_cast<RecvBuffers&>(operation));
      starve(operation);
      return nullptr;
    case Opcode::recv_datagrams:
      return receive_datagrams(static_cast<RecvDatagrams&>(operation));
    case Opcode::send: {
      Send& send = static_cast<Send&>(operation);
      return sent(send, performer_.send(send).result);
    }
    case Opcode::send_buffers:
      return go_on_or_end(operation,
                          performer_.send_buffers(static_cast<SendBuffers&>(operation)).result);
    case Opcode::accept: {
      Accept& accept = static_cast<Accept&>(operation);
      const long result = performer_.accept(accept).result;
      return result < 0 ? go_on_or_end(accept, result) : brought(accept);
    }
    default: {
      Connect& connect = static_cast<Connect&>(operation);
      return connected(connect, performer_.connect(connect).result);
    }
  }
}

Operation* UringBackend::receive(RecvBuffers& recv) noexcept {
  const Attempt attempt = performer_.recv_buffers(recv);
  if (attempt.result == -ENOBUFS) {
    starve(recv);
    return nullptr;
  }
  if (attempt.result <= 0) return go_on_or_end(recv, attempt.result);
  go_on(recv);
  BackendSide::finish(recv, attempt.result, true);
  return &recv;
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
