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

}  // namespace bench
