#pragma once

#include <cstddef>
#include <proa/buffer.hpp>
#include <proa/bytes.hpp>

namespace proa {

class Pool;

/// What a stream has yet to send: a chain of segments of the pool's blocks, which carry the links
/// themselves. For StreamHandler.
class WriteQueue {
 public:
  WriteQueue() noexcept = default;
  ~WriteQueue() { clear(); }
  WriteQueue(const WriteQueue&) = delete;
  WriteQueue& operator=(const WriteQueue&) = delete;

  /// Queues the buffer itself; a small one (under a quarter of its block) is copied behind the last
  /// queued one if it fits there, so that few bytes do not pin many.
  void push(Buffer buffer) noexcept;
  /// Copies, filling the last queued block first. False if memory is short: the write is queued in
  /// part then, and the stream must not go on.
  bool push(const Bytes* pieces, std::size_t count, Pool& pool) noexcept;

  const detail::Segment* first() const noexcept { return first_; }
  bool empty() const noexcept { return first_ == nullptr; }
  /// Bytes of the blocks that are pinned.
  std::size_t capacity() const noexcept { return capacity_; }
  /// Payload.
  std::size_t size() const noexcept { return size_; }

  /// Takes up to `bytes` off the front, but no more than the rest of one write; says how much that
  /// was, and whether the write ended.
  std::size_t consume(std::size_t bytes, bool& write_ended) noexcept;
  void clear() noexcept;
  /// For receive queues: the oldest segment as a buffer.
  Buffer pop() noexcept;

 private:
  void link(detail::Segment* segment) noexcept;
  void unlink_first() noexcept;
  bool extensible() const noexcept;
  std::size_t room() const noexcept;
  bool copy(Bytes bytes, Pool& pool) noexcept;
  detail::Segment* append_to_last(Bytes bytes, std::size_t& taken) noexcept;

  detail::Segment* first_ = nullptr;
  detail::Segment* last_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
  bool last_is_ours_ =
      false;  // nobody else refers to the last block: there is room to fill behind it
};

}  // namespace proa
