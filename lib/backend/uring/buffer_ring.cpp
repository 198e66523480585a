// The ring has an entry for every block that the pool may ever lend to the kernel. The backend
// keeps only as many blocks in the ring as the kernel has shown to need, because a few blocks that
// go round stay in the cache. Once per turn of the loop the backend adds the missing blocks and
// moves the ring's tail once. One busy connection can use up all blocks of the ring during one
// entry into the kernel; the refill before the next entry serves the other connections again.
// Upholds R11 (an empty ring is not an error).
#include "backend/uring/buffer_ring.hpp"

#include <algorithm>
#include <proa/buffer_side.hpp>

#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

void BufferRing::close() noexcept {
  for (detail::Segment* const segment : segments_) {
    if (segment) detail::release(segment);
  }
  segments_.clear();
  if (ring_) sys::unmap(ring_, bytes_);
  ring_ = nullptr;
  in_ring_ = 0;
}

long BufferRing::open(Ring& ring, std::size_t buffers) {
  limit_ = static_cast<unsigned>(std::clamp<std::size_t>(buffers / 2, 1, most_entries));
  target_ = std::min(first_target, limit_);
  entries_ = 1;
  while (entries_ < limit_) entries_ *= 2;
  segments_.assign(limit_, nullptr);
  free_ids_.resize(limit_);
  for (unsigned i = 0; i < limit_; ++i) free_ids_[i] = static_cast<std::uint16_t>(limit_ - 1 - i);

  const std::size_t bytes = entries_ * sizeof(io_uring_buf);
  void* memory = nullptr;
  const long mapped = sys::map(bytes, &memory);
  if (mapped < 0) return mapped;
  io_uring_buf_reg request = {};
  request.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
  request.ring_entries = entries_;
  request.bgid = group;
  const long registered = ring.register_with(IORING_REGISTER_PBUF_RING, &request, 1);
  if (registered < 0) {
    sys::unmap(memory, bytes);
    return registered;
  }
  bytes_ = bytes;
  ring_ = static_cast<io_uring_buf_ring*>(memory);
  return 0;
}

void BufferRing::refill(unsigned most) noexcept {
  if (wanting_ && most >= target_) target_ = std::min(target_ * 2, limit_);
  wanting_ = false;
  // Newer headers declare the entries in a way that C++ lays out differently, so this code computes
  // the address of the entries itself.
  auto* const entries = reinterpret_cast<io_uring_buf*>(ring_);
  unsigned added = 0;
  most = std::min(most, target_);
  while (in_ring_ < most && source_.available()) {
    Buffer buffer = source_.take();
    if (!buffer) break;
    const std::uint16_t id = free_ids_.back();
    free_ids_.pop_back();
    io_uring_buf& entry = entries[(ring_->tail + added) & (entries_ - 1)];
    entry.addr = reinterpret_cast<std::uintptr_t>(buffer.data());
    entry.len = static_cast<std::uint32_t>(buffer.capacity());
    entry.bid = id;
    segments_[id] = BufferSide::detach(buffer);
    ++in_ring_;
    ++added;
  }
  if (added > 0) io_uring_buf_ring_advance(ring_, static_cast<int>(added));
}

Buffer BufferRing::take(std::uint16_t id, std::size_t size) noexcept {
  Buffer buffer = BufferSide::make(segments_[id]);
  segments_[id] = nullptr;
  free_ids_.push_back(id);  // open() reserved room for all ids, so this does not allocate
  --in_ring_;
  source_.fill(buffer, size);
  return buffer;
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
