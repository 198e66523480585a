#pragma once

#include <cstdint>
#include <new>
#include <proa/file_handler.hpp>
#include <vector>

namespace proa {

/// First in, first out, in memory that is kept.
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
    try {
      // Half of it is behind: a queue that is never empty must not grow for ever.
      if (items_.size() == items_.capacity() && head_ > items_.size() / 2) {
        items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
      }
      items_.push_back(item);
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

 private:
  std::vector<Item> items_;
  std::size_t head_ = 0;
};

/// What a file's handler does between writes; made when first asked for. `behind` counts calls of
/// write(): the mark is reached when so many were told.
struct FileHandler::Marks {
  explicit Marks(FileHandler& handler) : request(handler) {}

  struct SyncMark {
    std::uint64_t behind;
    std::uint64_t calls;  // of sync(), with no write between
  };
  struct Move {
    std::uint64_t behind;
    std::uint64_t position;
  };

  /// Takes off the syncs that are behind no more than so many writes.
  void reach(std::uint64_t writes) noexcept {
    while (!syncs.empty() && syncs.front().behind <= writes) {
      reached += syncs.front().calls;
      syncs.pop();
    }
  }

  On<Sync, &FileHandler::sync_ended> request;
  MarkQueue<SyncMark> syncs;
  MarkQueue<Move> moves;
  std::uint64_t reached = 0;  // calls that the next request is for
  std::uint64_t covered = 0;  // calls that the request in flight is for
  std::uint64_t untold = 0;   // calls that are done
  bool failed = false;        // the request: none begins until that is told
};

}  // namespace proa
