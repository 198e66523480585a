#pragma once

// The ring of provided buffers (Linux 5.19). The backend puts blocks of the pool into the ring, and
// the kernel picks one when data comes for a receive. So an idle connection owns no block.

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <proa/backend.hpp>
#include <proa/buffer.hpp>
#include <vector>

#include "backend/uring/ring.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

class BufferRing {
 public:
  static constexpr std::uint16_t group = 0;
  static constexpr unsigned most_entries = 4096;
  static constexpr unsigned first_target = 32;

  explicit BufferRing(BufferSource& source) noexcept : source_(source) {}
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;
  /// The kernel uses the memory of this ring for as long as the Ring exists: destroy the Ring
  /// first.
  ~BufferRing() { close(); }

  /// Registers a ring with room for `buffers` blocks, and puts none in. 0 or -errno.
  long open(Ring& ring, std::size_t buffers);
  void close() noexcept;
  bool is_open() const noexcept { return ring_ != nullptr; }

  /// Takes blocks from the pool and adds them to the ring, until the ring has as many as it should
  /// have, or `most`, or the pool has none.
  void refill(unsigned most) noexcept;
  /// How many blocks the ring has, and those among them that the kernel has filled, but not yet
  /// told of.
  unsigned blocks() const noexcept { return in_ring_; }
  /// The kernel found no block in the ring: the next refill() doubles the number of blocks that the
  /// ring should have.
  void grow() noexcept { wanting_ = true; }
  /// Returns the block with this id, which the kernel has filled with `size` bytes.
  Buffer take(std::uint16_t id, std::size_t size) noexcept;
  /// Gives the block with this id back to the pool: the kernel picked the block, but put nothing
  /// in.
  void put_back(std::uint16_t id) noexcept { take(id, 0); }

 private:
  BufferSource& source_;
  io_uring_buf_ring* ring_ = nullptr;
  std::size_t bytes_ = 0;
  unsigned entries_ = 0;
  unsigned limit_ = 0;
  unsigned target_ = 0;
  unsigned in_ring_ = 0;
  bool wanting_ = false;
  std::vector<detail::Segment*> segments_;  // the blocks in the ring; the index is the buffer id
  std::vector<std::uint16_t> free_ids_;
};

}  // namespace uring
}  // namespace v0
}  // namespace proa
