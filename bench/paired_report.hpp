// What comparisons of servers in turns share: the self-check without which they mean nothing, and
// the way into the report.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "compare.hpp"
#include "load.hpp"
#include "measure.hpp"

namespace bench {

struct PairedComparison {
  Comparison what;  ///< without contestants, quantity and unit
  Units units{};
  /// How far the first server may be from itself.
  double tolerance = 0.02;
  std::function<std::unique_ptr<Load>()> make_load;  ///< std::system_error: not on this system
};

/// Says how many of them follow, for the line of progress.
void expect_comparisons(std::size_t count, const Plan& plan);

/// Measures all of them in turns, and reports. The first also runs a second time, as one more in
/// every round: if that one does not come out at 1.00, everything is measured once more; if it
/// fails again, all ratios are refused. A load that cannot be made here is skipped, and what fails
/// is reported as failed. Returns the exit status.
int measure_and_report(std::vector<Contender> contenders, Plan plan, PairedComparison comparison,
                       Report& report);

}  // namespace bench
