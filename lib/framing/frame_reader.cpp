// Frames with a length in front. The length is read byte by byte and needs no memory; a payload is
// gathered only if its block does not have all of it.
#include <proa/frame_reader.hpp>

#include "base/misuse.hpp"

namespace proa {

namespace {

void check(FrameLength length, const char* what, const void* object) noexcept {
  if (length.bytes >= 1 && length.bytes <= 8) return;
  misuse("%s %p with a length of %d bytes, which is not from 1 to 8", what, object, length.bytes);
}

// The largest number of so many bytes.
std::uint64_t largest(int bytes) noexcept { return ~std::uint64_t{0} >> (64 - 8 * bytes); }

}  // namespace

std::error_code FrameLength::put(char* to, std::uint64_t payload) const noexcept {
  check(*this, "FrameLength", this);
  const std::uint64_t own = counts_itself ? bytes : 0;
  if (payload > largest(bytes) - own) return Error::too_long;
  const std::uint64_t number = payload + own;
  for (int i = 0; i < bytes; ++i) {
    const int place = order == ByteOrder::big ? bytes - 1 - i : i;
    to[i] = static_cast<char>(number >> (8 * place));
  }
  return {};
}

FrameReader::FrameReader(std::size_t limit, FrameLength length) noexcept
    : limit_(limit), length_(length) {
  check(length, "FrameReader", this);
  if (limit == 0) misuse("FrameReader %p with a limit of 0 bytes", static_cast<void*>(this));
}

bool FrameReader::next() noexcept {
  frame_ = {};
  if (!input_.begin()) return false;
  while (read_length()) {
    const std::size_t missing = payload_ - input_.gathered().size();
    const std::size_t there = input_.block().size();
    if (there >= missing) {
      length_read_ = 0;
      number_ = 0;
      return input_.take(missing, payload_, frame_);
    }
    if (there == 0) break;
    if (!input_.gather(there, payload_)) return false;
  }
  const bool half = length_read_ > 0 && !input_.error();
  return half && input_.ended() ? input_.fail(Error::cut_short) : false;
}

std::error_code FrameReader::end() noexcept {
  input_.end();
  if (!input_.waits()) (void)next();
  return error();
}

void FrameReader::clear() noexcept {
  frame_ = {};
  input_.clear();
  length_read_ = 0;
  number_ = 0;
}

// Whether the length is there, and means something.
bool FrameReader::read_length() noexcept {
  if (length_read_ == length_.bytes) return true;
  while (length_read_ < length_.bytes) {
    if (input_.block().empty()) return false;
    const std::uint64_t byte = static_cast<unsigned char>(input_.block().front());
    number_ = length_.order == ByteOrder::big ? number_ << 8 | byte
                                              : number_ | byte << (8 * length_read_);
    ++length_read_;
    input_.skip(1);
  }
  return understand(number_);
}

bool FrameReader::understand(std::uint64_t number) noexcept {
  const std::uint64_t own = length_.counts_itself ? length_.bytes : 0;
  if (number < own) return input_.fail(Error::bad_length);
  if (number - own > limit_) return input_.fail(Error::too_long);
  payload_ = static_cast<std::size_t>(number - own);
  return true;
}

}  // namespace proa
