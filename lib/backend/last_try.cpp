// Tries an operation once more when its deadline has come. After a pause, the loop finds data and
// overdue deadlines together, and one wait does not report all data. So the core asks the socket
// itself before it tells anybody that nothing came. Upholds R4 (complete success wins) and R7 (the
// core tells a deadline only if the kernel has nothing for the operation).
#include "backend/last_try.hpp"

#include <cerrno>
#include <proa/datagram.hpp>

#include "backend/perform.hpp"
#include "base/operation_table.hpp"
#include "file/file_calls.hpp"
#include "sys/names.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {

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
  int error = 0;
  const long asked = system.get_option(connect.descriptor(), SocketOption::pending_error, error);
  if (asked < 0) return asked;
  if (error != 0) return error;
  Address peer;
  if (system.peer_address(connect.descriptor(), peer) >= 0) return 0;
  if (connect.address().family() != Address::Family::local) return -EALREADY;
  return system.connect(connect.descriptor(), connect.address());
}

// Reads or writes a regular file as far as the page cache can do it at once. A transfer that would
// wait, or that the system cannot try without waiting, is no news.
template <class Request>
long file_result(Request& request, long (*some)(Request&, int) noexcept) noexcept {
  if (wanted(request) > fair_share) return -EAGAIN;
  if (kind_of(request.descriptor().number) != FileKind::buffered) return -EAGAIN;
  // A short result means that a page is not in the cache, or that the file ends: only a second step
  // tells which.
  for (int steps = 0; steps < 2; ++steps) {
    long result = some(request, sys::nowait);
    if (step_ends(request, result)) {
      const bool cannot_try = result == -EOPNOTSUPP || result == -EINVAL;
      return cannot_try ? -EAGAIN : result;
    }
  }
  return -EAGAIN;
}

long read_result(ReadAt& read) noexcept {
  const long result = file_result(read, &read_some);
  // Linux 5.9 and 5.10 answer RWF_NOWAIT with 0 also before the end (preadv2(2), BUGS).
  return result == 0 && BackendSide::moved(read) < wanted(read) && !at_end(read) ? -EAGAIN : result;
}

// An append is written in one call, else the parts of two could be mixed. With O_DSYNC each write
// waits for the disk.
long write_result(WriteAt& write) noexcept {
  if (write.append() || is_synchronous(write.descriptor().number)) return -EAGAIN;
  return file_result(write, &write_some);
}

bool needs_block(const Operation& operation) noexcept {
  return traits_of(operation).brings == Brings::block;
}

}  // namespace

// The system reports room for output only when a good part of the socket's buffer is free; a send
// finds out about less.
bool sends_to_socket(const Operation& operation) noexcept {
  return operation.direction() == Direction::out && operation.opcode() != Opcode::connect &&
         operation.opcode() != Opcode::poll && operation.descriptor().is_socket();
}

bool may_go_on(const Operation& operation, System& system) noexcept {
  // An earlier call has received these already.
  if (operation.opcode() == Opcode::recv_datagrams &&
      static_cast<const RecvDatagrams&>(operation).has_queued()) {
    return true;
  }
  return operation.direction() == Direction::in ? system.readable(operation.descriptor())
                                                : system.writable(operation.descriptor());
}

LastTry last_try(Operation& operation, System& system, BufferSource& buffers, bool first) noexcept {
  const bool on_file = traits_of(operation).works_on == Works::file;
  if (!on_file && !sends_to_socket(operation) && !may_go_on(operation, system)) {
    return LastTry::nothing;
  }
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
      // Nobody knows whether a repeating Poll has told this readiness already. Told twice is better
      // than never.
      if (first) result = performer.poll(static_cast<Poll&>(operation)).result;
      break;
    case Opcode::read_at:
      result = read_result(static_cast<ReadAt&>(operation));
      break;
    case Opcode::write_at:
      result = write_result(static_cast<WriteAt&>(operation));
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
  if (result == -ENOBUFS && needs_block(operation)) return LastTry::no_block;
  if (no_news(result)) return LastTry::nothing;
  const bool ended = operation.opcode() == Opcode::recv_buffers && result == 0;
  BackendSide::finish(operation, result,
                      BackendSide::repeating(operation) && result >= 0 && !ended);
  return LastTry::result;
}

}  // namespace v0
}  // namespace proa
