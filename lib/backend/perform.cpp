// Tries each operation once. Sends to sockets use MSG_NOSIGNAL; for pipes the core keeps SIGPIPE
// away (R11).
#include "backend/perform.hpp"

#include <fcntl.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "sys/names.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {

namespace {

constexpr int max_pieces = 64;

long write_pieces(Descriptor to, iovec* pieces, int count) noexcept {
  if (to.is_socket()) {
    // a borrowed socket may be in blocking mode
    constexpr int flags = sys::no_signal | MSG_DONTWAIT;
    if (count == 1) return sys::send(to.number, pieces->iov_base, pieces->iov_len, flags);
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
    return sys::sendmsg(to.number, &message, flags);
  }
  if (to.kind == DescriptorKind::borrowed) {
    return sys::pwritev2(to.number, pieces, count, -1, sys::nowait);
  }
  return sys::writev(to.number, pieces, count);
}

long read_pieces(Descriptor from, iovec* pieces, std::size_t count) noexcept {
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
  return sys::recvmsg(from.number, &message, MSG_DONTWAIT);
}

Attempt attempt(long result, std::size_t asked) noexcept {
  return {result, result > 0 && static_cast<std::size_t>(result) < asked};
}

}  // namespace

bool listens(Descriptor socket) noexcept {
  int listens = 0;
  socklen_t size = sizeof listens;
  sys::getsockopt(socket.number, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
  return listens != 0;
}

bool died_in_queue(Descriptor listener, long result) noexcept {
  switch (-result) {
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
#ifdef ENONET
    case ENONET:
#endif
      return true;
    case EOPNOTSUPP:
      // A socket that cannot listen at all says this too, and would say it for ever.
      return listens(listener);
    default:
      return false;
  }
}

int gather(const Send& operation, std::size_t skip, iovec* pieces, int limit,
           std::size_t& bytes) noexcept {
  int count = 0;
  bytes = 0;
  const auto [first, before] = operation.pieces().find(skip);
  skip -= before;
  for (std::size_t i = first; i < operation.count() && count < limit; ++i) {
    Bytes piece = operation.pieces().data()[i];
    piece.data = static_cast<const char*>(piece.data) + skip;
    piece.size = std::min(piece.size - skip, fair_share - bytes);
    skip = 0;
    if (piece.size == 0) {
      if (bytes == fair_share) break;
      continue;
    }
    pieces[count++] = {const_cast<void*>(piece.data), piece.size};
    bytes += piece.size;
  }
  return count;
}

int gather(const SendBuffers& operation, iovec* pieces, int limit, std::size_t& bytes) noexcept {
  int count = 0;
  bytes = 0;
  for (const detail::Segment* s = operation.first(); s && s->block; s = s->next) {
    if (count > 0 && bytes + s->size > fair_share) break;
    if (count > 0 &&
        static_cast<char*>(pieces[count - 1].iov_base) + pieces[count - 1].iov_len == s->data) {
      pieces[count - 1].iov_len += s->size;
    } else if (count < limit) {
      pieces[count++] = {s->data, s->size};
    } else {
      break;
    }
    bytes += s->size;
  }
  return count;
}

Attempt Performer::recv(Recv& operation) noexcept {
  MutableBytes memory = operation.memory();
  // What is no socket may always be ready (a file, /dev/zero), and then fills all of the memory.
  if (!operation.descriptor().is_socket()) memory.size = std::min(memory.size, fair_share);
  return attempt(system_.recv(operation.descriptor(), memory), std::min(memory.size, max_transfer));
}

Attempt Performer::recv_buffers(RecvBuffers& operation) noexcept {
  Buffer buffer = buffers_.take();
  if (!buffer) return {-ENOBUFS};
  const Attempt tried = attempt(
      system_.recv(operation.descriptor(), {buffer.data(), buffer.capacity()}), buffer.capacity());
  if (tried.result > 0) {
    buffers_.fill(buffer, static_cast<std::size_t>(tried.result));
    operation.buffer() = std::move(buffer);
  }
  return tried;
}

Attempt Performer::recv_buffers(RecvBuffers& operation, std::size_t blocks) noexcept {
  std::array<Buffer, most_blocks_of_receive> buffers;
  std::array<iovec, most_blocks_of_receive> pieces;
  std::size_t count = 0;
  std::size_t room = 0;
  for (; count < blocks && room < fair_share; ++count) {
    Buffer& buffer = buffers[count] = buffers_.take();
    if (!buffer) break;
    pieces[count] = {buffer.data(), buffer.capacity()};
    room += buffer.capacity();
  }
  if (count == 0) return {-ENOBUFS};
  const Attempt tried = attempt(read_pieces(operation.descriptor(), pieces.data(), count), room);
  if (tried.result <= 0) return tried;
  auto left = static_cast<std::size_t>(tried.result);
  for (std::size_t i = 0; i < count && left > 0; ++i) {
    const std::size_t part = std::min(left, pieces[i].iov_len);
    buffers_.fill(buffers[i], part);
    left -= part;
    if (i == 0) {
      operation.buffer() = std::move(buffers[i]);
    } else {
      operation.add_further(std::move(buffers[i]));
    }
  }
  return tried;
}

Attempt Performer::send(Send& operation) noexcept {
  iovec pieces[most_pieces_of_send];
  std::size_t bytes = 0;
  const int count =
      gather(operation, BackendSide::moved(operation), pieces, most_pieces_of_send, bytes);
  return attempt(write_pieces(operation.descriptor(), pieces, count), bytes);
}

Attempt Performer::send_buffers(SendBuffers& operation) noexcept {
  const detail::Segment& only = *operation.first();
  if (!only.next && operation.descriptor().is_socket()) {
    count_pieces(operation, 1);
    constexpr int flags = sys::no_signal | MSG_DONTWAIT;
    return attempt(sys::send(operation.descriptor().number, only.data, only.size, flags),
                   only.size);
  }
  iovec pieces[max_pieces];
  std::size_t bytes = 0;
  const int count = gather(operation, pieces, max_pieces, bytes);
  count_pieces(operation, count);
  return attempt(write_pieces(operation.descriptor(), pieces, count), bytes);
}

bool in_blocking_mode(Descriptor listener) noexcept {
  const long flags = sys::file_flags(listener.number);
  return flags >= 0 && (flags & O_NONBLOCK) == 0;
}

Attempt Performer::accept(Accept& operation) noexcept {
  for (;;) {
    Descriptor accepted;
    const long result = system_.accept(operation.descriptor(), accepted, &operation.peer());
    if (died_in_queue(operation.descriptor(), result)) continue;
    if (result < 0) return {result};
    operation.socket() = Socket(system_, accepted);
    return {0};
  }
}

Attempt Performer::connect(Connect& operation) noexcept {
  // A second connect(2) asks for the result of the first.
  const bool asks = BackendSide::phase(operation) != 0;
  const long error = asks ? sys::connect_error(operation.descriptor().number) : 0;
  if (error != 0) return {error};
  const long result = system_.connect(operation.descriptor(), operation.address());
  if (result == -EISCONN && asks) return {0};
  return {result};
}

}  // namespace v0
}  // namespace proa
