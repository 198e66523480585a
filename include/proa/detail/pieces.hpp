#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <proa/bytes.hpp>

namespace proa {
inline namespace v0 {

/// A request's copy of the caller's list of pieces of memory (Bytes or MutableBytes). Up to
/// `inline_count` pieces are kept in place; more cost an allocation the first time.
template <class Piece>
class Pieces {
 public:
  static constexpr std::size_t inline_count = 4;

  enum class Fault : std::uint8_t {
    none,
    bad_length,  ///< no pieces, a nullptr with a length, or a sum that overflows
    out_of_memory,
  };

  Fault assign(const Piece* pieces, std::size_t count) noexcept {
    count_ = 0;
    size_ = 0;
    found_ = {};
    if (count == 0 || pieces == nullptr) return Fault::bad_length;
    std::size_t size = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (pieces[i].data == nullptr && pieces[i].size > 0) return Fault::bad_length;
      if (pieces[i].size > PTRDIFF_MAX - size) return Fault::bad_length;
      size += pieces[i].size;
    }
    if (count > inline_count && count > many_capacity_) {
      if (count > PTRDIFF_MAX / sizeof(Piece)) return Fault::bad_length;
      many_.reset(new (std::nothrow) Piece[count]);
      many_capacity_ = many_ ? count : 0;
      if (!many_) return Fault::out_of_memory;
    }
    std::copy_n(pieces, count, count > inline_count ? many_.get() : few_.data());
    count_ = count;
    size_ = size;
    return Fault::none;
  }

  const Piece* data() const noexcept { return count_ > inline_count ? many_.get() : few_.data(); }
  std::size_t count() const noexcept { return count_; }
  /// The sum of the pieces' lengths.
  std::size_t size() const noexcept { return size_; }

  /// A piece by its index, and how many bytes lie before it.
  struct Place {
    std::size_t index = 0;
    std::size_t before = 0;
  };
  /// The piece in which the byte `position` lies; count() after the last one. Goes on from the
  /// last answer, so that all steps of a transfer walk over the list once.
  Place find(std::size_t position) const noexcept {
    if (position < found_.before) found_ = {};
    for (; found_.index < count_; ++found_.index) {
      const std::size_t length = data()[found_.index].size;
      if (position - found_.before < length) break;
      found_.before += length;
    }
    return found_;
  }

 private:
  std::array<Piece, inline_count> few_;
  std::unique_ptr<Piece[]> many_;
  std::size_t many_capacity_ = 0;
  std::size_t count_ = 0;
  std::size_t size_ = 0;
  mutable Place found_;
};

}  // namespace v0
}  // namespace proa
