// The pool maps slabs of a mebibyte when it needs blocks, and keeps them. A block that was just
// used is lent first, because it is still in the cache. Upholds R9 (a Buffer may be destroyed on
// any thread) and R10 (no allocation in steady state).
#include "buffer/pool.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <proa/buffer_side.hpp>
#include <utility>

#include "base/memory.hpp"
#include "base/misuse.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {

using detail::Block;
using detail::Segment;

namespace {

constexpr std::size_t blocks_per_slab = 64;
constexpr std::size_t segments_per_slab = 64;
constexpr std::size_t page = 4096;

std::size_t aligned(std::size_t block_size) noexcept {
  constexpr std::size_t line = 64;
  return (block_size + line - 1) & ~(line - 1);
}

}  // namespace

std::size_t Pool::capacity_for(std::size_t block_size) noexcept {
  return aligned(block_size) - Block::header_size;
}

Pool::Pool(std::size_t block_size, std::size_t maximum, Counters& counters) noexcept
    : block_size_(aligned(block_size)),
      maximum_(maximum),
      counters_(&counters),
      // The stride is not a power of two: else the first bytes of all blocks would share a few sets
      // of the cache.
      stride_(block_size_ + Block::header_size) {}

Pool::Pool(Paged, std::size_t block_size, std::size_t maximum, Counters& counters) noexcept
    : block_size_(std::max(block_size / page, std::size_t{1}) * page + Block::header_size),
      maximum_(maximum),
      counters_(&counters),
      stride_(block_size_ - Block::header_size + page),
      lead_(page - Block::header_size) {}

Pool::~Pool() {
  for (void* const slab : slabs_) {
    auto* const bytes = static_cast<char*>(slab);
    for (std::size_t i = 0; i < blocks_per_slab; ++i) {
      reinterpret_cast<Block*>(bytes + lead_ + i * stride_)->~Block();
    }
    sys::unmap(slab, stride_ * blocks_per_slab);
  }
  for (void* const slab : segment_slabs_) ::operator delete(slab);
}

bool Pool::on_owner() const noexcept {
  return owner_.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

const char* Pool::astray() const noexcept {
  switch (home_.caller()) {
    case Home::Caller::foreign:
      return "on a foreign thread";
    case Home::Caller::run_heir:
      return "in a child of fork(2), but the parent has run its proactor: take one here";
    default:
      return nullptr;
  }
}

void Pool::bind(std::thread::id owner) noexcept {
  owner_.store(owner, std::memory_order_relaxed);
  if (owner == std::thread::id()) return;
  if (home_.inherited()) home_.settle();
  home_.bind();
}

bool Pool::grow() noexcept {
  void* memory = nullptr;
  if (sys::map(stride_ * blocks_per_slab, &memory) < 0) return false;
  if (!with_memory([&] { slabs_.push_back(memory); })) {
    sys::unmap(memory, stride_ * blocks_per_slab);
    return false;
  }
  // Links the blocks from the last to the first, so that the pool lends them in the order of their
  // addresses.
  for (std::size_t i = blocks_per_slab; i-- > 0;) {
    auto* const block = new (static_cast<char*>(memory) + lead_ + i * stride_) Block;
    block->pool = this;
    block->capacity = static_cast<std::uint32_t>(block_capacity());
    block->next_free = free_blocks_;
    free_blocks_ = block;
  }
  return true;
}

bool Pool::grow_segments() noexcept {
  void* const memory = ::operator new(sizeof(Segment) * segments_per_slab, std::nothrow);
  if (!memory) return false;
  if (!with_memory([&] { segment_slabs_.push_back(memory); })) {
    ::operator delete(memory);
    return false;
  }
  auto* const segments = static_cast<Segment*>(memory);
  for (std::size_t i = 0; i < segments_per_slab; ++i) {
    auto* const segment = new (segments + i) Segment;
    segment->next = free_segments_;
    free_segments_ = segment;
  }
  return true;
}

Block* Pool::take_block() noexcept {
  if (!free_blocks_ && !collect_foreign() && !grow()) return nullptr;
  if (!free_blocks_) return nullptr;
  Block* const block = free_blocks_;
  free_blocks_ = block->next_free;
  block->references.store(1, std::memory_order_relaxed);
  block->own = {nullptr, block, block->payload(), 0, false, false};
  block->for_receiving = false;
  ++lent_;
  return block;
}

// True only if the memory is there too; else whoever waits for a block would try again and again.
bool Pool::has_block(std::size_t aside) noexcept {
  if (receiving_ + aside >= maximum_) collect_foreign();
  return receiving_ + aside < maximum_ && (free_blocks_ || collect_foreign() || grow());
}

bool Pool::available(std::size_t aside) noexcept {
  bool some = has_block(aside);
  if (!some) {
    // From here on whoever gives a block back tells the waiter. Another thread may have done so
    // just before, so look once more.
    awaited_.store(true);
    some = has_block(aside);
  }
  if (some && awaited_.load(std::memory_order_relaxed)) {
    awaited_.store(false, std::memory_order_relaxed);
  }
  return some;
}

Buffer Pool::take() noexcept {
  if (!available()) {
    ++counters_->buffers_missed;
    return {};
  }
  Block* const block = take_block();
  block->for_receiving = true;
  ++receiving_;
  return BufferSide::make(&block->own);
}

Buffer Pool::take_for_writing() noexcept {
  Block* const block = take_block();
  return block ? BufferSide::make(&block->own) : Buffer();
}

void Pool::turn_to_writing(Buffer& buffer) noexcept {
  Segment* const segment = BufferSide::detach(buffer);
  // Another proactor's pool goes on counting a block of its own.
  if (segment->block->pool == this && std::exchange(segment->block->for_receiving, false)) {
    --receiving_;
  }
  buffer = BufferSide::make(segment);
}

void Pool::turn_to_receiving(Buffer& buffer) noexcept {
  Segment* const segment = BufferSide::detach(buffer);
  if (segment->block->pool == this && !std::exchange(segment->block->for_receiving, true)) {
    ++receiving_;
  }
  buffer = BufferSide::make(segment);
}

void Pool::fill(Buffer& buffer, std::size_t size) noexcept {
  Segment* const segment = BufferSide::detach(buffer);
  segment->size = static_cast<std::uint32_t>(size);
  buffer = BufferSide::make(segment);
}

// Only the owner's thread maps slabs, and calls this.
BufferSource::Place Pool::find(const void* byte) const noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(byte);
  for (void* const slab : slabs_) {
    const auto first = reinterpret_cast<std::uintptr_t>(slab) + lead_ + Block::header_size;
    if (address < first || address >= first + stride_ * blocks_per_slab) continue;
    const std::uintptr_t payload = first + (address - first) / stride_ * stride_;
    if (address >= payload + block_capacity()) break;  // a header, or the gap before one
    return {reinterpret_cast<char*>(payload), block_capacity()};
  }
  return {};
}

// Without an owner other threads may give blocks back at the same time (orphan()).
Segment* Pool::share(Segment* segment) noexcept {
  if (on_owner()) return refer(segment);
  const std::lock_guard<std::mutex> lock(mutex_);
  return refer(segment);
}

Segment* Pool::refer(Segment* segment) noexcept {
  if (!free_segments_ && !grow_segments()) return nullptr;
  Segment* const second = free_segments_;
  free_segments_ = second->next;
  *second = {nullptr, segment->block, segment->data, segment->size, false, false};
  segment->block->references.fetch_add(1, std::memory_order_relaxed);
  return second;
}

// Only the owner's thread calls this, or, after orphan(), a thread that holds the mutex.
void Pool::give_back(Segment* segment) noexcept {
  Block* const block = segment->block;
  if (segment != &block->own) {
    segment->next = free_segments_;
    free_segments_ = segment;
  }
  if (block->references.load(std::memory_order_acquire) != 1 &&
      block->references.fetch_sub(1, std::memory_order_acq_rel) != 1) {
    return;
  }
  block->next_free = free_blocks_;
  free_blocks_ = block;
  --lent_;
  if (block->for_receiving) --receiving_;
}

void Pool::release(Segment* segment) noexcept {
  if (on_owner()) {
    give_back(segment);
    if (awaited_.load(std::memory_order_relaxed) && waiter_) waiter_->block_came();
  } else {
    release_elsewhere(segment);
  }
}

void Pool::release_elsewhere(Segment* segment) noexcept {
  bool last = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (orphaned_) {
      give_back(segment);
      last = lent_ == 0;
    } else {
      // In this order, because the list must be whole in a child of fork(2) that is made here.
      segment->next = foreign_.load(std::memory_order_relaxed);
      foreign_.store(segment, std::memory_order_release);
      foreign_waiting_.store(true);
      if (waiter_ && awaited_.load()) waiter_->block_came();
    }
  }
  if (last) delete this;
}

bool Pool::collect_foreign() noexcept {
  if (!foreign_waiting_.load()) return false;
  Segment* segments = nullptr;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    segments = foreign_.exchange(nullptr, std::memory_order_relaxed);
    foreign_waiting_.store(false, std::memory_order_relaxed);
  }
  while (segments) {
    Segment* const next = segments->next;
    give_back(segments);
    segments = next;
  }
  return free_blocks_ != nullptr;
}

void Pool::disown() noexcept { waiter_ = nullptr; }

void Pool::orphan() noexcept {
  bool last = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    orphaned_ = true;
    while (Segment* const segment = foreign_.load(std::memory_order_relaxed)) {
      foreign_.store(segment->next, std::memory_order_relaxed);
      give_back(segment);
    }
    last = lent_ == 0;
  }
  if (last) delete this;
}

namespace detail {

void release(Segment* segment) noexcept { segment->block->pool->release(segment); }
Segment* share(Segment* segment) noexcept {
  Pool& pool = *segment->block->pool;
  if (const char* const why = pool.stray()) {
    misuse("Buffer of %u bytes: share() %s", segment->size, why);
  }
  return pool.share(segment);
}
std::size_t capacity_of(const Segment* segment) noexcept { return segment->block->capacity; }

}  // namespace detail

void Buffer::remove_prefix(std::size_t count) noexcept {
  if (!segment_) return;
  const auto dropped = static_cast<std::uint32_t>(std::min<std::size_t>(count, segment_->size));
  segment_->data += dropped;
  segment_->size -= dropped;
}

void Buffer::truncate(std::size_t size) noexcept {
  if (segment_ && size < segment_->size) segment_->size = static_cast<std::uint32_t>(size);
}

std::size_t Buffer::room() const noexcept {
  if (!segment_ || segment_->block->references.load(std::memory_order_acquire) != 1) return 0;
  Block& block = *segment_->block;
  return static_cast<std::size_t>(block.payload() + block.capacity -
                                  (segment_->data + segment_->size));
}

void Buffer::extend(std::size_t count) noexcept {
  if (segment_) segment_->size += static_cast<std::uint32_t>(std::min(count, room()));
}

std::size_t Buffer::append(Bytes bytes) noexcept {
  const std::size_t count = std::min(room(), bytes.size);
  if (count == 0) return 0;
  std::memcpy(segment_->data + segment_->size, bytes.data, count);
  extend(count);
  return count;
}

}  // namespace v0
}  // namespace proa
