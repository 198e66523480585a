// A WriteQueue holds the bytes, one write per datagram; a ring beside it holds the targets, and
// another one the sources, if there are any.
#include <new>
#include <proa/detail/datagram_queue.hpp>
#include <utility>

namespace proa {

// Makes room for one more target, and for its source if it has one. The queue keeps the memory when
// it is empty (R10).
bool DatagramQueue::reserve(bool with_source) noexcept {
  if (count_ < room_ && (!with_source || has_sources_)) return true;
  const bool has_sources = with_source || has_sources_;
  const std::uint32_t room = count_ < room_ ? room_ : room_ == 0 ? 16 : room_ * 2;
  std::unique_ptr<Target[]> larger(new (std::nothrow) Target[has_sources ? 2 * room : room]);
  if (!larger) return false;
  for (std::size_t i = 0; i < count_; ++i) {
    larger[i] = target(i);
    if (target(i).has_source) larger[room + i] = source_of(i);
  }
  ring_ = std::move(larger);
  room_ = room;
  head_ = 0;
  has_sources_ = has_sources;
  return true;
}

void DatagramQueue::add(const Route& route, std::size_t bytes) noexcept {
  Target& target = at(count_);
  target.to = route.to;
  target.segment = route.segment;
  target.bytes = static_cast<std::uint32_t>(bytes);
  target.error = 0;
  target.cut = 0;
  target.lent = false;
  target.has_source = route.from != nullptr;
  if (route.from) {
    source_of(count_).to = route.from->address;
    source_of(count_).segment = route.from->interface;
  }
  ++count_;
}

bool DatagramQueue::push(Buffer buffer, const Route& route) noexcept {
  if (!buffer || !reserve(route.from != nullptr)) return false;
  const std::size_t bytes = buffer.size();
  bytes_.push(std::move(buffer));
  add(route, bytes);
  return true;
}

bool DatagramQueue::push(Bytes bytes, const Route& route, Pool& pool) noexcept {
  if (!reserve(route.from != nullptr)) return false;
  if (!bytes_.push(&bytes, 1, pool)) {
    bytes_.drop_unfinished();
    return false;
  }
  add(route, bytes.size);
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
