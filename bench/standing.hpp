// From what was measured in turns to how the contestants stand, with ratios that mean something.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "contender.hpp"
#include "report.hpp"

namespace bench {

/// What one contestant came to, turn by turn, in the quantity's unit.
struct Samples {
  Contender contender;
  std::vector<double> values;
  std::uint64_t errors = 0;
  std::vector<std::pair<std::string, double>> details;
};

/// A ratio whose doubled standard error is above this part of it is refused, as is one of a single
/// turn.
constexpr double kWorthless = 0.1;

/// The ratio of each to the first is taken turn by turn: all have as many. `disturbed` says why no
/// ratio is to be believed, if so.
std::vector<Standing> stand(const std::vector<Samples>& all, const std::string& disturbed = {});

/// What the second instance of the first contender, the last one, says against the numbers: for
/// `disturbed`. Nothing if its ratio is 1 within the tolerance.
std::string complaint(const std::vector<Samples>& all, double tolerance);

/// Drops the second instance of the first contender. Its errors become errors of the first.
void drop_second_instance(std::vector<Samples>& all);

/// The exit status that this comparison makes: kFailed after errors, kNoise if a ratio is refused.
int judge(const Comparison& comparison);

}  // namespace bench
