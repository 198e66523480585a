#pragma once

// The pool of blocks behind Buffer. One thread, the proactor's, takes and gives back without locks;
// other threads give back through a mutex (R9). The pool outlives its proactor until the last block
// has come home.

#include <atomic>
#include <cstddef>
#include <mutex>
#include <proa/backend.hpp>
#include <proa/buffer.hpp>
#include <proa/counters.hpp>
#include <thread>
#include <vector>

namespace proa {

class Pool;

namespace detail {
/// Stands at the start of its memory; the payload follows. Blocks are never moved.
struct Block {
  Segment own;  // the first reference; shared ones are segments of the pool's
  Pool* pool = nullptr;
  Block* next_free = nullptr;
  std::atomic<std::uint32_t> references{0};
  std::uint32_t capacity = 0;
  bool for_receiving = false;  // counts against the maximum

  char* payload() noexcept { return reinterpret_cast<char*>(this) + header_size; }
  static constexpr std::size_t header_size = 128;
};
static_assert(sizeof(Block) <= Block::header_size);
}  // namespace detail

class Pool final : public BufferSource {
 public:
  /// `block_size` includes the header; `maximum` counts blocks taken to receive into only: a write
  /// never waits for a block that only reading would free, nor does a slow reader's queue keep
  /// others from receiving.
  Pool(std::size_t block_size, std::size_t maximum, Counters& counters) noexcept;
  /// For direct I/O: payloads begin at whole pages and are whole pages, of block_size bytes or
  /// more.
  struct Paged {};
  Pool(Paged, std::size_t block_size, std::size_t maximum, Counters& counters) noexcept;

  Buffer take() noexcept override;
  /// If not, the caller is taken to wait for a block: another thread that gives one back wakes the
  /// loop.
  bool available() noexcept override { return available(aside_); }
  /// Of the blocks that come back, so many are not lent until this is called again: another line
  /// than that of the caller's receives has its turn (R8).
  void set_aside(std::size_t blocks) noexcept { aside_ = blocks; }
  /// The same, with what is set aside.
  bool available_at_all() noexcept { return available(0); }
  void fill(Buffer& buffer, std::size_t size) noexcept override;
  /// A block to copy into, beyond `maximum` too; empty if memory is short.
  Buffer take_for_writing() noexcept;
  /// A received buffer is queued to be sent: from here on its stream's watermarks bound it.
  void turn_to_writing(Buffer& buffer) noexcept;
  std::size_t block_capacity() const noexcept { return block_size_ - detail::Block::header_size; }

  /// Without an owner, before the first run and after the shutdown, all blocks come back through
  /// the mutex.
  void bind(std::thread::id owner) noexcept { owner_.store(owner, std::memory_order_relaxed); }
  /// Who is woken when another thread gives back a block that was waited for.
  void set_backend(Backend* backend) noexcept {
    const std::lock_guard lock(mutex_);
    backend_ = backend;
  }
  /// Called by the proactor instead of deleting the pool: it deletes itself when nothing is lent
  /// any more.
  void orphan() noexcept;
  /// Before that in a child of fork(2), where a thread that held the mutex does not exist.
  void disown() noexcept;

  /// Somebody was told that there is no block though fewer than `maximum` are lent: memory is
  /// short.
  bool out_of_memory() noexcept {
    return awaited_.load(std::memory_order_relaxed) && receiving_ < maximum_ && !available_at_all();
  }
  /// Whether this thread may take references: it is the owner, or there is none yet.
  bool may_share() const noexcept;

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

  const std::size_t block_size_;
  const std::size_t maximum_;
  Counters* counters_;
  detail::Block* free_blocks_ = nullptr;
  detail::Segment* free_segments_ = nullptr;
  std::size_t lent_ = 0;       // blocks out of the free list, the owner's view
  std::size_t receiving_ = 0;  // those of them that were taken to receive into
  std::size_t aside_ = 0;      // those that are not lent for now
  std::vector<void*> slabs_;
  std::vector<void*> segment_slabs_;
  const std::size_t stride_;
  const std::size_t lead_ = 0;  // in a slab, before the first block

  std::atomic<std::thread::id> owner_{};
  std::mutex mutex_;
  bool orphaned_ = false;               // under mutex_
  detail::Segment* foreign_ = nullptr;  // given back by other threads; under mutex_
  std::atomic<bool> foreign_waiting_{false};
  std::atomic<bool> awaited_{false};  // what take() or available() said last was "none"
  Backend* backend_ = nullptr;
};

}  // namespace proa
