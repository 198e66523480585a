#pragma once

#include <proa/buffer.hpp>
#include <utility>

namespace proa {
inline namespace v0 {

/// The part of Buffer that the library and backends use: the segment of a block behind it.
class BufferSide {
 public:
  static Buffer make(detail::Segment* segment) noexcept { return Buffer(segment); }
  static const detail::Segment* segment(const Buffer& buffer) noexcept { return buffer.segment_; }
  /// Hands the segment over.
  static detail::Segment* detach(Buffer& buffer) noexcept {
    return std::exchange(buffer.segment_, nullptr);
  }
};

}  // namespace v0
}  // namespace proa
