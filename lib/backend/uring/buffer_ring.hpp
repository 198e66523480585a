#pragma once

// The ring of provided buffers (Linux 5.19): blocks of the pool that the kernel picks from when
// data comes, so that an idle connection owns none.

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <proa/backend.hpp>
#include <proa/buffer.hpp>
#include <vector>

#include "backend/uring/ring.hpp"

namespace proa::uring {

class BufferRing {
 public:
  static constexpr std::uint16_t group = 0;
  static constexpr unsigned most_entries = 4096;
  static constexpr unsigned first_target = 32;

  explicit BufferRing(BufferSource& source) noexcept : source_(source) {}
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;
  /// The kernel must be done with the ring: destroy it after the Ring.
  ~BufferRing() { close(); }

  /// Registers room for `buffers` blocks, filled with none. 0 or -errno.
  long open(Ring& ring, std::size_t buffers);
  void close() noexcept;
  bool is_open() const noexcept { return ring_ != nullptr; }

  /// Makes up for the blocks that were taken, from the pool and as far as it has any.
  void refill() noexcept;
  /// The kernel ran out: keep twice as many in the ring from the next refill() on.
  void grow() noexcept { wanting_ = true; }
  /// The block that the kernel filled with `size` bytes.
  Buffer take(std::uint16_t id, std::size_t size) noexcept;
  /// A block that the kernel picked and did not need.
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
  std::vector<detail::Segment*> segments_;  // by buffer id
  std::vector<std::uint16_t> free_ids_;
};

}  // namespace proa::uring
