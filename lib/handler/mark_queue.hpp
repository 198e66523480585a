#pragma once

#include <cstddef>
#include <vector>

#include "base/memory.hpp"

namespace proa {
inline namespace v0 {

/// A first-in, first-out queue that keeps its memory.
template <class Item>
class MarkQueue {
 public:
  bool empty() const noexcept { return head_ == items_.size(); }
  Item& front() noexcept { return items_[head_]; }
  Item& back() noexcept { return items_.back(); }
  void pop() noexcept {
    if (++head_ == items_.size()) clear();
  }
  void clear() noexcept {
    items_.clear();
    head_ = 0;
  }
  /// False if memory is short.
  bool push(const Item& item) noexcept {
    return with_memory([&] {
      // Half of the items have been taken: drops them, because a queue that is never empty must not
      // grow for ever.
      if (items_.size() == items_.capacity() && head_ > items_.size() / 2) {
        items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
      }
      items_.push_back(item);
    });
  }

 private:
  std::vector<Item> items_;
  std::size_t head_ = 0;
};

}  // namespace v0
}  // namespace proa
