// Prints to stdout what measure() found. The exit statuses grow with what they mean for the
// numbers.
#include "paired_report.hpp"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>

namespace bench {
namespace {

/// The ratios of the second instance of the first contender, which is the last row.
bool passes_self_check(const Measurement& measurement, const Plan& plan,
                       const PairedComparison& comparison) {
  const Row& again = measurement.rows.back();
  const Quartiles& counts = plan.throughput_counts ? again.throughput_ratio : again.cpu_ratio;
  const bool ok = std::abs(counts.median - 1) <= comparison.tolerance;
  std::printf("self-check %s %s: %.3f", again.name.c_str(), comparison.what.c_str(), counts.median);
  if (plan.throughput_counts) {
    std::printf(" of %s/s (%.3f of CPU)", comparison.units.many, again.cpu_ratio.median);
  }
  if (ok) {
    std::printf(": ok\n");
  } else {
    std::printf(": failed, should be 1.00 within %.2f\n", comparison.tolerance);
  }
  std::fflush(stdout);
  return ok;
}

bool measure_until_believable(const std::vector<Contender>& contenders, const Plan& plan,
                              const PairedComparison& comparison, Measurement& measurement) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto load = comparison.make_load();
    measurement = measure(contenders, plan, *load);
    if (passes_self_check(measurement, plan, comparison)) return true;
  }
  std::printf("The numbers for %s are not to be believed: something disturbs this machine.\n",
              comparison.what.c_str());
  return false;
}

std::string text(const Quartiles& ratio) {
  if (ratio.low == 1 && ratio.high == 1) return "1";  // the first, to itself
  char line[64];
  std::snprintf(line, sizeof line, "%.3f +-%.3f [%.3f-%.3f]", ratio.median, 2 * ratio.error,
                ratio.low, ratio.high);
  return line;
}

std::string text(double system_calls) {
  char line[32];
  std::snprintf(line, sizeof line, "%.2f", system_calls);
  return line;
}

void print(const Row& row, const PairedComparison& comparison, bool counted) {
  std::printf("%7zu  %-24s %12.0f  %-27s %12.0f  %-27s %10s", comparison.peers, row.name.c_str(),
              row.cpu_ns, text(row.cpu_ratio).c_str(), row.qps, text(row.throughput_ratio).c_str(),
              counted ? text(row.system_calls).c_str() : "-");
  if (comparison.units.can_be_lost) std::printf(" %7" PRIu64, row.lost);
  std::printf(" %7" PRIu64 "\n", row.errors);
}

}  // namespace

void print_header(const Units& units) {
  const std::string one = units.one;
  std::printf("ratios to the first: median +- 2 standard errors [quartiles of the rounds]\n");
  std::printf("%7s  %-24s %12s  %-27s %12s  %-27s %10s%s %7s\n", units.peers, "server",
              ("CPU ns/" + one).c_str(), "ratio", (std::string(units.many) + "/s").c_str(), "ratio",
              ("calls/" + one).c_str(), units.can_be_lost ? "    lost" : "", "errors");
}

int measure_and_print(std::vector<Contender> contenders, const Plan& plan,
                      const PairedComparison& comparison) {
  contenders.push_back(contenders.front());
  Measurement measurement;
  const bool believable = measure_until_believable(contenders, plan, comparison, measurement);
  const bool failed = std::any_of(measurement.rows.begin(), measurement.rows.end(),
                                  [](const Row& row) { return row.errors > 0; });
  measurement.rows.pop_back();
  for (const Row& row : measurement.rows) {
    print(row, comparison, measurement.not_counted.empty());
  }
  if (!measurement.not_counted.empty()) {
    std::printf("system calls: not counted: %s\n", measurement.not_counted.c_str());
  }
  std::fflush(stdout);
  if (!believable) return kNotBelievable;
  return failed ? kFailed : kFine;
}

}  // namespace bench
