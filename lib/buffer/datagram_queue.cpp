// A WriteQueue holds the bytes, one write per datagram; a ring beside it holds the targets.
#include <new>
#include <proa/detail/datagram_queue.hpp>
#include <utility>

namespace proa {

// Makes room for one more target. The queue keeps the memory when it is empty (R10).
bool DatagramQueue::reserve() noexcept {
  if (count_ < room_) return true;
  const std::uint32_t room = room_ == 0 ? 16 : room_ * 2;
  std::unique_ptr<Target[]> larger(new (std::nothrow) Target[room]);
  if (!larger) return false;
  for (std::size_t i = 0; i < count_; ++i) larger[i] = target(i);
  ring_ = std::move(larger);
  room_ = room;
  head_ = 0;
  return true;
}

void DatagramQueue::add(const Address& to, std::uint32_t segment, std::size_t bytes) noexcept {
  Target& target = at(count_);
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
  ++failed_;
  at(count_ - 1).error = error;
}

void DatagramQueue::note_cut(std::size_t index, std::uint32_t bytes) noexcept {
  at(index).cut += bytes;
}

void DatagramQueue::pop() noexcept {
  bool ended = false;
  if (!target(0).lent) bytes_.consume(SIZE_MAX, ended);
  if (target(0).error != 0) --failed_;
  head_ = (head_ + 1) & (room_ - 1);
  --count_;
}

void DatagramQueue::lend(std::size_t index, WriteQueue& to) noexcept {
  bytes_.move_front(to);
  at(index).lent = true;
}

void DatagramQueue::clear() noexcept {
  bytes_.clear();
  head_ = count_ = failed_ = 0;
}

}  // namespace proa
