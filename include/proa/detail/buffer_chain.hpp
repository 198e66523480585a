#pragma once

#include <proa/buffer.hpp>
#include <proa/buffer_side.hpp>

namespace proa {
inline namespace v0 {

/// Buffers one behind the other, in a ring of their segments: nothing is allocated.
class BufferChain {
 public:
  BufferChain() noexcept = default;
  BufferChain(const BufferChain&) = delete;
  BufferChain& operator=(const BufferChain&) = delete;
  ~BufferChain() { clear(); }

  bool empty() const noexcept { return last_ == nullptr; }
  void push(Buffer buffer) noexcept {
    detail::Segment* const segment = BufferSide::detach(buffer);
    segment->next = last_ ? std::exchange(last_->next, segment) : segment;
    last_ = segment;
  }
  /// The first one, or an empty buffer.
  Buffer pop() noexcept {
    if (empty()) return {};
    detail::Segment* const first = last_->next;
    if (first == last_) {
      last_ = nullptr;
    } else {
      last_->next = first->next;
    }
    first->next = nullptr;
    return BufferSide::make(first);
  }
  void clear() noexcept {
    while (!empty()) pop();
  }

 private:
  detail::Segment* last_ = nullptr;  // its `next` is the first one
};

}  // namespace v0
}  // namespace proa
