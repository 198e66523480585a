// The timer heap; four children per node, because a sift then touches half as many cache lines as
// with two. Upholds R7 (order of equal deadlines) and R10 (the array only grows).
#include "proactor/timers.hpp"

#include <algorithm>

#include "base/memory.hpp"

namespace proa {

namespace {
constexpr std::size_t arity = 4;
}

void Timers::put(std::size_t index, const Entry& entry) noexcept {
  heap_[index] = entry;
  *entry.place = static_cast<std::uint32_t>(index);
}

void Timers::sift_up(std::size_t index, const Entry& entry) noexcept {
  while (index > 0) {
    const std::size_t parent = (index - 1) / arity;
    if (!entry.before(heap_[parent])) break;
    put(index, heap_[parent]);
    index = parent;
  }
  put(index, entry);
}

void Timers::sift_down(std::size_t index, const Entry& entry) noexcept {
  const std::size_t size = heap_.size();
  for (;;) {
    const std::size_t first = index * arity + 1;
    if (first >= size) break;
    const std::size_t last = std::min(first + arity, size);
    std::size_t least = first;
    for (std::size_t child = first + 1; child < last; ++child) {
      if (heap_[child].before(heap_[least])) least = child;
    }
    if (!heap_[least].before(entry)) break;
    put(index, heap_[least]);
    index = least;
  }
  put(index, entry);
}

bool Timers::add(Operation& operation, std::uint32_t& place, TimePoint deadline) noexcept {
  const Entry entry{deadline, sequence_, &operation, &place};
  if (!with_memory([&] { heap_.push_back(entry); })) return false;
  ++sequence_;
  sift_up(heap_.size() - 1, entry);
  return true;
}

void Timers::remove(std::uint32_t& place) noexcept {
  const std::size_t index = place;
  place = none;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (index == heap_.size()) return;
  if (index > 0 && last.before(heap_[(index - 1) / arity])) {
    sift_up(index, last);
  } else {
    sift_down(index, last);
  }
}

Operation* Timers::due(TimePoint now, std::uint64_t before) const noexcept {
  if (heap_.empty() || heap_.front().deadline > now || heap_.front().sequence >= before) {
    return nullptr;
  }
  return heap_.front().operation;
}

}  // namespace proa
