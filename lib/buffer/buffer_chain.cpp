// Buffers that wait for the handler, in a ring of their segments.
#include <atomic>
#include <cstring>
#include <proa/buffer_side.hpp>
#include <proa/detail/buffer_chain.hpp>
#include <utility>

#include "buffer/pool.hpp"

namespace proa {

using detail::Segment;

void BufferChain::push(Buffer buffer) noexcept {
  if (buffer && !copy_to_last(buffer)) last_ = link(buffer);
}

void BufferChain::push_front(Buffer buffer) noexcept {
  if (!buffer) return;
  Segment* const first = link(buffer);
  if (!last_) last_ = first;
}

// The room behind the last buffer is the chain's if nobody else has a part of its block, and if the
// block belongs to a proactor on this thread.
bool BufferChain::copy_to_last(const Buffer& buffer) noexcept {
  const bool small = buffer.size() > 0 && buffer.size() < buffer.capacity() / 4;
  if (!small || !last_) return false;
  detail::Block& block = *last_->block;
  if (block.references.load(std::memory_order_acquire) != 1 || block.pool->stray()) return false;
  char* const end = last_->data + last_->size;
  if (block.payload() + block.capacity - end < static_cast<std::ptrdiff_t>(buffer.size())) {
    return false;
  }
  std::memcpy(end, buffer.data(), buffer.size());
  last_->size += static_cast<std::uint32_t>(buffer.size());
  return true;
}

// Between the last one and the first one.
Segment* BufferChain::link(Buffer& buffer) noexcept {
  Segment* const segment = BufferSide::detach(buffer);
  segment->next = last_ ? std::exchange(last_->next, segment) : segment;
  return segment;
}

Buffer BufferChain::pop() noexcept {
  if (empty()) return {};
  Segment* const first = last_->next;
  if (first == last_) {
    last_ = nullptr;
  } else {
    last_->next = first->next;
  }
  first->next = nullptr;
  return BufferSide::make(first);
}

void BufferChain::consume(std::size_t bytes) noexcept {
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

void BufferChain::clear() noexcept {
  while (!empty()) pop();
}

// Segments of one block stand together.
std::size_t BufferChain::capacity() const noexcept {
  std::size_t bytes = 0;
  const detail::Block* before = nullptr;
  for (const Segment* each = first(); each; each = after(each)) {
    if (each->block != before) bytes += each->block->capacity;
    before = each->block;
  }
  return bytes;
}

}  // namespace proa
