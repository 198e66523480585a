#pragma once

// Sources of finished work, asked in turn (R8). Each has its share by what its results cost: a
// source that has given an expensive one is passed over until the others have given as much, or
// have nothing. So none of them can keep the others from theirs, however much it has.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <proa/backend_side.hpp>
#include <proa/operation.hpp>

#include "base/operation_table.hpp"

namespace proa {
inline namespace v0 {

/// What the result of an operation takes of a share, or of a round's budget, in callbacks: those
/// that the table of operations says, and as many more as moving its bytes takes the time of.
inline std::size_t cost(const Operation& operation) noexcept {
  const OperationTraits& traits = traits_of(operation);
  return traits.callbacks + (BackendSide::moved(operation) >> traits.moved_shift) +
         BackendSide::extra_cost(operation);
}

/// What a source had when it was asked.
struct Step {
  Operation* finished = nullptr;
  bool worked = false;  // without a result so far; another source may have one by that
  bool rests = false;   // has had a share of work that gives no result, and has more to do

  static Step nothing() noexcept { return {}; }
  static Step work(Operation* finished) noexcept { return {finished, true}; }
  static Step rest() noexcept { return {nullptr, true, true}; }
};

template <std::size_t sources>
class Rotation {
 public:
  /// Asks `ask(index)` of one source after the other, until one of them gives a finished operation;
  /// nullptr when all of them in a row have nothing, or when one rests: then whatever else a round
  /// of the loop has goes first. Begins behind the source that was asked last.
  template <class Ask>
  Operation* next(Ask ask) noexcept {
    for (;;) {
      std::size_t least = none;
      for (std::size_t idle = 0; idle < sources;) {
        turn_ = turn_ + 1 < sources ? turn_ + 1 : 0;
        std::size_t& owed = owed_[turn_];
        if (owed > 0) {
          least = std::min(least, --owed);
          ++idle;
          continue;
        }
        const Step step = ask(turn_);
        if (step.rests) return nullptr;
        if (step.finished) {
          owed = std::min(cost(*step.finished), most_owed) - 1;
          return step.finished;
        }
        idle = step.worked ? 0 : idle + 1;
      }
      if (least == none) return nullptr;
      // The others have nothing: the first of those that were passed over go on at once.
      for (std::size_t& owed : owed_) owed -= std::min(owed, least);
    }
  }

  /// What the last source gave has cost so much more than it said.
  void charge(std::size_t more) noexcept {
    owed_[turn_] = std::min(owed_[turn_] + more, most_owed);
  }

  /// The caller has asked this source by itself: next() begins behind it.
  void asked(std::size_t source) noexcept { turn_ = source; }

 private:
  static constexpr std::size_t none = SIZE_MAX;
  // The kernel or a worker may have moved gigabytes for one result; that took no time of the loop.
  static constexpr std::size_t most_owed = 64;

  std::size_t turn_ = 0;
  std::array<std::size_t, sources> owed_{};  // turns to be passed over
};

}  // namespace v0
}  // namespace proa
