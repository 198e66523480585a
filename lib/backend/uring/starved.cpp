// Receives that found no block. They wait in line, and the one in front is lent a block of its own
// as soon as the pool has one: from the ring, the fastest would take it. While there is a line, the
// ring gets no blocks, and a receive that has had one waits until it is readable, and then at the
// end. So what starting again costs follows the blocks that came back, not those that wait. Upholds
// R8 (first come, first served) and R11 (an empty pool is not an error).
#include "backend/uring/uring_backend.hpp"

namespace proa::uring {

void UringBackend::starve(Operation& operation) noexcept {
  if (!starved_.empty() || !source_.available()) ++counters_.buffers_missed;
  if (operation.opcode() == Opcode::recv_datagrams) {
    static_cast<RecvDatagrams&>(operation).set_batch(1);  // one block at a time
  }
  list(operation, starved_);
}

Operation* UringBackend::serve_starved() noexcept {
  Operation& operation = *starved_.pop_front();
  set_stage(operation, outside);
  ++counters_.rearmed;
  if (operation.opcode() == Opcode::recv_datagrams) {
    return receive_datagrams(static_cast<RecvDatagrams&>(operation));
  }
  read_into_block(static_cast<RecvBuffers&>(operation));
  return nullptr;
}

// There is a block.
void UringBackend::read_into_block(RecvBuffers& recv) noexcept {
  recv.buffer() = source_.take();
  set(recv, own_block);
  start(recv);
}

// The descriptor is.
void UringBackend::readable(RecvBuffers& recv) noexcept {
  if (from_ring(recv) && starved_.empty()) {
    start(recv);
  } else if (starved_.empty() && source_.available()) {
    read_into_block(recv);
  } else {
    starve(recv);
  }
}

// After a result that the kernel sends no other one behind.
void UringBackend::go_on(RecvBuffers& recv) noexcept {
  if (!from_ring(recv) || !starved_.empty()) return start_polling(recv);
  if (ring_.features().multishot_recv) ++counters_.rearmed;
  start(recv);
}

}  // namespace proa::uring
