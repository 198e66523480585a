// Tries an operation once more when its deadline has come. After a pause, the loop finds data and
// overdue deadlines together, and one wait does not report all data. So the core asks the socket
// itself before it tells anybody that nothing came. Upholds R4 (complete success wins) and R7 (the
// core tells a deadline only if the kernel has nothing for the operation).
#include "backend/last_try.hpp"

#include <cerrno>
#include <proa/datagram.hpp>

#include "backend/perform.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace {

// Whether the result says nothing about the peer: the operation is not possible now, or the system
// does not know the descriptor.
bool no_news(long result) noexcept {
  switch (-result) {
    case EAGAIN:
    case EINTR:
    case EINPROGRESS:
    case EALREADY:
    case ENOBUFS:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ENOSYS:
    case EBADF:
      return true;
    default:
      return false;
  }
}

// Sends until all is sent or the socket has no more room. 0 when all is sent.
long send_rest(Send& send, Performer& performer) noexcept {
  for (std::size_t share = 0; share < fair_share;) {
    const Attempt attempt = performer.send(send);
    if (attempt.result < 0) return attempt.result;
    const auto bytes = static_cast<std::size_t>(attempt.result);
    share += bytes;
    if (BackendSide::advance(send, bytes) == send.size()) return 0;
  }
  return -EAGAIN;
}

// Asks whether the socket is connected. A connect to a UNIX listener whose backlog was full begins
// anew each time.
long connect_result(Connect& connect, System& system) noexcept {
  if (const long error = sys::connect_error(connect.descriptor().number)) return error;
  Address peer;
  if (system.peer_address(connect.descriptor(), peer) >= 0) return 0;
  if (connect.address().family() != Address::Family::local) return -EALREADY;
  return system.connect(connect.descriptor(), connect.address());
}

}  // namespace

bool may_go_on(const Operation& operation, System& system) noexcept {
  // An earlier call has received these already.
  if (operation.opcode() == Opcode::recv_datagrams &&
      static_cast<const RecvDatagrams&>(operation).has_queued()) {
    return true;
  }
  return operation.direction() == Direction::in ? system.readable(operation.descriptor())
                                                : system.writable(operation.descriptor());
}

bool last_try(Operation& operation, System& system, BufferSource& buffers) noexcept {
  if (!may_go_on(operation, system)) return false;
  Performer performer(system, buffers);
  long result = -EAGAIN;
  switch (operation.opcode()) {
    case Opcode::recv:
      result = performer.recv(static_cast<Recv&>(operation)).result;
      break;
    case Opcode::recv_buffers:
      result = performer.recv_buffers(static_cast<RecvBuffers&>(operation)).result;
      break;
    case Opcode::recv_datagrams:
      result = performer.recv_datagrams(static_cast<RecvDatagrams&>(operation)).result;
      break;
    case Opcode::accept:
      result = performer.accept(static_cast<Accept&>(operation)).result;
      break;
    case Opcode::connect:
      result = connect_result(static_cast<Connect&>(operation), system);
      break;
    case Opcode::send:
      result = send_rest(static_cast<Send&>(operation), performer);
      break;
    case Opcode::poll:
      // A repeating Poll may have told the same readiness before, so it is not asked again.
      if (!BackendSide::repeating(operation)) {
        result = performer.poll(static_cast<Poll&>(operation)).result;
      }
      break;
    case Opcode::send_buffers:
      result = performer.send_buffers(static_cast<SendBuffers&>(operation)).result;
      break;
    case Opcode::send_datagrams:
      result = performer.send_datagrams(static_cast<SendDatagrams&>(operation)).result;
      break;
    default:
      break;
  }
  if (no_news(result)) return false;
  const bool ended = operation.opcode() == Opcode::recv_buffers && result == 0;
  BackendSide::finish(operation, result,
                      BackendSide::repeating(operation) && result >= 0 && !ended);
  return true;
}

}  // namespace proa
