#pragma once

#include <cstddef>
#include <proa/buffer.hpp>
#include <proa/detail/api.hpp>

namespace proa {
inline namespace v0 {

/// Received buffers one behind the other, in a ring of their segments: nothing is allocated.
class PROA_API BufferChain {
 public:
  BufferChain() noexcept = default;
  BufferChain(const BufferChain&) = delete;
  BufferChain& operator=(const BufferChain&) = delete;
  ~BufferChain() {
    if (last_) clear();
  }

  bool empty() const noexcept { return last_ == nullptr; }
  /// Adds it behind the others. A small one (under a quarter of its block) is copied behind the
  /// bytes of the last one if it fits into its block, so that few bytes do not pin many.
  void push(Buffer buffer) noexcept;
  void push_front(Buffer buffer) noexcept;
  /// The first one, or an empty buffer.
  Buffer pop() noexcept;
  /// Takes bytes off the front; there must be as many.
  void consume(std::size_t bytes) noexcept;
  void clear() noexcept;

  const detail::Segment* first() const noexcept { return last_ ? last_->next : nullptr; }
  /// The one behind it, or nullptr.
  const detail::Segment* after(const detail::Segment* segment) const noexcept {
    return segment == last_ ? nullptr : segment->next;
  }
  /// Bytes of the blocks that the chain pins.
  std::size_t capacity() const noexcept;

 private:
  bool copy_to_last(const Buffer& buffer) noexcept;
  detail::Segment* link(Buffer& buffer) noexcept;

  detail::Segment* last_ = nullptr;  // its `next` is the first one
};

}  // namespace v0
}  // namespace proa
