#pragma once

// Sources of finished work, asked in turn (R8). A source that has just given something is asked
// again only after all others were, so none of them can keep the others from theirs, however much
// it has.

#include <cstddef>
#include <proa/operation.hpp>

namespace proa {

/// What a source had when it was asked.
struct Step {
  Operation* finished = nullptr;
  bool worked = false;  // without a result so far; another source may have one by that

  static Step nothing() noexcept { return {}; }
  static Step work(Operation* finished) noexcept { return {finished, true}; }
};

template <std::size_t sources>
class Rotation {
 public:
  /// Asks `ask(index)` of one source after the other, until one of them gives a finished operation;
  /// nullptr when all of them in a row have nothing. Begins behind the source that was asked last.
  template <class Ask>
  Operation* next(Ask ask) noexcept {
    for (std::size_t idle = 0; idle < sources;) {
      turn_ = turn_ + 1 < sources ? turn_ + 1 : 0;
      const Step step = ask(turn_);
      if (step.finished) return step.finished;
      idle = step.worked ? 0 : idle + 1;
    }
    return nullptr;
  }

 private:
  std::size_t turn_ = 0;
};

}  // namespace proa
