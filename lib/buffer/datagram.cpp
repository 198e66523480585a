// Reads from a block what belongs to a datagram besides its bytes: the sender's address and control
// messages.
#include "buffer/datagram.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <proa/buffer_side.hpp>

#include "buffer/pool.hpp"

namespace proa {

namespace {

const char* start_of(const detail::Segment* segment) noexcept { return segment->block->payload(); }

DatagramHeader header_of(const detail::Segment* segment) noexcept {
  DatagramHeader header;
  std::memcpy(&header, start_of(segment), sizeof header);
  return header;
}

}  // namespace

Address RecvDatagrams::source() const noexcept {
  const detail::Segment* const segment = BufferSide::segment(buffer_);
  if (!segment) return {};
  const std::size_t size = std::min<std::size_t>(header_of(segment).name_size, name_room);
  return Address::from_raw(start_of(segment) + sizeof(DatagramHeader), size);
}

DatagramInfo RecvDatagrams::info() const noexcept {
  DatagramInfo info;
  const detail::Segment* const segment = BufferSide::segment(buffer_);
  if (!segment) return info;
  const DatagramHeader header = header_of(segment);
  info.truncated = (header.flags & MSG_TRUNC) != 0;
  if (with_control_) {
    decode_control(start_of(segment) + sizeof(DatagramHeader) + name_room,
                   std::min<std::size_t>(header.control_size, control_room), info);
  }
  return info;
}

// The header tells the size of the whole datagram; the buffer shows only the bytes that the block
// holds.
void RecvDatagrams::set_buffer(Buffer filled) noexcept {
  detail::Segment* const segment = BufferSide::detach(filled);
  const std::size_t before = bytes_at(with_control_);
  const std::size_t held = segment->size > before ? segment->size - before : 0;
  segment->data += before;
  segment->size =
      static_cast<std::uint32_t>(std::min<std::size_t>(header_of(segment).payload_size, held));
  buffer_ = BufferSide::make(segment);
}

void RecvDatagrams::queue(Buffer filled) noexcept {
  detail::Segment* const segment = BufferSide::detach(filled);
  segment->next = nullptr;
  (last_ ? last_->next : first_) = segment;
  last_ = segment;
}

void RecvDatagrams::keep() noexcept {
  detail::Segment* const segment = BufferSide::detach(buffer_);
  if (!segment) return;
  const std::size_t before = bytes_at(with_control_);
  segment->data -= before;
  segment->size += static_cast<std::uint32_t>(before);
  queue(BufferSide::make(segment));
}

bool RecvDatagrams::take_queued() noexcept {
  buffer_.reset();
  detail::Segment* const segment = first_;
  if (!segment) return false;
  first_ = segment->next;
  if (!first_) last_ = nullptr;
  segment->next = nullptr;
  set_buffer(BufferSide::make(segment));
  return true;
}

void RecvDatagrams::drop_queued() noexcept {
  while (take_queued()) {
  }
}

}  // namespace proa
