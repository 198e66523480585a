#pragma once

#include <cstddef>
#include <proa/buffer.hpp>
#include <proa/detail/api.hpp>

namespace proa {
inline namespace v0 {

/// Received buffers that wait for a stream's handler, in a ring of their segments: nothing is
/// allocated, and an empty queue is two words.
class PROA_API InputQueue {
 public:
  InputQueue() noexcept = default;
  InputQueue(const InputQueue&) = delete;
  InputQueue& operator=(const InputQueue&) = delete;
  ~InputQueue() { clear(); }

  bool empty() const noexcept { return last_ == nullptr; }
  /// Adds it behind the others. The bytes of a small one (under a quarter of its block) are copied
  /// behind those of the last one if they fit into its block, so that few bytes do not pin many;
  /// it stays a buffer of its own.
  void push(Buffer buffer) noexcept;
  void push_front(Buffer buffer) noexcept;
  /// The first one, or an empty buffer.
  Buffer pop() noexcept;
  /// Takes bytes off the front; there must be as many.
  void consume(std::size_t bytes) noexcept;
  void clear() noexcept {
    while (!empty()) pop();
  }

  const detail::Segment* first() const noexcept { return last_ ? last_->next : nullptr; }
  /// The one behind it, or nullptr.
  const detail::Segment* after(const detail::Segment* segment) const noexcept {
    return segment == last_ ? nullptr : segment->next;
  }
  /// Bytes of the blocks that the queue pins.
  std::size_t capacity() const noexcept { return capacity_; }

 private:
  detail::Segment* copy_to_last(const Buffer& buffer) noexcept;
  void insert(detail::Segment* segment) noexcept;

  detail::Segment* last_ = nullptr;  // its `next` is the first one
  std::size_t capacity_ = 0;
};

}  // namespace v0
}  // namespace proa
