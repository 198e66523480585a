#pragma once

// The pool of blocks behind Buffer. The proactor's thread takes blocks and gives them back without
// locks; other threads give blocks back under a mutex (R9). The pool outlives its proactor until
// the last block has come back.

#include <atomic>
#include <cstddef>
#include <mutex>
#include <proa/backend.hpp>
#include <proa/buffer.hpp>
#include <proa/counters.hpp>
#include <thread>
#include <vector>

#include "base/home.hpp"
#include "sys/mutex.hpp"

namespace proa {
inline namespace v0 {

class Pool;

namespace detail {
/// The header at the start of a block's memory; the payload follows. Blocks are never moved.
struct Block {
  Segment own;  // the first reference; the pool makes segments for further ones
  Pool* pool = nullptr;
  Block* next_free = nullptr;
  std::atomic<std::uint32_t> references{0};
  std::uint32_t capacity = 0;
  bool for_receiving = false;  // the pool counts the block against its maximum

  char* payload() noexcept { return reinterpret_cast<char*>(this) + header_size; }
  static constexpr std::size_t header_size = 128;
};
static_assert(sizeof(Block) <= Block::header_size);
}  // namespace detail

/// Waits for a block. The thread that gives one back tells it so.
class BlockWaiter {
 public:
  virtual void block_came() noexcept = 0;

 protected:
  ~BlockWaiter() = default;
};

class Pool final : public BufferSource {
 public:
  /// `block_size` includes the header. `maximum` limits only the blocks that are taken to receive
  /// into: a write never waits for a block that only reading would free, and the queue of a slow
  /// reader does not keep others from receiving.
  Pool(std::size_t block_size, std::size_t maximum, Counters& counters) noexcept;
  /// For direct I/O: each payload begins at a page and consists of as many whole pages as
  /// `block_size` has, at least of one.
  struct Paged {};
  Pool(Paged, std::size_t block_size, std::size_t maximum, Counters& counters) noexcept;

  Buffer take() noexcept override;
  /// If this returns false, the pool expects the caller to wait, and tells the waiter when a block
  /// comes back.
  bool available() noexcept override { return available(aside_); }
  /// The pool keeps so many blocks back from take() until this is called again, because another
  /// line than that of the receives has its turn (R8).
  void set_aside(std::size_t blocks) noexcept { aside_ = blocks; }
  /// As available(), but counts the blocks that are set aside too.
  bool available_at_all() noexcept { return available(0); }
  /// Nobody waits for a block, and less than half of the maximum is lent.
  bool has_plenty(std::size_t blocks) noexcept override {
    return receiving_ + blocks < maximum_ / 2 && !awaited_.load(std::memory_order_relaxed);
  }
  void fill(Buffer& buffer, std::size_t size) noexcept override;
  Place find(const void* byte) const noexcept override;
  /// A block to copy into; `maximum` does not limit these. Empty if there is no memory.
  Buffer take_for_writing() noexcept;
  /// A received buffer is queued to be sent, or kept until the handler reads or a file takes it:
  /// the maximum does not count it any more, because its stream has a limit of its own for those.
  void turn_to_writing(Buffer& buffer) noexcept;
  /// The handler gets the buffer: the maximum counts it again.
  void turn_to_receiving(Buffer& buffer) noexcept;
  std::size_t block_capacity() const noexcept { return block_size_ - detail::Block::header_size; }
  /// The same, of the blocks of a pool that is made with this block size.
  static std::size_t capacity_for(std::size_t block_size) noexcept;

  /// Without an owner, before the first run and after the shutdown, all threads give blocks back
  /// under the mutex.
  void bind(std::thread::id owner) noexcept;
  /// The pool tells this one when a block comes back that somebody waits for.
  void set_waiter(BlockWaiter* waiter) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    waiter_ = waiter;
  }
  /// The proactor calls this instead of deleting the pool, which deletes itself when the last block
  /// has come back.
  void orphan() noexcept;
  /// The proactor calls this before orphan() in a child of fork(2).
  void disown() noexcept;

  /// Whether memory is short: a caller got no block although fewer than `maximum` are lent.
  bool out_of_memory() noexcept {
    return awaited_.load(std::memory_order_relaxed) && receiving_ < maximum_ && !available_at_all();
  }
  /// nullptr if the caller may make references: it is the owner, or was the last one, or the pool
  /// has not had one yet; else why not, for the end of a sentence.
  const char* stray() const noexcept { return home_.here() ? nullptr : astray(); }

  void release(detail::Segment* segment) noexcept;
  detail::Segment* share(detail::Segment* segment) noexcept;

 private:
  ~Pool();
  detail::Block* take_block() noexcept;
  bool grow() noexcept;
  bool grow_segments() noexcept;
  void give_back(detail::Segment* segment) noexcept;
  void release_elsewhere(detail::Segment* segment) noexcept;
  bool collect_foreign() noexcept;
  bool available(std::size_t aside) noexcept;
  bool has_block(std::size_t aside) noexcept;
  bool on_owner() const noexcept;
  const char* astray() const noexcept;
  detail::Segment* refer(detail::Segment* segment) noexcept;

  const std::size_t block_size_;
  const std::size_t maximum_;
  Counters* counters_;
  detail::Block* free_blocks_ = nullptr;
  detail::Segment* free_segments_ = nullptr;
  std::size_t lent_ = 0;       // blocks that are not in the free list, as the owner's thread knows
  std::size_t receiving_ = 0;  // lent blocks that were taken to receive into
  std::size_t aside_ = 0;      // blocks that are kept back for now
  std::vector<void*> slabs_;
  std::vector<void*> segment_slabs_;
  const std::size_t stride_;
  const std::size_t lead_ = 0;  // bytes of a slab before its first block

  std::atomic<std::thread::id> owner_{};
  Home home_;  // of the last owner: the proactor's own ends before the pool does
  sys::Mutex mutex_;
  bool orphaned_ = false;  // under mutex_
  // blocks that other threads gave back; changed under mutex_
  std::atomic<detail::Segment*> foreign_{nullptr};
  std::atomic<bool> foreign_waiting_{false};
  std::atomic<bool> awaited_{false};  // the last take() or available() found no block
  BlockWaiter* waiter_ = nullptr;
};

}  // namespace v0
}  // namespace proa
