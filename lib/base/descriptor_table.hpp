#pragma once

// A table of entries by descriptor number, in chunks that never move. The numbers of a simulator
// start at 1 << 24 and use the same chunks.

#include <array>
#include <cstddef>
#include <memory>
#include <proa/descriptor.hpp>
#include <vector>

#include "base/memory.hpp"

namespace proa {
inline namespace v0 {

template <class Entry>
class DescriptorTable {
 public:
  /// Returns the entry, and makes it if there is none. nullptr if memory is short or the number is
  /// negative.
  Entry* at(int number) noexcept {
    if (number < 0) return nullptr;
    const std::size_t index = static_cast<std::size_t>(number) & 0xffffff;
    const std::size_t chunk = index / chunk_size;
    if (chunk < chunks_.size() && chunks_[chunk]) return &(*chunks_[chunk])[index % chunk_size];
    return grow(chunk) ? &(*chunks_[chunk])[index % chunk_size] : nullptr;
  }
  /// Returns the entry, or nullptr if there is none.
  Entry* find(int number) noexcept {
    if (number < 0) return nullptr;
    const std::size_t index = static_cast<std::size_t>(number) & 0xffffff;
    const std::size_t chunk = index / chunk_size;
    if (chunk >= chunks_.size() || !chunks_[chunk]) return nullptr;
    return &(*chunks_[chunk])[index % chunk_size];
  }
  /// Calls visit(entry, number) for each entry that was made.
  template <class Visit>
  void each(Visit visit) {
    for (std::size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
      if (!chunks_[chunk]) continue;
      for (std::size_t i = 0; i < chunk_size; ++i) {
        visit((*chunks_[chunk])[i], static_cast<int>(chunk * chunk_size + i));
      }
    }
  }

 private:
  static constexpr std::size_t chunk_size = 128;
  using Chunk = std::array<Entry, chunk_size>;

  bool grow(std::size_t chunk) noexcept {
    return with_memory([&] {
      if (chunk >= chunks_.size()) chunks_.resize(chunk + 1);
      chunks_[chunk] = std::make_unique<Chunk>();
    });
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
};

}  // namespace v0
}  // namespace proa
