#include "paired_report.hpp"

#include <cmath>
#include <cstdio>

namespace bench {
namespace {

/// What the second instance of the first contender, the last one, says against the numbers.
/// Nothing if it is as it should be.
std::string complaint(const std::vector<Samples>& samples, double tolerance) {
  const Standing again = stand({samples.front(), samples.back()}).back();
  char text[96];
  if (again.ratio) {
    if (std::abs(again.ratio->median - 1) <= tolerance) return {};
    std::snprintf(text, sizeof text, "the first against itself is %.3f", again.ratio->median);
  } else {
    std::snprintf(text, sizeof text, "the first against itself: %s", again.refused.c_str());
  }
  return text;
}

}  // namespace

int measure_and_report(std::vector<Contender> contenders, Plan plan, PairedComparison comparison,
                       Report& report) {
  plan.title = comparison.what.group + ": " + comparison.what.title;
  comparison.what.quantity = plan.throughput_counts ? comparison.units.many + " per second"
                                                    : "CPU per " + comparison.units.one;
  comparison.what.unit = plan.throughput_counts ? "1/s" : "us";
  comparison.what.lower_is_better = !plan.throughput_counts;
  contenders.push_back(contenders.front());
  Measurement measurement;
  std::string disturbed;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto load = comparison.make_load();
    measurement = measure(contenders, plan, comparison.units, *load);
    disturbed = complaint(measurement.samples, comparison.tolerance);
    if (disturbed.empty()) break;
  }
  measurement.samples.pop_back();
  comparison.what.contestants = stand(measurement.samples, disturbed);
  if (!measurement.not_counted.empty()) {
    comparison.what.note = "system calls were not counted: " + measurement.not_counted;
  }
  report.add(comparison.what);
  return judge(comparison.what);
}

}  // namespace bench
