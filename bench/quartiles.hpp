// The middle of many noisy ratios, and how far it can be trusted.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace bench {

struct Quartiles {
  double low = 0;
  double median = 0;
  double high = 0;
  double error = 0;  ///< standard error of the median, estimated from the quartiles
};

/// All 0 without values.
inline Quartiles quartiles(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](double part) {
    const double place = part * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (place - std::floor(place)) * (values[above] - values[below]);
  };
  Quartiles result{at(0.25), at(0.5), at(0.75), 0};
  // For a normal distribution the quartiles are 1.349 deviations apart, and the median's deviation
  // is 1.253 / sqrt(n).
  result.error =
      1.253 / 1.349 * (result.high - result.low) / std::sqrt(static_cast<double>(values.size()));
  return result;
}

}  // namespace bench
