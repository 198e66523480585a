// The io_uring backend makes SQEs of operations. Nothing in this file makes a system call. What an
// SQE points to lives in the operation, in the caller's memory, or in the arena until the kernel
// has taken the SQE. Upholds R3 (the backend copies lists of pieces), R10 and R11 (without room in
// the queue or the arena the operation waits; sends ask the kernel for no SIGPIPE).
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>

#include "backend/perform.hpp"
#include "backend/uring/uring_backend.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

namespace {

constexpr std::size_t most_pieces = 1024;  // IOV_MAX
// -1: the kernel uses the file's own position; pipes need this too
constexpr std::uint64_t at_position = ~std::uint64_t{0};

// A message of 64 KiB fits into so many of the usual size.
constexpr std::size_t blocks_in_a_row = 4;

constexpr __kernel_timespec retry = {0, 5000000};  // nanoseconds

// Does not ask for MSG_WAITALL. A stream frees the blocks of a short send at once; and when the
// kernel goes on by itself after a short send, and an error ends that, the kernel tells the bytes
// alone, and of the error no more than EPIPE.
void prepare_send(Descriptor to, const void* data, std::size_t size, io_uring_sqe* sqe) noexcept {
  size = std::min(size, fair_share);
  if (to.is_socket()) {
    io_uring_prep_send(sqe, to.number, data, size, MSG_NOSIGNAL);
  } else {
    io_uring_prep_write(sqe, to.number, data, static_cast<unsigned>(size), at_position);
  }
}

void prepare_receive(Descriptor from, void* memory, std::size_t size, int flags,
                     io_uring_sqe* sqe) noexcept {
  size = std::min(size, from.is_socket() ? max_transfer : fair_share);
  if (from.is_socket()) {
    io_uring_prep_recv(sqe, from.number, memory, size, flags);
  } else {
    io_uring_prep_read(sqe, from.number, memory, static_cast<unsigned>(size), at_position);
  }
}

}  // namespace

void UringBackend::list(Operation& operation, OperationList& where) noexcept {
  set_stage(operation, listed);
  where.push_back(operation);
}

// The stream may queue more behind what is there now: the SQE is made when the backend enters the
// kernel, so that all of it leaves in one send.
bool UringBackend::gathers(const Operation& operation) noexcept {
  return operation.opcode() == Opcode::send_buffers && !has(operation, polling);
}

void UringBackend::start(Operation& operation) noexcept {
  if (by_call(operation) && !has(operation, polling)) {
    list(operation, refused_);
  } else if (!enabled_ || gathers(operation)) {
    list(operation, pending_);
  } else if (waits_in_lane(operation)) {
    return;
  } else if (!prepare(operation)) {
    ++counters_.queue_full;
    list(operation, pending_);
  }
}

void UringBackend::start_polling(Operation& operation) noexcept {
  set(operation, polling);
  start(operation);
}

// Returns false and leaves the operation as it was if the queue or the arena has no room.
bool UringBackend::prepare(Operation& operation) noexcept {
  if (!ring_.has_room()) return false;
  std::uint32_t& slot = BackendSide::slot(operation);
  if (slot == Slots::none) {
    slot = slots_.add(operation);
    if (slot == Slots::none) {
      set(operation, out_of_memory);
      finish_later(operation);
      return true;
    }
  }
  io_uring_sqe* const sqe = fill(operation);
  if (!sqe) return false;
  sqe->user_data = tag_of(operation).value();
  set_stage(operation, at_kernel);
  return true;
}

// The caller has made sure that the queue has room for one SQE. Returns nullptr if the arena is
// full.
io_uring_sqe* UringBackend::fill(Operation& operation) noexcept {
  const Descriptor descriptor = operation.descriptor();
  if (has(operation, polling)) {
    io_uring_sqe* const sqe = ring_.take();
    if (has(operation, delaying)) {
      if (sees_room_alone(operation)) {
        io_uring_prep_poll_multishot(sqe, descriptor.number, POLLOUT);
      } else {
        // The kernel only reads the time.
        io_uring_prep_timeout(sqe, const_cast<__kernel_timespec*>(&retry), 0, 0);
      }
      return sqe;
    }
    const bool in = operation.direction() == Direction::in;
    io_uring_prep_poll_add(sqe, descriptor.number, in ? POLLIN : POLLOUT);
    return sqe;
  }
  switch (operation.opcode()) {
    case Opcode::send:
      return fill_send(static_cast<Send&>(operation));
    case Opcode::send_buffers:
      return fill_send_buffers(static_cast<SendBuffers&>(operation));
    case Opcode::recv_buffers:
      return fill_recv_buffers(static_cast<RecvBuffers&>(operation));
    case Opcode::recv: {
      const MutableBytes memory = static_cast<Recv&>(operation).memory();
      io_uring_sqe* const sqe = ring_.take();
      prepare_receive(descriptor, memory.data, memory.size, 0, sqe);
      return sqe;
    }
    case Opcode::accept: {
      io_uring_sqe* const sqe = ring_.take();
      io_uring_prep_accept(sqe, descriptor.number, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      return sqe;
    }
    case Opcode::connect: {
      const Address& address = static_cast<Connect&>(operation).address();
      io_uring_sqe* const sqe = ring_.take();
      io_uring_prep_connect(sqe, descriptor.number, static_cast<const sockaddr*>(address.data()),
                            static_cast<socklen_t>(address.size()));
      return sqe;
    }
    case Opcode::poll:
      return fill_poll(static_cast<Poll&>(operation));
    case Opcode::recv_datagrams:
      return fill_recv_datagrams(static_cast<RecvDatagrams&>(operation));
    case Opcode::read_at:
    case Opcode::write_at:
    case Opcode::file_call:
      return fill_file(operation);
    default:
      break;  // the core never submits timers to a backend
  }
  return nullptr;
}

// Sends the bytes that have not been sent, a fair share at most.
io_uring_sqe* UringBackend::fill_send(Send& send) noexcept {
  const std::size_t moved = BackendSide::moved(send);
  if (send.count() == 1) {
    const Bytes all = send.pieces().data()[0];
    io_uring_sqe* const sqe = ring_.take();
    prepare_send(send.descriptor(), static_cast<const char*>(all.data) + moved, all.size - moved,
                 sqe);
    return sqe;
  }
  const std::size_t most = std::min(send.count(), most_pieces);
  Message* const message = arena_.take(most);
  if (!message) return nullptr;
  std::size_t bytes = 0;
  const int count = gather(send, moved, message->pieces(), static_cast<int>(most), bytes);
  return fill_message(send.descriptor(), message, count);
}

io_uring_sqe* UringBackend::fill_send_buffers(SendBuffers& send) noexcept {
  const detail::Segment* const first = send.first();
  if (!first->next) {
    io_uring_sqe* const sqe = ring_.take();
    prepare_send(send.descriptor(), first->data, first->size, sqe);
    return sqe;
  }
  Message* const message = arena_.take(SendBuffers::max_pieces);
  if (!message) return nullptr;
  std::size_t bytes = 0;
  const int count = gather(send, message->pieces(), SendBuffers::max_pieces, bytes);
  count_pieces(send, count);
  return fill_message(send.descriptor(), message, count);
}

io_uring_sqe* UringBackend::fill_message(Descriptor to, Message* message, int count) noexcept {
  io_uring_sqe* const sqe = ring_.take();
  iovec* const pieces = message->pieces();
  if (count <= 1) {
    const iovec only = count == 1 ? pieces[0] : iovec{};
    arena_.trim(message);
    prepare_send(to, only.iov_base, only.iov_len, sqe);
    return sqe;
  }
  arena_.trim(pieces + count);
  if (to.is_socket()) {
    message->header.msg_iov = pieces;
    message->header.msg_iovlen = static_cast<std::size_t>(count);
    io_uring_prep_sendmsg(sqe, to.number, &message->header, MSG_NOSIGNAL);
  } else {
    io_uring_prep_writev(sqe, to.number, pieces, static_cast<unsigned>(count), at_position);
  }
  return sqe;
}

io_uring_sqe* UringBackend::fill_recv_buffers(RecvBuffers& recv) noexcept {
  const int socket = recv.descriptor().number;
  io_uring_sqe* const sqe = ring_.take();
  if (has(recv, own_block)) {
    const Buffer& block = recv.buffer();
    prepare_receive(recv.descriptor(), recv.buffer().data(), block.capacity(), MSG_DONTWAIT, sqe);
    return sqe;
  }
  armed(recv);
  io_uring_prep_recv(sqe, socket, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = BufferRing::group;
  if (ring_.features().multishot_recv) {
    if (receives_singly(recv)) return sqe;
    sqe->ioprio |= IORING_RECV_MULTISHOT;
    // Behind a few blocks' worth of bytes the kernel ends the receive, and the backend starts it
    // again behind the others. Else one entry into the kernel would bring 32 blocks of a busy
    // stream, and the completions of all others would stand behind them (R8); and a stream that
    // stops reading would have that many blocks kept for it.
    if (ring_.features().multishot_limit) {
      sqe->file_index = static_cast<std::uint32_t>(blocks_in_a_row * block_capacity_);
    }
  } else if (ring_.features().poll_first) {
    // else an idle socket would take a block before the kernel finds no data
    sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
  }
  return sqe;
}

Tag UringBackend::tag_of(Operation& operation) const noexcept {
  const std::uint32_t slot = BackendSide::slot(operation);
  const unsigned kind =
      has(operation, polling) ? Tag::kind_poll : static_cast<unsigned>(operation.opcode());
  return {slot, slots_.generation(slot), kind};
}

Tag UringBackend::guard_of(Operation& operation) const noexcept {
  const std::uint32_t slot = BackendSide::slot(operation);
  return {slot, slots_.generation(slot), Tag::kind_guard};
}

// Cancels the operation, unless it has its result already, and the operation's guard if the receive
// will not go on. Returns false if the queue has no room for that.
bool UringBackend::prepare_cancel(Operation& operation) noexcept {
  const bool over = has(operation, ending) || has(operation, settled);
  const bool both = over && is_guarded(operation) && !has(operation, settled);
  if (!ring_.has_room(both ? 2 : 1)) return false;
  ++cancels_;
  if (over && is_guarded(operation)) prepare_cancel(guard_of(operation));
  if (!has(operation, settled)) prepare_cancel(tag_of(operation));
  return true;
}

void UringBackend::prepare_cancel(Tag tag) noexcept {
  io_uring_sqe* const sqe = ring_.take();
  io_uring_prep_cancel64(sqe, tag.value(), 0);
  sqe->user_data = Tag{tag.index, tag.generation, Tag::kind_cancel}.value();
}

// Returns false if the queue has no room.
bool UringBackend::prepare_delay(Tag cancel) noexcept {
  if (!ring_.has_room()) return false;
  io_uring_sqe* const sqe = ring_.take();
  io_uring_prep_timeout(sqe, const_cast<__kernel_timespec*>(&retry), 0, 0);
  sqe->user_data = cancel.value();
  return true;
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
