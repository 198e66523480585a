#pragma once

// The kernel's table of registered buffers, for blocks of the pool for direct I/O. The kernel pins
// the pages of a block once, when the block enters the table, and not for every transfer.

#include <array>
#include <cstddef>
#include <proa/backend.hpp>

#include "backend/uring/ring.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

class RegisteredBlocks {
 public:
  static constexpr std::size_t most = 64;
  /// The loop's thread would wait too long for the pages of a larger block.
  static constexpr std::size_t largest = std::size_t{64} << 10;
  /// So many bytes enter at most, and no more than this part of what the user may lock
  /// (RLIMIT_MEMLOCK), because rings need locked memory, too. Each fork(2) copies all of them.
  static constexpr std::size_t most_bytes = std::size_t{1} << 20;
  static constexpr std::size_t part_of_limit = 16;
  static constexpr int none = -1;

  /// Makes an empty table in the kernel, before Ring::enable(). Without a table find() finds
  /// nothing.
  void open(Ring& ring, const BufferSource* blocks) noexcept;
  /// Takes all blocks out of the table. The kernel would do that, too, but only a while after the
  /// ring is closed, or when all children of fork(2) that have a copy of the ring have ended.
  void close(Ring& ring) noexcept;

  /// The index of the block in the table that holds all of these bytes, or `none`. A block of the
  /// pool that is not in the table enters it while there is room. When the kernel refuses a block,
  /// no other enters.
  int find(Ring& ring, const void* data, std::size_t size) noexcept;

 private:
  static bool holds(const BufferSource::Place& block, const char* data, std::size_t size) noexcept;
  bool add(Ring& ring, const BufferSource::Place& block) noexcept;
  bool registers(Ring& ring, const BufferSource::Place& block) noexcept;

  const BufferSource* blocks_ = nullptr;
  std::array<BufferSource::Place, most> table_;
  std::size_t count_ = 0;
  std::size_t room_ = 0;  // bytes that may still enter
};

}  // namespace uring
}  // namespace v0
}  // namespace proa
