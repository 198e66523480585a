#pragma once

// Timers and deadlines: a four-ary heap in an array. Each operation knows its place in it, so
// arming, re-arming and cancelling cost a few moves; a sequence number keeps equal deadlines in the
// order they were armed (R7).

#include <cstddef>
#include <cstdint>
#include <proa/operation.hpp>
#include <proa/time.hpp>
#include <vector>

namespace proa {
inline namespace v0 {

class Timers {
 public:
  /// False if memory is short. `place` (in the operation) must be free.
  bool add(Operation& operation, std::uint32_t& place, TimePoint deadline) noexcept;
  void remove(std::uint32_t& place) noexcept;
  /// The first one due at `now`, still in the heap, or nullptr. Only those that were armed before
  /// `sequence` (a mark() taken earlier) count: one that re-arms itself for "now" waits for the
  /// next round.
  Operation* due(TimePoint now, std::uint64_t before) const noexcept;
  std::uint64_t mark() const noexcept { return sequence_; }
  TimePoint next() const noexcept { return heap_.empty() ? never : heap_.front().deadline; }
  bool empty() const noexcept { return heap_.empty(); }
  TimePoint deadline(std::uint32_t place) const noexcept { return heap_[place].deadline; }

  /// Visits from the back, so that removing the one visited is fine; others may be missed then.
  template <class Visit>
  void each(Visit visit) {
    for (std::size_t i = heap_.size(); i-- > 0;) {
      if (i < heap_.size()) visit(*heap_[i].operation);
    }
  }

  static constexpr std::uint32_t none = 0xffffffff;

 private:
  struct Entry {
    TimePoint deadline;
    std::uint64_t sequence;
    Operation* operation;
    std::uint32_t* place;

    bool before(const Entry& other) const noexcept {
      return deadline != other.deadline ? deadline < other.deadline : sequence < other.sequence;
    }
  };
  void put(std::size_t index, const Entry& entry) noexcept;
  void sift_up(std::size_t index, const Entry& entry) noexcept;
  void sift_down(std::size_t index, const Entry& entry) noexcept;

  std::vector<Entry> heap_;
  std::uint64_t sequence_ = 0;
};

}  // namespace v0
}  // namespace proa
