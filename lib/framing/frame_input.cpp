// The input of the readers of lines and frames. A block that is read to its end goes back to its
// pool at once, and what it had of an unfinished frame is copied: a peer that sends half a frame
// holds memory, within the reader's limit, but none of the pool's blocks (R11). Memory grows with
// the bytes that came, never with a length that the peer has only announced.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <proa/detail/frame_input.hpp>
#include <utility>

namespace proa {
inline namespace v0 {
namespace detail {

namespace {

constexpr std::size_t smallest = 256;  // what is allocated first
// What is kept from one frame to the next. A longer frame is worth an allocation of its own.
constexpr std::size_t most_kept = std::size_t{16} << 10;

}  // namespace

void FrameInput::add(Buffer data) noexcept {
  if (data.empty() || error_) return;
  ended_ = false;
  if (waits()) {
    queue_.push(std::move(data));
  } else {
    block_ = std::move(data);
  }
}

void FrameInput::clear() noexcept {
  block_.reset();
  queue_.clear();
  free_memory();
  error_ = {};
  ended_ = false;
}

bool FrameInput::begin() noexcept {
  if (error_) return false;
  if (std::exchange(given_out_, false)) {
    size_ = 0;
    if (capacity_ > most_kept) free_memory();
  }
  if (block_.empty()) block_ = queue_.pop();
  return true;
}

void FrameInput::skip(std::size_t count) noexcept {
  block_.remove_prefix(count);
  if (block_.empty()) block_ = queue_.pop();
}

bool FrameInput::gather(std::size_t count, std::size_t most) noexcept {
  if (!reserve(size_ + count, most)) return fail(make_error_code(std::errc::not_enough_memory));
  std::memcpy(memory_ + size_, block_.data(), count);
  size_ += count;
  skip(count);
  return true;
}

bool FrameInput::take(std::size_t count, std::size_t most, Bytes& frame) noexcept {
  if (size_ == 0) {
    frame = {block_.data(), count};
    block_.remove_prefix(count);  // the block itself stays, because the frame is there
    return true;
  }
  if (!gather(count, most)) return false;
  frame = {memory_, size_};
  given_out_ = true;
  return true;
}

bool FrameInput::fail(std::error_code error) noexcept {
  block_.reset();
  queue_.clear();
  error_ = error;
  return false;
}

bool FrameInput::reserve(std::size_t size, std::size_t most) noexcept {
  if (size <= capacity_) return true;
  const std::size_t twice = capacity_ > most / 2 ? most : std::max(2 * capacity_, smallest);
  const std::size_t larger = std::max(size, std::min(twice, most));
  void* const memory = std::realloc(memory_, larger);
  if (!memory) return false;
  memory_ = static_cast<char*>(memory);
  capacity_ = larger;
  return true;
}

void FrameInput::free_memory() noexcept {
  std::free(std::exchange(memory_, nullptr));
  size_ = capacity_ = 0;
  given_out_ = false;
}

}  // namespace detail
}  // namespace v0
}  // namespace proa
