// Receives that found no block wait in one line. As soon as the pool has a block, the backend takes
// it and gives it to the receive in front; it does not put the block into the ring, where the
// fastest receive would take it. While receives wait, the ring gets no blocks, and a receive that
// has had a block polls its socket before it joins the end of the line. So the number of restarts
// depends on how many blocks came back, not on how many receives wait. Upholds R8 (first come,
// first served) and R11 (an empty pool is not an error).
#include <utility>

#include "backend/uring/uring_backend.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

void UringBackend::starve(Operation& operation) noexcept {
  if (!starved_.empty() || !source_.available()) ++counters_.buffers_missed;
  if (operation.opcode() == Opcode::recv_datagrams) {
    // one block at a time, for the other receives in the line
    static_cast<RecvDatagrams&>(operation).set_batch(1);
  }
  list(operation, starved_);
}

// The last blocks of the pool may have gone into the ring while the kernel's word that it was empty
// was still on its way: then receives wait in the line for blocks that lie in the ring for nobody.
// Starts as many of them from the ring as it has blocks, once per entry into the kernel.
void UringBackend::draw_from_ring() noexcept {
  drew_ = false;
  if (starved_.empty() || buffers_.blocks() == 0 || source_.available()) return;
  unsigned left = buffers_.blocks();
  for (Operation* one = starved_.front(); one && left > 0;) {
    Operation& operation = *std::exchange(one, starved_.after(*one));
    // the others have no receive that takes a block of the ring
    const bool datagrams = operation.opcode() == Opcode::recv_datagrams;
    if (datagrams ? !ring_.features().multishot_datagrams : !from_ring(operation)) continue;
    OperationList::remove(operation);
    set_stage(operation, outside);
    if (receives_singly(operation)) slots_.set_singly(BackendSide::slot(operation), 0);
    ++counters_.rearmed;
    --left;
    drew_ = true;
    start(operation);
  }
}

Operation* UringBackend::serve_starved() noexcept {
  Operation& operation = *starved_.pop_front();
  set_stage(operation, outside);
  ++counters_.rearmed;
  if (operation.opcode() == Opcode::recv_datagrams) {
    waited_in_line(static_cast<RecvDatagrams&>(operation));
    return receive_datagrams(static_cast<RecvDatagrams&>(operation));
  }
  if (by_call(operation)) return receive(static_cast<RecvBuffers&>(operation));
  read_into_block(static_cast<RecvBuffers&>(operation));
  return nullptr;
}

// The caller has made sure that the pool has a block.
void UringBackend::read_into_block(RecvBuffers& recv) noexcept {
  recv.buffer() = source_.take();
  set(recv, own_block);
  start(recv);
}

// The descriptor is readable: receives, or puts the receive into the line. Of what is in
// non-blocking mode the backend receives by the system call: an SQE would have its result in the
// next round, behind timers that are due in this one (R7).
Operation* UringBackend::readable(RecvBuffers& recv) noexcept {
  if (starved_.empty() && source_.available()) {
    const DescriptorKind kind = recv.descriptor().kind;
    const bool may_wait = kind == DescriptorKind::file || kind == DescriptorKind::borrowed;
    if (!may_wait) return receive(recv);
    read_into_block(recv);
    return nullptr;
  }
  if (from_ring(recv) && starved_.empty()) {
    start(recv);
  } else {
    starve(recv);
    // With blocks for all, the line must not stay as long as it is.
    if (may_serve()) return serve_starved();
  }
  return nullptr;
}

// The kernel has ended its receive with this result: starts the next one, or polls the descriptor
// first.
void UringBackend::go_on(RecvBuffers& recv) noexcept {
  if (!from_ring(recv) || !starved_.empty()) return start_polling(recv);
  if (ring_.features().multishot_recv) ++counters_.rearmed;
  start(recv);
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
