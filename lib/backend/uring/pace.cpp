// How many blocks one entry into the kernel brings of a busy stream. Linux 6.17 and later end a
// multishot receive behind four blocks, if that is asked for (fill_recv_buffers()). Linux 6.0
// to 6.16 fill 32 blocks or more of each busy stream in one entry, and what has come for all others
// waits behind those. So there the backend ends the multishot receive of a stream that fills a
// whole block, and receives block by block until the stream has filled less than a block several
// times. A stream of short messages keeps its multishot receive.
//
// No kernel has such a limit for datagrams: one entry brings 32 of each busy socket, and those that
// come meanwhile. When the loop has told many datagrams of one socket in a row, and many
// completions still wait, the backend ends the multishot receive of that socket, and receives by
// recvmmsg(2), whose datagrams take their turns with the completions of all others, until the
// socket has been empty several times.
//
// All of that needs a first entry that shows who is busy, and thousands of completions may come
// with that one. So where the kernel has no limit, the ring of blocks has about twice as many as
// there are receives that take them. Receives that find none wait in the line (starved.cpp), and
// the backend serves them one by one. Upholds R8.
#include <algorithm>

#include "backend/uring/uring_backend.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

namespace {

// A sender that is slower than the loop fills less than a block now and then, or leaves the socket
// empty, and goes on.
constexpr unsigned until_calm = 8;
constexpr unsigned many_in_a_row = 8;
constexpr unsigned many_waiting = 16;
// A few receives may have that many blocks all the same, which is what one round tells of.
constexpr unsigned fewest_blocks = 64;

}  // namespace

// The receive has filled a block with completion.result bytes.
void UringBackend::set_pace(RecvBuffers& recv, const Completion& completion) noexcept {
  const Features& features = ring_.features();
  if (!features.multishot_recv || features.multishot_limit) return;
  const std::uint32_t slot = BackendSide::slot(recv);
  const bool full = static_cast<std::size_t>(completion.result) >= block_capacity_;
  if (completion.more()) {
    if (!full || receives_singly(recv) || OperationList::linked(recv) || has(recv, ending)) return;
    unwanted_.push_back(recv);  // the kernel ends the multishot receive
    slots_.set_singly(slot, until_calm);
  } else if (full) {
    slots_.set_singly(slot, until_calm);
  } else if (receives_singly(recv)) {
    slots_.set_singly(slot, slots_.singly(slot) - 1);
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

// The receive gets the block that it has waited for. A multishot receive would take those of the
// others, as it did before: it receives by recvmmsg(2) until the socket is empty.
void UringBackend::waited_in_line(RecvDatagrams& recv) noexcept {
  const std::uint32_t slot = BackendSide::slot(recv);
  if (ring_.features().multishot_datagrams && slot != Slots::none && slots_.singly(slot) == 0) {
    slots_.set_singly(slot, 1);
  }
}

// How many blocks the ring may have, which is how many completions of receives an entry into the
// kernel brings. With a block each for what comes to all receives at once, none of them has to wait
// in the line.
unsigned UringBackend::most_blocks() const noexcept {
  const Features& features = ring_.features();
  const bool streams = features.multishot_recv && !features.multishot_limit;
  if (!streams && armed_datagrams_ == 0) {
    return BufferRing::most_entries;
  }
  return std::max(fewest_blocks, 2 * armed_);
}

// The receive goes to the kernel, and takes blocks of the ring.
void UringBackend::armed(Operation& operation) noexcept {
  ++armed_;
  if (operation.opcode() == Opcode::recv_datagrams) ++armed_datagrams_;
}

// The kernel has ended the operation.
void UringBackend::disarmed(Operation& operation) noexcept {
  if (operation.opcode() == Opcode::recv_datagrams) {
    --armed_datagrams_;
    --armed_;
  } else if (operation.opcode() == Opcode::recv_buffers && !has(operation, own_block)) {
    --armed_;
  }
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
