// How many blocks one entry into the kernel brings of a busy stream. Linux 6.17 and later end a
// multishot receive behind one block, if that is asked for (fill_recv_buffers()). Linux 6.0 to 6.16
// fill 32 blocks or more of each busy stream in one entry, and what has come for all others waits
// behind those. So there the backend ends the multishot receive of a stream that fills a whole
// block, and receives block by block until the stream has filled less than a block several times.
// A stream of short messages keeps its multishot receive.
//
// No kernel has such a limit for datagrams: one entry brings 32 of each busy socket, and those that
// come meanwhile. When the loop has told many datagrams of one socket in a row, and many
// completions still wait, the backend ends the multishot receive of that socket, and receives by
// recvmmsg(2), whose datagrams take their turns with the completions of all others, until the
// socket has been empty several times. Upholds R8.
#include "backend/uring/uring_backend.hpp"

namespace proa::uring {

namespace {

// A sender that is slower than the loop fills less than a block now and then, or leaves the socket
// empty, and goes on.
constexpr unsigned until_calm = 8;
constexpr unsigned many_in_a_row = 8;
constexpr unsigned many_waiting = 16;

}  // namespace

// The receive has filled a block of the ring with completion.result bytes.
void UringBackend::set_pace(RecvBuffers& recv, const Completion& completion) noexcept {
  const Features& features = ring_.features();
  if (!features.multishot_recv || features.multishot_limit) return;
  const std::uint32_t slot = BackendSide::slot(recv);
  const bool full = static_cast<std::size_t>(completion.result) >= block_capacity_;
  if (completion.more()) {
    if (!full || receives_singly(recv) || OperationList::linked(recv) || has(recv, ending)) return;
    unwanted_.push_back(recv);  // the kernel ends the multishot receive
    slots_.set_singly(slot, until_calm);
  } else if (receives_singly(recv)) {
    slots_.set_singly(slot, full ? until_calm : slots_.singly(slot) - 1);
  }
}

// The kernel has received a datagram into a block of the ring.
void UringBackend::set_pace(RecvDatagrams& recv, const Completion& completion) noexcept {
  const std::uint32_t slot = BackendSide::slot(recv);
  row_ = slot == row_slot_ ? row_ + 1 : 1;
  row_slot_ = slot;
  if (row_ < many_in_a_row || ring_.ready() < many_waiting || !completion.more() ||
      receives_singly(recv) || OperationList::linked(recv) || has(recv, ending)) {
    return;
  }
  unwanted_.push_back(recv);
  slots_.set_singly(slot, until_calm);
}

// The socket was empty when the backend wanted to receive from it.
void UringBackend::calm_down(RecvDatagrams& recv) noexcept {
  if (receives_singly(recv)) {
    const std::uint32_t slot = BackendSide::slot(recv);
    slots_.set_singly(slot, slots_.singly(slot) - 1);
  }
}

}  // namespace proa::uring
