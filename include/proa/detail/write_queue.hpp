#pragma once

#include <cstddef>
#include <proa/buffer.hpp>
#include <proa/bytes.hpp>
#include <proa/descriptor.hpp>

namespace proa {

class Pool;

namespace detail {
/// A stretch of a file in a chain of segments: the one without a block.
struct FileSegment : Segment {
  Descriptor file;
  std::uint64_t offset = 0;
  std::uint64_t left = 0;
};
}  // namespace detail

/// What a stream has yet to send: a chain of segments of the pool's blocks, which carry the links
/// themselves, and of stretches of files, which pin no memory. For StreamHandler.
class WriteQueue {
 public:
  WriteQueue() noexcept = default;
  ~WriteQueue();
  WriteQueue(const WriteQueue&) = delete;
  WriteQueue& operator=(const WriteQueue&) = delete;

  /// Queues the buffer itself; a small one (under a quarter of its block) is copied behind the last
  /// queued one if it fits there, so that few bytes do not pin many.
  /// `ends_write` false: only a part of a write, which end_write() ends.
  void push(Buffer buffer, bool ends_write = true) noexcept;
  /// The write ends behind what is queued; one of nothing, if there is nothing of it. False if
  /// memory is short.
  bool end_write(Pool& pool) noexcept;
  /// Copies, filling the last queued block first. False if memory is short: the write is queued in
  /// part then, and the stream must not go on.
  bool push(const Bytes* pieces, std::size_t count, Pool& pool) noexcept;
  /// A stretch of a file, one write of its own. False if memory is short: nothing is queued then.
  bool push(Descriptor file, std::uint64_t offset, std::uint64_t length) noexcept;
  /// In front of all others: what was taken out and not used.
  void push_front(Buffer buffer) noexcept;

  const detail::Segment* first() const noexcept { return first_; }
  /// The stretch of a file at the front, or nullptr.
  const detail::FileSegment* first_file() const noexcept { return file_of(first_); }
  bool empty() const noexcept { return first_ == nullptr; }
  /// Of a queue that is not empty: whether its first write is one of nothing.
  bool begins_with_nothing() const noexcept {
    return first_file() ? first_file()->left == 0 : first_->size == 0;
  }
  /// Bytes of the blocks that are pinned.
  std::size_t capacity() const noexcept { return capacity_; }
  /// What capacity() would grow by for so many bytes, copied.
  std::size_t growth(std::size_t bytes, const Pool& pool) const noexcept;
  /// Payload.
  std::size_t size() const noexcept { return size_; }

  /// Takes up to `bytes` off the front, but no more than the rest of one write; says how much that
  /// was, and whether the write ended.
  std::size_t consume(std::size_t bytes, bool& write_ended) noexcept;
  /// Takes the first write off and hands its blocks to another queue as they are.
  void move_front(WriteQueue& to) noexcept;
  /// Takes bytes off the stretch of a file at the front, which stays there when none are left.
  void advance_file(std::uint64_t bytes) noexcept;
  void clear() noexcept;
  /// Takes back what a push() that failed has queued in part.
  void drop_unfinished() noexcept;
  /// Lets go of all without giving it back: nobody may use it any more.
  void forget() noexcept;
  /// For receive queues: the oldest segment as a buffer.
  Buffer pop() noexcept;

 private:
  static detail::FileSegment* file_of(detail::Segment* segment) noexcept {
    return segment && !segment->block ? static_cast<detail::FileSegment*>(segment) : nullptr;
  }
  void let_go(detail::Segment* segment) noexcept;
  void link(detail::Segment* segment) noexcept;
  void unlink_first() noexcept;
  bool extensible() const noexcept;
  std::size_t room() const noexcept;
  bool copy(Bytes bytes, Pool& pool) noexcept;
  detail::Segment* append_to_last(Bytes bytes, std::size_t& taken) noexcept;

  detail::Segment* first_ = nullptr;
  detail::Segment* last_ = nullptr;
  detail::FileSegment* spare_ = nullptr;  // of a stretch that was sent, for the next one
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
  bool last_is_ours_ =
      false;  // nobody else refers to the last block: there is room to fill behind it
};

}  // namespace proa
