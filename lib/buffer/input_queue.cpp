// Buffers that wait for the handler. As in a WriteQueue, a block's capacity is counted at its last
// segment in the queue.
#include <atomic>
#include <cstring>
#include <proa/buffer_side.hpp>
#include <proa/detail/input_queue.hpp>
#include <utility>

#include "buffer/pool.hpp"

namespace proa {

using detail::Segment;

namespace {

Segment* detached(Buffer& buffer) noexcept {
  Segment* const segment = BufferSide::detach(buffer);
  segment->has_room = segment->block->references.load(std::memory_order_acquire) == 1;
  return segment;
}

}  // namespace

void InputQueue::push(Buffer buffer) noexcept {
  if (!buffer) return;
  Segment* segment = copy_to_last(buffer);
  if (!segment) segment = detached(buffer);
  segment->holds_block = true;
  if (last_ && last_->block == segment->block && last_->holds_block) {
    last_->holds_block = false;
  } else {
    capacity_ += segment->block->capacity;
  }
  insert(segment);
  last_ = segment;
}

void InputQueue::push_front(Buffer buffer) noexcept {
  if (!last_) return push(std::move(buffer));
  if (!buffer) return;
  Segment* const segment = detached(buffer);
  segment->holds_block = last_->next->block != segment->block;
  if (segment->holds_block) capacity_ += segment->block->capacity;
  insert(segment);
}

// Between the last one and the first one.
void InputQueue::insert(Segment* segment) noexcept {
  segment->next = last_ ? std::exchange(last_->next, segment) : segment;
}

// Returns nullptr if the buffer has to stay in its own block. The room behind the last segment is
// the queue's if nobody else had a part of that block when it came, and if the block belongs to a
// proactor on this thread.
Segment* InputQueue::copy_to_last(const Buffer& buffer) noexcept {
  const std::size_t size = buffer.size();
  if (!last_ || !last_->has_room || size >= buffer.capacity() / 4) return nullptr;
  detail::Block& block = *last_->block;
  char* const end = last_->data + last_->size;
  const char* const limit = block.payload() + block.capacity;
  if (static_cast<std::size_t>(limit - end) < size || block.pool->stray()) return nullptr;
  Segment* const segment = detail::share(last_);
  if (!segment) return nullptr;
  segment->data = end;
  segment->size = static_cast<std::uint32_t>(size);
  segment->has_room = true;
  if (size > 0) std::memcpy(end, buffer.data(), size);
  return segment;
}

Buffer InputQueue::pop() noexcept {
  if (empty()) return {};
  Segment* const first = last_->next;
  if (first == last_) {
    last_ = nullptr;
  } else {
    last_->next = first->next;
  }
  if (first->holds_block) capacity_ -= first->block->capacity;
  first->next = nullptr;
  return BufferSide::make(first);
}

void InputQueue::consume(std::size_t bytes) noexcept {
  while (bytes > 0) {
    Segment& first = *last_->next;
    if (first.size > bytes) {
      first.data += bytes;
      first.size -= static_cast<std::uint32_t>(bytes);
      return;
    }
    bytes -= first.size;
    pop();
  }
}

}  // namespace proa
