// The tables of `compare`.
#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "report.hpp"

namespace bench {
namespace {

constexpr int kRatioWidth = 34;

/// Four digits at least, none after the point where there are enough before it.
std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value >= 1000 ? "%.0f" : "%.4g", value);
  return text;
}

bool has_ratios(const Comparison& comparison) {
  return std::any_of(comparison.contestants.begin(), comparison.contestants.end(),
                     [](const Standing& one) { return one.ratio || !one.refused.empty(); });
}

/// `is_base` is of a contestant that others are compared to.
std::string ratio_of(const Standing& contestant, bool is_base) {
  if (!contestant.refused.empty()) return "refused: " + contestant.refused;
  if (!contestant.ratio) return is_base ? "1" : "-";
  const Ratio& ratio = *contestant.ratio;
  char text[64];
  std::snprintf(text, sizeof text, "%.3f +-%.3f [%.2f-%.2f]", ratio.median, 2 * ratio.error,
                ratio.min, ratio.max);
  return text;
}

std::vector<std::string> columns_of(const Comparison& comparison) {
  std::vector<std::string> columns;
  for (const auto& contestant : comparison.contestants) {
    for (const auto& detail : contestant.details) {
      const auto end = columns.end();
      if (std::find(columns.begin(), end, detail.first) == end) columns.push_back(detail.first);
    }
  }
  return columns;
}

std::string detail_of(const Standing& contestant, const std::string& column) {
  for (const auto& [name, value] : contestant.details) {
    if (name == column) return number(value);
  }
  return "-";
}

}  // namespace

void print(const Comparison& comparison) {
  std::printf("\n%s: %s; %s in %s, %s is better\n", comparison.group.c_str(),
              comparison.title.c_str(), comparison.quantity.c_str(), comparison.unit.c_str(),
              comparison.lower_is_better ? "lower" : "higher");
  if (!comparison.skipped.empty()) {
    std::printf("skipped: %s\n", comparison.skipped.c_str());
  } else {
    const auto columns = columns_of(comparison);
    const bool compared = has_ratios(comparison);
    std::printf("%-22s %6s %9s %9s %9s  %-*s %6s", "", "runs", "min", "median", "max", kRatioWidth,
                "ratio +-2 errors [min-max]", "errors");
    for (const auto& column : columns) std::printf("  %8s", column.c_str());
    std::printf("\n");
    for (const auto& contestant : comparison.contestants) {
      std::printf("%-22s %6" PRIu64 " %9s %9s %9s  %-*s %6" PRIu64, contestant.name.c_str(),
                  contestant.runs, number(contestant.min).c_str(),
                  number(contestant.median).c_str(), number(contestant.max).c_str(), kRatioWidth,
                  ratio_of(contestant, compared).c_str(), contestant.errors);
      for (const auto& column : columns) {
        std::printf("  %*s", std::max(8, static_cast<int>(column.size())),
                    detail_of(contestant, column).c_str());
      }
      std::printf("\n");
    }
  }
  if (!comparison.note.empty()) std::printf("%s\n", comparison.note.c_str());
  std::fflush(stdout);
}

}  // namespace bench
