// What the loads send and expect back. Every request of every connection has other bytes than the
// one before, without a buffer per connection: all are windows, `size` long, into one block of
// noise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace bench {

class Payload {
 public:
  explicit Payload(std::size_t size) : size_(size), noise_(size + kWindows) {
    std::uint64_t state = 0x9e3779b97f4a7c15U;
    for (auto& byte : noise_) {  // xorshift64
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      byte = static_cast<char>(state >> 56);
    }
  }

  std::size_t size() const { return size_; }

  /// The bytes of one request: size() of them, valid as long as this object.
  const char* request(std::uint64_t connection, std::uint64_t sequence) const {
    return noise_.data() + (connection * 31 + sequence) % kWindows;
  }

 private:
  static constexpr std::size_t kWindows = 509;
  std::size_t size_;
  std::vector<char> noise_;
};

/// What a load sends on one connection, as a stream without end: noise that repeats after so many
/// bytes that what is lost, doubled or in the wrong order differs.
class PayloadStream {
 public:
  /// `longest` is the longest piece that is asked for at once.
  explicit PayloadStream(std::size_t longest) : noise_(kPeriod + longest) {
    const Payload once(kPeriod);
    for (std::size_t at = 0; at < noise_.size(); ++at) {
      noise_[at] = once.request(0, 0)[at % kPeriod];
    }
  }

  /// The bytes from `offset` on, valid as long as this object.
  const char* at(std::uint64_t offset) const { return noise_.data() + offset % kPeriod; }

 private:
  static constexpr std::size_t kPeriod = 65521;
  std::vector<char> noise_;
};

}  // namespace bench
