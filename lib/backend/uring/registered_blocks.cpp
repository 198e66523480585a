// Blocks enter the table one by one, each with the first transfer that uses it, in that order. To
// register a whole slab at once would keep the loop's thread for as long as the kernel needs to
// provide its pages, and would lock memory that no transfer may ever use. Upholds R10 (after the
// first transfers a transfer enters the kernel no more often than without the table) and R12
// (without the table the same transfers are made with unregistered memory).
#include "backend/uring/registered_blocks.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <cstdint>

#include "sys/linux.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

void RegisteredBlocks::open(Ring& ring, const BufferSource* blocks) noexcept {
  blocks_ = nullptr;
  count_ = 0;
  if (!ring.features().registered_buffers) return;
  io_uring_rsrc_register wanted = {};
  wanted.nr = most;
  wanted.flags = IORING_RSRC_REGISTER_SPARSE;
  if (blocks && ring.register_with(IORING_REGISTER_BUFFERS2, &wanted, sizeof wanted) == 0) {
    blocks_ = blocks;
    room_ = std::min(most_bytes, sys::lockable_bytes() / part_of_limit);
  } else {
    ring.forgo_registered_buffers();
  }
}

void RegisteredBlocks::close(Ring& ring) noexcept {
  if (count_ > 0) ring.register_with(IORING_UNREGISTER_BUFFERS, nullptr, 0);
  blocks_ = nullptr;
  count_ = 0;
}

bool RegisteredBlocks::holds(const BufferSource::Place& block, const char* data,
                             std::size_t size) noexcept {
  const auto begin = reinterpret_cast<std::uintptr_t>(block.memory);
  const auto at = reinterpret_cast<std::uintptr_t>(data);
  return at >= begin && at - begin <= block.size && size <= block.size - (at - begin);
}

int RegisteredBlocks::find(Ring& ring, const void* data, std::size_t size) noexcept {
  if (!blocks_) return none;
  const auto* const bytes = static_cast<const char*>(data);
  for (std::size_t i = 0; i < count_; ++i) {
    if (holds(table_[i], bytes, size)) return static_cast<int>(i);
  }
  if (count_ == most || room_ == 0) return none;
  const BufferSource::Place block = blocks_->find(data);
  if (block.size == 0 || !holds(block, bytes, size) || !add(ring, block)) return none;
  return static_cast<int>(count_ - 1);
}

bool RegisteredBlocks::add(Ring& ring, const BufferSource::Place& block) noexcept {
  if (block.size > room_ || !registers(ring, block)) {
    room_ = 0;
    if (count_ == 0) ring.forgo_registered_buffers();
    return false;
  }
  table_[count_++] = block;
  room_ -= block.size;
  return true;
}

bool RegisteredBlocks::registers(Ring& ring, const BufferSource::Place& block) noexcept {
  const iovec memory = {block.memory, block.size};
  io_uring_rsrc_update2 update = {};
  update.offset = static_cast<std::uint32_t>(count_);
  update.data = reinterpret_cast<std::uintptr_t>(&memory);
  update.nr = 1;
  return ring.register_with(IORING_REGISTER_BUFFERS_UPDATE, &update, sizeof update) == 1;
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
