#pragma once

// The line of operations for whose room no event comes: connects to a UNIX listener whose backlog
// is full, and datagrams to a UNIX receiver that is full. A backend tries a few of them each time a
// short delay has passed, so what they cost does not depend on how many wait (R8). Those that have
// waited longest come first. One that was tried in vain goes to the end, so that it does not keep
// those from their turn that wait for another receiver.

#include <chrono>
#include <cstddef>
#include <proa/system.hpp>
#include <proa/time.hpp>

#include "base/operation_list.hpp"

namespace proa {
inline namespace v0 {

class RetryLine {
 public:
  /// Puts an operation at the end.
  void add(Operation& operation, System& system) noexcept {
    if (line_.empty()) next_ = after(system.now(), delay);
    line_.push_back(operation);
  }
  /// Moves those whose turn it is at this time to the end of `due`.
  void take_due(TimePoint now, OperationList& due) noexcept {
    if (now < next()) return;
    for (std::size_t i = 0; i < most_tries && !line_.empty(); ++i) {
      due.push_back(*line_.pop_front());
    }
    next_ = after(now, delay);
  }
  /// When take_due() has some; never if nobody waits.
  TimePoint next() const noexcept { return line_.empty() ? never : next_; }
  /// All that wait.
  OperationList& waiting() noexcept { return line_; }

 private:
  static constexpr std::size_t most_tries = 16;
  static constexpr Duration delay = std::chrono::milliseconds(2);

  OperationList line_;
  TimePoint next_ = never;
};

}  // namespace v0
}  // namespace proa
