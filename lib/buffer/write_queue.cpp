// The chain of segments that are to be sent. The queue counts a block's capacity at the block's
// last segment in the chain, because the block is free once that segment has gone.
#include <algorithm>
#include <cstring>
#include <new>
#include <proa/buffer_side.hpp>
#include <proa/detail/write_queue.hpp>

#include "buffer/pool.hpp"

namespace proa {

using detail::Block;
using detail::FileSegment;
using detail::Segment;

WriteQueue::~WriteQueue() {
  clear();
  while (spare_) delete take_spare();
}

FileSegment* WriteQueue::take_spare() noexcept {
  FileSegment* const segment = spare_;
  if (!segment) return nullptr;
  spare_ = static_cast<FileSegment*>(segment->next);
  --spares_;
  return segment;
}

void WriteQueue::let_go(Segment* segment) noexcept {
  if (FileSegment* const file = file_of(segment)) {
    if (spares_ == most_spare) {
      delete file;
      return;
    }
    file->next = std::exchange(spare_, file);
    ++spares_;
  } else {
    detail::release(segment);
  }
}

void WriteQueue::link(Segment* segment) noexcept {
  segment->next = nullptr;
  segment->holds_block = true;
  if (last_ && last_->block == segment->block && last_->holds_block) {
    last_->holds_block = false;
  } else {
    capacity_ += segment->block->capacity;
  }
  (last_ ? last_->next : first_) = segment;
  last_ = segment;
  size_ += segment->size;
}

void WriteQueue::unlink_first() noexcept {
  Segment* const segment = first_;
  first_ = segment->next;
  if (!first_) last_ = nullptr;
  if (segment->holds_block) capacity_ -= segment->block->capacity;
  segment->next = nullptr;
}

// Whether the queue may make further segments in the last one's block. It may not if the block
// belongs to a proactor on another thread.
bool WriteQueue::extensible() const noexcept {
  return last_ && last_is_ours_ && !last_->block->pool->stray();
}

// How many bytes the last segment's block has room for behind that segment.
std::size_t WriteQueue::room() const noexcept {
  if (!extensible()) return 0;
  const char* const end = last_->data + last_->size;
  return static_cast<std::size_t>(last_->block->payload() + last_->block->capacity - end);
}

std::size_t WriteQueue::growth(std::size_t bytes, const Pool& pool) const noexcept {
  const std::size_t held = room();
  if (bytes <= held && extensible()) return 0;
  const std::size_t block = pool.block_capacity();
  return (std::max<std::size_t>(bytes - std::min(bytes, held), 1) + block - 1) / block * block;
}

// Makes a segment in the room behind the last one and copies into it as many bytes as fit; nullptr
// if there is no room.
Segment* WriteQueue::append_to_last(Bytes bytes, std::size_t& taken) noexcept {
  taken = std::min(room(), bytes.size);
  if (!extensible() || (taken == 0 && bytes.size > 0)) return nullptr;
  Segment* const segment = detail::share(last_);
  if (!segment) return nullptr;
  segment->data = last_->data + last_->size;
  segment->size = static_cast<std::uint32_t>(taken);
  if (taken > 0) std::memcpy(segment->data, bytes.data, taken);
  return segment;
}

void WriteQueue::push(Buffer buffer, bool ends_write) noexcept {
  if (!buffer) return;
  Segment* segment = nullptr;
  if (buffer.size() < buffer.capacity() / 4 && room() >= buffer.size()) {
    std::size_t taken = 0;
    segment = append_to_last(buffer.bytes(), taken);
  }
  if (!segment) {
    segment = BufferSide::detach(buffer);
    last_is_ours_ = segment->block->references.load(std::memory_order_acquire) == 1;
  }
  segment->ends_write = ends_write;
  link(segment);
}

bool WriteQueue::end_write(Pool& pool) noexcept {
  if (!last_ || last_->ends_write) return push(nullptr, 0, pool);
  last_->ends_write = true;
  return true;
}

bool WriteQueue::copy(Bytes bytes, Pool& pool) noexcept {
  do {
    std::size_t taken = 0;
    Segment* segment = append_to_last(bytes, taken);
    if (!segment) {
      Buffer block = pool.take_for_writing();
      if (!block) return false;
      taken = block.append(bytes);
      segment = BufferSide::detach(block);
      last_is_ours_ = true;
    }
    link(segment);
    bytes = {static_cast<const char*>(bytes.data) + taken, bytes.size - taken};
  } while (bytes.size > 0);
  return true;
}

bool WriteQueue::push(const Bytes* pieces, std::size_t count, Pool& pool) noexcept {
  const Segment* const before = last_;
  for (std::size_t i = 0; i < count; ++i) {
    if (pieces[i].size > 0 && !copy(pieces[i], pool)) return false;
  }
  // A write of no bytes has its place in the order too.
  if (last_ == before && !copy({}, pool)) return false;
  last_->ends_write = true;
  return true;
}

bool WriteQueue::push(Descriptor file, std::uint64_t offset, std::uint64_t length) noexcept {
  FileSegment* const segment = spare_ ? take_spare() : new (std::nothrow) FileSegment;
  if (!segment) return false;
  static_cast<Segment&>(*segment) = Segment{};
  segment->ends_write = true;
  segment->file = file;
  segment->offset = offset;
  segment->left = length;
  (last_ ? last_->next : first_) = segment;
  last_ = segment;
  last_is_ours_ = false;  // a file segment has no block to fill
  size_ += length;
  return true;
}

void WriteQueue::push_front(Buffer buffer) noexcept {
  if (!buffer) return;
  if (!first_) return push(std::move(buffer));
  Segment* const segment = BufferSide::detach(buffer);
  segment->ends_write = true;
  segment->holds_block = first_->block != segment->block;
  if (segment->holds_block) capacity_ += segment->block->capacity;
  segment->next = first_;
  first_ = segment;
  size_ += segment->size;
}

std::size_t WriteQueue::consume(std::size_t bytes, bool& write_ended) noexcept {
  write_ended = false;
  std::size_t consumed = 0;
  while (first_ && !write_ended) {
    if (FileSegment* const file = file_of(first_)) {
      const std::size_t part = std::min<std::uint64_t>(bytes - consumed, file->left);
      file->offset += part;
      file->left -= part;
      consumed += part;
      if (file->left > 0) break;
    } else {
      const std::size_t part = std::min<std::size_t>(bytes - consumed, first_->size);
      first_->data += part;
      first_->size -= static_cast<std::uint32_t>(part);
      consumed += part;
      if (first_->size > 0) break;
    }
    write_ended = first_->ends_write;
    Segment* const done = first_;
    unlink_first();
    let_go(done);
  }
  size_ -= consumed;
  return consumed;
}

void WriteQueue::advance_file(std::uint64_t bytes) noexcept {
  FileSegment* const file = file_of(first_);
  file->offset += bytes;
  file->left -= bytes;
  size_ -= bytes;
}

void WriteQueue::clear() noexcept {
  while (first_) {
    Segment* const segment = first_;
    unlink_first();
    let_go(segment);
  }
  size_ = 0;
}

void WriteQueue::move_front(WriteQueue& to) noexcept {
  for (bool ended = false; first_ && !ended;) {
    Segment* const segment = first_;
    ended = segment->ends_write;
    size_ -= segment->size;
    unlink_first();
    to.link(segment);
    to.last_is_ours_ = false;
  }
}

void WriteQueue::drop_unfinished() noexcept {
  Segment* end = nullptr;
  for (Segment* s = first_; s; s = s->next) {
    if (s->ends_write) end = s;
  }
  Segment* cut = end ? end->next : first_;
  while (cut) {
    Segment* const next = cut->next;
    if (cut->holds_block) capacity_ -= cut->block->capacity;
    size_ -= cut->size;
    // The segment before it in the same block passed the block's count on to this one, and gets it
    // back.
    if (end && cut->holds_block && end->block == cut->block && !end->holds_block) {
      end->holds_block = true;
      capacity_ += end->block->capacity;
    }
    detail::release(cut);
    cut = next;
  }
  if (end) end->next = nullptr;
  if (!end) first_ = nullptr;
  last_ = end;
  last_is_ours_ = false;  // the last block may be shared
}

void WriteQueue::forget() noexcept {
  first_ = last_ = nullptr;
  size_ = capacity_ = 0;
}

Buffer WriteQueue::pop() noexcept {
  Segment* const segment = first_;
  if (!segment) return {};
  size_ -= segment->size;
  unlink_first();
  return BufferSide::make(segment);
}

}  // namespace proa
