// The bytes are a WriteQueue's, one write per datagram; where they go is kept beside them.
#include <new>
#include <proa/datagram_queue.hpp>

namespace proa {

// Room for one more target; the memory is kept (R10).
bool DatagramQueue::reserve() noexcept {
  if (count_ < ring_.size()) return true;
  std::vector<Target> larger;
  try {
    larger.resize(ring_.empty() ? 16 : ring_.size() * 2);
  } catch (const std::bad_alloc&) {
    return false;
  }
  for (std::size_t i = 0; i < count_; ++i) larger[i] = target(i);
  ring_.swap(larger);
  head_ = 0;
  return true;
}

void DatagramQueue::add(const Address& to, std::uint32_t segment, std::size_t bytes) noexcept {
  Target& target = ring_[(head_ + count_) & (ring_.size() - 1)];
  target.to = to;
  target.segment = segment;
  target.bytes = static_cast<std::uint32_t>(bytes);
  target.error = 0;
  target.cut = 0;
  target.lent = false;
  ++count_;
}

bool DatagramQueue::push(Buffer buffer, const Address& to, std::uint32_t segment) noexcept {
  if (!buffer || !reserve()) return false;
  const std::size_t bytes = buffer.size();
  bytes_.push(std::move(buffer));
  add(to, segment, bytes);
  return true;
}

bool DatagramQueue::push(Bytes bytes, const Address& to, std::uint32_t segment,
                         Pool& pool) noexcept {
  if (!reserve()) return false;
  if (!bytes_.push(&bytes, 1, pool)) {
    bytes_.drop_unfinished();
    return false;
  }
  add(to, segment, bytes.size);
  return true;
}

void DatagramQueue::fail_last(std::int32_t error) noexcept {
  ring_[(head_ + count_ - 1) & (ring_.size() - 1)].error = error;
}

void DatagramQueue::note_cut(std::size_t index, std::uint32_t bytes) noexcept {
  ring_[(head_ + index) & (ring_.size() - 1)].cut += bytes;
}

void DatagramQueue::pop() noexcept {
  bool ended = false;
  if (!target(0).lent) bytes_.consume(SIZE_MAX, ended);
  head_ = (head_ + 1) & (ring_.size() - 1);
  --count_;
}

void DatagramQueue::lend(std::size_t index, WriteQueue& to) noexcept {
  bytes_.move_front(to);
  ring_[(head_ + index) & (ring_.size() - 1)].lent = true;
}

void DatagramQueue::clear() noexcept {
  bytes_.clear();
  head_ = count_ = 0;
}

}  // namespace proa
