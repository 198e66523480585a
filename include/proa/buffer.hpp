#pragma once

#include <cstddef>
#include <cstdint>
#include <proa/bytes.hpp>
#include <proa/detail/api.hpp>
#include <string_view>
#include <utility>

namespace proa {
inline namespace v0 {

namespace detail {
struct Block;

/// A stretch of a block of the pool, and the link by which a stream queues it.
struct Segment {
  Segment* next = nullptr;
  Block* block = nullptr;
  char* data = nullptr;
  std::uint32_t size = 0;
  bool ends_write = false;   // the last one of a write()
  bool holds_block = false;  // the block's capacity is counted here
  bool has_room = false;     // in a queue of input: the rest of the block is the queue's
};

PROA_API void release(Segment* segment) noexcept;
PROA_API Segment* share(Segment* segment) noexcept;
PROA_API std::size_t capacity_of(const Segment* segment) noexcept;
}  // namespace detail

/// Received bytes, or bytes to send, in a block that is lent by the proactor's pool. Move-only, one
/// pointer big. It may be destroyed on any thread, also after its proactor is gone (R9); everything
/// else belongs to whoever holds it. No call allocates but share().
class PROA_API Buffer {
 public:
  Buffer() noexcept = default;
  Buffer(Buffer&& other) noexcept : segment_(std::exchange(other.segment_, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      reset();
      segment_ = std::exchange(other.segment_, nullptr);
    }
    return *this;
  }
  ~Buffer() { reset(); }

  /// False for a buffer that was moved from, or that Proactor::take_buffer() could not fill.
  explicit operator bool() const noexcept { return segment_ != nullptr; }

  /// The bytes; none, at nullptr, in a buffer that is false.
  const char* data() const noexcept { return segment_ ? segment_->data : nullptr; }
  char* data() noexcept { return segment_ ? segment_->data : nullptr; }
  std::size_t size() const noexcept { return segment_ ? segment_->size : 0; }
  bool empty() const noexcept { return size() == 0; }
  std::string_view text() const noexcept { return {data(), size()}; }
  Bytes bytes() const noexcept { return {data(), size()}; }

  /// Bytes of the block that this buffer pins, used or not; what queued() and watermarks count.
  std::size_t capacity() const noexcept { return segment_ ? detail::capacity_of(segment_) : 0; }

  /// Bytes that have room after the last one; 0 for a shared buffer. A request may be given
  /// data() + size() and as many bytes; then extend().
  std::size_t room() const noexcept;
  /// Counts bytes after the last one in that something else has written there; room() at most.
  void extend(std::size_t count) noexcept;
  /// Drops bytes at the front; all of them if `count` is more than size().
  void remove_prefix(std::size_t count) noexcept;
  /// Cuts at the end; no effect if the buffer is shorter already.
  void truncate(std::size_t size) noexcept;
  /// Copies into the room after the last byte and grows; returns how many bytes found room. 0 for
  /// a shared buffer.
  std::size_t append(Bytes bytes) noexcept;

  /// A second, read-only reference to the same bytes, for sending one payload to many; empty if
  /// memory is short. While it lives, neither may be written to. Each queue that it is written to
  /// counts the whole block (capacity()). The proactor's thread.
  Buffer share() const noexcept { return Buffer(segment_ ? detail::share(segment_) : nullptr); }

  /// Gives the block back early.
  void reset() noexcept {
    if (segment_) detail::release(std::exchange(segment_, nullptr));
  }

 private:
  friend class BufferSide;
  explicit Buffer(detail::Segment* segment) noexcept : segment_(segment) {}

  detail::Segment* segment_ = nullptr;
};

}  // namespace v0
}  // namespace proa
