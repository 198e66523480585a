// Datagrams over io_uring. Where the kernel has multishot receives, it receives into provided
// buffers. Elsewhere, and from a busy socket (pace.cpp), the backend polls the socket, and then
// receives many datagrams with one recvmmsg(2), as the readiness adapter does. The backend always
// sends with sendmmsg(2): one call takes all datagrams of a turn, which costs less than an SQE and
// a CQE for each of them. Upholds R2 and R11 (an empty ring and the end of a multishot receive are
// not errors).
#include <sys/socket.h>

#include <cerrno>

#include "backend/uring/uring_backend.hpp"
#include "buffer/datagram.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

namespace {

// Tells the kernel how much room a block has for the sender's address and for control messages. The
// kernel copies this header when it takes the SQE.
const msghdr* layout(bool with_control) noexcept {
  static const msghdr layouts[] = {
      {nullptr, name_room, nullptr, 0, nullptr, 0, 0},
      {nullptr, name_room, nullptr, 0, nullptr, control_room, 0},
  };
  return &layouts[with_control ? 1 : 0];
}

static_assert(sizeof(DatagramHeader) == sizeof(io_uring_recvmsg_out));
static_assert(offsetof(DatagramHeader, control_size) == offsetof(io_uring_recvmsg_out, controllen));
static_assert(offsetof(DatagramHeader, payload_size) == offsetof(io_uring_recvmsg_out, payloadlen));

}  // namespace

void UringBackend::submit_datagrams(Operation& operation) noexcept {
  if (operation.opcode() == Opcode::send_datagrams) return send_datagrams(operation);
  RecvDatagrams& recv = static_cast<RecvDatagrams&>(operation);
  recv.has_queued() ? list(recv, readable_) : arm(recv);
}

// The kernel has ended its receive, with a datagram or because the backend wanted so.
void UringBackend::go_on(RecvDatagrams& recv) noexcept {
  receives_singly(recv) ? list(recv, readable_) : arm(recv);
}

void UringBackend::arm(RecvDatagrams& recv) noexcept {
  if (!ring_.features().multishot_datagrams || !starved_.empty()) return start_polling(recv);
  buffers_in_use_ = true;
  start(recv);
}

io_uring_sqe* UringBackend::fill_recv_datagrams(RecvDatagrams& recv) noexcept {
  io_uring_sqe* const sqe = ring_.take();
  armed(recv);
  // The kernel only reads the header.
  msghdr* const message = const_cast<msghdr*>(layout(recv.with_control()));
  io_uring_prep_recvmsg_multishot(sqe, recv.descriptor().number, message, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = BufferRing::group;
  return sqe;
}

Operation* UringBackend::received_datagram(RecvDatagrams& recv,
                                           const Completion& completion) noexcept {
  const long result = completion.result;
  if (!completion.more()) disarmed(recv);
  // the receive has ended before the backend cancelled it
  if (!completion.more() && OperationList::linked(recv)) OperationList::remove(recv);
  if (result < 0) {
    if (completion.has_buffer()) buffers_.put_back(completion.buffer());
    if (completion.more()) return nullptr;
    if (has(recv, ending) && result == -ENOBUFS) return end(recv, -ECANCELED);
    if (result == -ENOBUFS) {
      buffers_.grow();
      starve(recv);
      return nullptr;
    }
    if (result == -ECANCELED && !has(recv, ending)) {
      go_on(recv);  // set_pace() has cancelled the receive
      return nullptr;
    }
    return go_on_or_end(recv, result);
  }
  recv.set_buffer(buffers_.take(completion.buffer(), static_cast<std::size_t>(result)));
  set_pace(recv, completion);
  if (!completion.more()) {
    if (has(recv, ending)) {
      finish_later(recv);
    } else {
      ++counters_.rearmed;
      go_on(recv);
    }
  }
  BackendSide::finish(recv, static_cast<long>(recv.buffer().size()), true);
  return &recv;
}

// The socket is readable, or an earlier recvmmsg(2) received more datagrams than the core has been
// told of.
Operation* UringBackend::read_datagrams(RecvDatagrams& recv) noexcept {
  const bool multishot = ring_.features().multishot_datagrams && !receives_singly(recv);
  if (recv.has_queued() || (!multishot && starved_.empty())) return receive_datagrams(recv);
  if (starved_.empty()) {
    arm(recv);
  } else if (source_.available()) {
    list(recv, readable_);  // goes on when the line is served
  } else {
    starve(recv);
  }
  return nullptr;
}

// Delivers one datagram. The others that the same recvmmsg(2) received stay queued in the request,
// and the request goes to readable_, from where next() delivers them without another system call.
Operation* UringBackend::receive_datagrams(RecvDatagrams& recv) noexcept {
  const Attempt attempt = performer_.recv_datagrams(recv);
  if (attempt.result == -EAGAIN) {
    calm_down(recv);
    start_polling(recv);
    return nullptr;
  }
  if (attempt.result == -ENOBUFS) {
    starve(recv);
    return nullptr;
  }
  if (attempt.result < 0) return end(recv, attempt.result);
  list(recv, readable_);
  BackendSide::finish(recv, attempt.result, true);
  return &recv;
}

// Those in the line come first. One that has been served goes on from readable_: if it went back to
// the line, the line would never end, however many blocks the pool has.
Operation* UringBackend::read_listed() noexcept {
  RecvDatagrams& recv = static_cast<RecvDatagrams&>(*readable_.front());
  if (!recv.has_queued() && may_serve()) return serve_starved();
  readable_.pop_front();
  set_stage(recv, outside);
  return read_datagrams(recv);
}

void UringBackend::send_datagrams(Operation& operation) noexcept {
  SendDatagrams& send = static_cast<SendDatagrams&>(operation);
  const Attempt attempt = performer_.send_datagrams(send);
  if (attempt.result == -EAGAIN) {
    ++counters_.retries;
    return send.room_is_untold() ? retry_later(operation) : start_polling(operation);
  }
  end_in_turn(operation, attempt.result, done_);
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
