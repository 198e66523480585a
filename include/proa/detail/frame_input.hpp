#pragma once

#include <cstddef>
#include <proa/buffer.hpp>
#include <proa/bytes.hpp>
#include <proa/detail/api.hpp>
#include <proa/detail/write_queue.hpp>
#include <string_view>
#include <system_error>

namespace proa {
inline namespace v0 {
namespace detail {

/// What LineReader and FrameReader have in common: the blocks that were added and are not read to
/// their ends, memory for a frame that began in an earlier block, and the error that ends it all.
class PROA_API FrameInput {
 public:
  FrameInput() noexcept = default;
  ~FrameInput() { clear(); }
  FrameInput(const FrameInput&) = delete;
  FrameInput& operator=(const FrameInput&) = delete;

  void add(Buffer data) noexcept;
  void end() noexcept { ended_ = true; }
  /// Makes it like a new one.
  void clear() noexcept;

  /// Lets go of what take() gave out last. False after an error.
  bool begin() noexcept;

  /// What is not read yet of the block that is to be read next; empty only if no byte waits, or
  /// between take() and begin().
  std::string_view block() const noexcept { return block_.text(); }
  /// What earlier blocks had of the frame that is being read.
  std::string_view gathered() const noexcept { return {memory_, size_}; }
  bool waits() const noexcept { return !block_.empty() || !queue_.empty(); }
  bool ended() const noexcept { return ended_; }

  /// Drops bytes at the front of the block. A block that has none left goes back to its pool.
  void skip(std::size_t count) noexcept;
  /// Copies the front of the block after what is gathered, which may become `most` bytes, and
  /// skips it. False is an error: memory is short.
  bool gather(std::size_t count, std::size_t most) noexcept;
  /// Gives out a frame in one piece, until the next begin(), add() or clear(): what is gathered and
  /// `count` bytes of the block. Nothing is copied if nothing was gathered. False as gather().
  bool take(std::size_t count, std::size_t most, Bytes& frame) noexcept;

  /// From here on begin() is false, until clear(). Always returns false.
  bool fail(std::error_code error) noexcept;
  std::error_code error() const noexcept { return error_; }

 private:
  bool reserve(std::size_t size, std::size_t most) noexcept;
  void free_memory() noexcept;

  Buffer block_;
  WriteQueue queue_;        // the blocks behind it
  char* memory_ = nullptr;  // of malloc()
  std::size_t size_ = 0;    // bytes that are gathered there
  std::size_t capacity_ = 0;
  std::error_code error_;
  bool given_out_ = false;  // take() gave out the memory
  bool ended_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace proa
