// The requests as the core sees them: what it refuses, what it need not begin, and what it lets go
// of. Upholds R2 (lengths and offsets that mean nothing are refused) and R4 (what came for nobody
// does not leak).
#include "proactor/requests.hpp"

#include <fcntl.h>
#include <poll.h>

#include <cerrno>
#include <cstdint>
#include <proa/datagram.hpp>
#include <proa/file_requests.hpp>
#include <proa/requests.hpp>

#include "base/error_code.hpp"
#include "base/operation_table.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {

namespace {

int refusal_of_send(const Send& send) noexcept {
  switch (send.fault()) {
    case Pieces<Bytes>::Fault::none:
      return 0;
    case Pieces<Bytes>::Fault::out_of_memory:
      return -ENOMEM;
    default:
      return code_of(Error::bad_length);
  }
}

// A borrowed socket or pipe in blocking mode: sendfile(2) has no flag against that, and would keep
// a worker for as long as the peer likes.
bool waits_for_room(Descriptor to) noexcept {
  // What the library has made or adopted is in non-blocking mode.
  if (to.kind == DescriptorKind::file || to.kind == DescriptorKind::tcp) return false;
  const long flags = sys::file_flags(to.number);
  return flags >= 0 && (flags & O_NONBLOCK) == 0;
}

int refusal_of_send_file(const SendFile& send) noexcept {
  if (!send.file().valid()) return -EBADF;
  if (waits_for_room(send.descriptor())) return -EOPNOTSUPP;
  const bool fits = send.offset() <= INT64_MAX && send.length() <= INT64_MAX - send.offset();
  return fits ? 0 : code_of(Error::bad_offset);
}

// SOCK_STREAM and so on; 0 if the operating system knows no socket of this number.
int type_of(Descriptor socket) noexcept {
  if (socket.kind == DescriptorKind::tcp) return SOCK_STREAM;
  int type = 0;
  socklen_t size = sizeof type;
  const long result = sys::getsockopt(socket.number, SOL_SOCKET, SO_TYPE, &type, &size);
  return result < 0 ? 0 : type;
}

}  // namespace

int refusal_of(Operation& operation) noexcept {
  if (operation.opcode() == Opcode::file_call) return static_cast<FileCall&>(operation).refusal();
  if (!operation.descriptor().valid()) return -EBADF;
  switch (operation.opcode()) {
    case Opcode::send:
      return refusal_of_send(static_cast<Send&>(operation));
    case Opcode::recv: {
      const MutableBytes memory = static_cast<Recv&>(operation).memory();
      return memory.data == nullptr && memory.size > 0 ? code_of(Error::bad_length) : 0;
    }
    case Opcode::poll:
      return operation.direction() == Direction::none ? -EINVAL : 0;
    case Opcode::read_at:
      return static_cast<ReadAt&>(operation).refusal();
    case Opcode::write_at:
      return static_cast<WriteAt&>(operation).refusal();
    case Opcode::send_file:
      return refusal_of_send_file(static_cast<SendFile&>(operation));
    default:
      return 0;
  }
}

bool asks_for_nothing(Operation& operation) noexcept {
  switch (operation.opcode()) {
    case Opcode::recv:
      return static_cast<Recv&>(operation).memory().size == 0;
    case Opcode::send:
      return static_cast<Send&>(operation).size() == 0;
    case Opcode::read_at:
      return static_cast<ReadAt&>(operation).pieces().size() == 0;
    case Opcode::write_at:
      return static_cast<WriteAt&>(operation).pieces().size() == 0;
    case Opcode::send_file:
      return static_cast<SendFile&>(operation).length() == 0;
    case Opcode::send_datagrams:
      return static_cast<SendDatagrams&>(operation).queue().empty();
    default:
      return false;
  }
}

bool needs_connection(Operation& operation) noexcept {
  switch (operation.opcode()) {
    case Opcode::recv:
    case Opcode::recv_buffers:
    case Opcode::send:
    case Opcode::send_buffers:
    case Opcode::send_file:
      return !asks_for_nothing(operation);
    default:
      return false;
  }
}

bool has_no_bounds(Descriptor socket) noexcept { return type_of(socket) == SOCK_STREAM; }

bool is_stream(Descriptor socket) noexcept {
  const int type = type_of(socket);
  return type == SOCK_STREAM || type == SOCK_SEQPACKET;
}

bool is_connected(Descriptor socket, System& system) noexcept {
  Address peer;
  return socket.is_socket() && system.peer_address(socket, peer) >= 0;
}

bool had_connection(Descriptor socket, System& system) noexcept {
  if (is_connected(socket, system)) return true;
  return socket.is_socket() && is_stream(socket) && system.unread(socket) > 0;
}

bool lacks_connection(Descriptor socket, System& system) noexcept {
  Address peer;
  if (!socket.is_socket()) return false;
  // macOS says EINVAL of a socket that neither receives nor sends any more.
  const long told = system.peer_address(socket, peer);
  return (told == -ENOTCONN || told == -EINVAL) && is_stream(socket);
}

bool is_over_both_ways(Descriptor socket) noexcept {
  const short found = sys::poll_now(socket.number, 0);
  return (found & POLLHUP) != 0;
}

bool not_done(int error) noexcept {
  return error == -ECANCELED || error == -EOPNOTSUPP || error == -EINPROGRESS || error == -EALREADY;
}

void discard(Operation& operation) noexcept {
  switch (traits_of(operation).brings) {
    case Brings::nothing:
      return;
    case Brings::socket:
      static_cast<Accept&>(operation).socket().close();
      return;
    case Brings::block:
      if (operation.opcode() == Opcode::recv_buffers) {
        static_cast<RecvBuffers&>(operation).drop();
      } else {
        static_cast<RecvDatagrams&>(operation).buffer().reset();
      }
      return;
    case Brings::file:
      if (opens(operation)) static_cast<Open&>(operation).file().close();
      return;
  }
}

}  // namespace v0
}  // namespace proa
