// compare tcp: CPU time, throughput and system calls per request of echo servers. The first of a
// group also runs a second time, as one more contender in every round: if that one does not come
// out at 1.00, neither do the others mean anything.
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <string>

#include "compare.hpp"

namespace bench {
namespace {

constexpr double kTolerance = 0.02;

/// The ratio of the second instance of the first contender; it is the last row.
bool passes_self_check(const Measurement& measurement, std::size_t connections) {
  const Quartiles ratio = measurement.rows.back().cpu_ratio;
  const bool ok = std::abs(ratio.median - 1) <= kTolerance;
  std::printf("self-check %s %zu connections: %.3f: %s\n", measurement.rows.front().name.c_str(),
              connections, ratio.median, ok ? "ok" : "failed, should be 1.00 within 0.02");
  std::fflush(stdout);
  return ok;
}

void print_header(const Plan& plan, std::size_t group_size) {
  std::printf("\nservers: %zu, requests of %zu bytes, turns of %.0f ms\n", group_size, plan.size,
              static_cast<double>(plan.slice.count()) / 1e6);
  std::printf("ratios to the first: median +- 2 standard errors [quartiles of the rounds]\n");
  std::printf("%6s  %-24s %12s  %-27s %12s  %-27s %9s %7s\n", "conns", "server", "CPU ns/req",
              "ratio", "requests/s", "ratio", "calls/req", "errors");
}

std::string text(const Quartiles& ratio) {
  if (ratio.low == ratio.high) return "1";  // the first, to itself
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

void print(const Row& row, std::size_t connections, bool counted) {
  std::printf("%6zu  %-24s %12.0f  %-27s %12.0f  %-27s %9s %7" PRIu64 "\n", connections,
              row.name.c_str(), row.cpu_ns, text(row.cpu_ratio).c_str(), row.qps,
              text(row.throughput_ratio).c_str(), counted ? text(row.system_calls).c_str() : "-",
              row.errors);
}

/// Measures, and once more when the self-check fails. Returns whether it passed in the end.
bool measure_until_believable(const std::vector<Contender>& contenders, const Plan& plan,
                              Measurement& measurement) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    measurement = measure(contenders, plan);
    if (passes_self_check(measurement, plan.connections)) return true;
  }
  std::printf(
      "The numbers for %zu connections are not to be believed: something disturbs this machine.\n",
      plan.connections);
  return false;
}

}  // namespace

int compare_tcp(const std::vector<std::vector<Contender>>& groups,
                const std::vector<std::size_t>& counts, Plan plan) {
  int status = kFine;
  for (auto contenders : groups) {
    print_header(plan, contenders.size());
    contenders.push_back(contenders.front());
    for (const std::size_t count : counts) {
      plan.connections = count;
      Measurement measurement;
      const bool believable = measure_until_believable(contenders, plan, measurement);
      if (!believable) status = kNotBelievable;
      for (const Row& row : measurement.rows) {
        if (row.errors > 0 && status == kFine) status = kFailed;
      }
      measurement.rows.pop_back();
      for (const Row& row : measurement.rows) print(row, count, measurement.not_counted.empty());
      if (!measurement.not_counted.empty()) {
        std::printf("system calls: not counted: %s\n", measurement.not_counted.c_str());
      }
      std::fflush(stdout);
    }
  }
  return status;
}

}  // namespace bench
