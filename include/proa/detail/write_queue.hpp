#pragma once

#include <cstddef>
#include <cstdint>
#include <proa/buffer.hpp>
#include <proa/bytes.hpp>
#include <proa/descriptor.hpp>
#include <proa/detail/api.hpp>

namespace proa {
inline namespace v0 {

class Pool;

namespace detail {
/// A part of a file in a chain of segments: the only kind of segment without a block.
struct FileSegment : Segment {
  Descriptor file;
  std::uint64_t offset = 0;
  std::uint64_t left = 0;
};
}  // namespace detail

/// What a stream has not sent yet: a chain of segments of the pool's blocks, which carry the links,
/// and of parts of files, which pin no memory. For StreamHandler.
class PROA_API WriteQueue {
 public:
  WriteQueue() noexcept = default;
  ~WriteQueue();
  WriteQueue(const WriteQueue&) = delete;
  WriteQueue& operator=(const WriteQueue&) = delete;

  /// Queues the buffer itself. A small one (under a quarter of its block) is copied into the last
  /// queued block if it fits there, so that few bytes do not pin many. With `ends_write` false the
  /// buffer is only a part of a write, which end_write() ends.
  void push(Buffer buffer, bool ends_write = true) noexcept;
  /// Ends the write after what is queued, or queues an empty write if nothing of it is. False if
  /// memory is short.
  bool end_write(Pool& pool) noexcept;
  /// Copies the pieces, and fills the last queued block first. False if memory is short: a part of
  /// the write is queued then, and the stream must not go on.
  bool push(const Bytes* pieces, std::size_t count, Pool& pool) noexcept;
  /// Queues a part of a file as one write. False if memory is short: nothing is queued then.
  bool push(Descriptor file, std::uint64_t offset, std::uint64_t length) noexcept;
  /// Puts a buffer in front of all others: one that was taken out and not used.
  void push_front(Buffer buffer) noexcept;

  const detail::Segment* first() const noexcept { return first_; }
  /// The part of a file at the front, or nullptr.
  const detail::FileSegment* first_file() const noexcept { return file_of(first_); }
  bool empty() const noexcept { return first_ == nullptr; }
  /// Whether the first write of a queue, which must not be empty, has no bytes.
  bool begins_with_nothing() const noexcept {
    return first_file() ? first_file()->left == 0 : first_->size == 0;
  }
  /// Bytes of the blocks that the queue pins.
  std::size_t capacity() const noexcept { return capacity_; }
  /// How much capacity() would grow by copying so many bytes.
  std::size_t growth(std::size_t bytes, const Pool& pool) const noexcept;
  /// Bytes of payload.
  std::size_t size() const noexcept { return size_; }

  /// Takes up to `bytes` off the front, but no more than the rest of one write. Returns how many
  /// that was, and whether the write ended.
  std::size_t consume(std::size_t bytes, bool& write_ended) noexcept;
  /// The same if the queue is one write in one segment, and has so many bytes; else false.
  bool consume_only(std::size_t bytes) noexcept {
    if (first_ != last_ || bytes != size_ || !first_->block || !first_->ends_write) return false;
    detail::release(first_);
    first_ = last_ = nullptr;
    size_ = capacity_ = 0;
    return true;
  }
  /// Moves the blocks of the first write to another queue.
  void move_front(WriteQueue& to) noexcept;
  /// Takes bytes off the part of a file at the front. It stays there even if none are left.
  void advance_file(std::uint64_t bytes) noexcept;
  void clear() noexcept;
  /// Removes what a failed push() has queued of its write.
  void drop_unfinished() noexcept;
  /// Drops all blocks without giving them back to the pool: nobody may use them any more.
  void forget() noexcept;
  /// For queues of input: takes the oldest segment off as a buffer.
  Buffer pop() noexcept;

 private:
  static detail::FileSegment* file_of(detail::Segment* segment) noexcept {
    return segment && !segment->block ? static_cast<detail::FileSegment*>(segment) : nullptr;
  }
  void let_go(detail::Segment* segment) noexcept;
  detail::FileSegment* take_spare() noexcept;
  void link(detail::Segment* segment) noexcept;
  void unlink_first() noexcept;
  bool extensible() const noexcept;
  std::size_t room() const noexcept;
  bool copy(Bytes bytes, Pool& pool) noexcept;
  detail::Segment* append_to_last(Bytes bytes, std::size_t& taken) noexcept;

  detail::Segment* first_ = nullptr;
  detail::Segment* last_ = nullptr;
  /// The segments of sent files that are kept for the next ones (R10): as many as were queued at
  /// once, up to this number.
  static constexpr std::uint8_t most_spare = 64;
  detail::FileSegment* spare_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
  bool last_is_ours_ = false;  // nobody else refers to the last block: it may be filled
  std::uint8_t spares_ = 0;    // how many segments `spare_` is
};

}  // namespace v0
}  // namespace proa
