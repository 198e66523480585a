#include "standing.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "compare.hpp"
#include "quartiles.hpp"

namespace bench {
namespace {

std::vector<double> ratios_of(const Samples& samples, const Samples& first) {
  std::vector<double> ratios;
  for (std::size_t turn = 0; turn < samples.values.size(); ++turn) {
    ratios.push_back(samples.values[turn] / first.values.at(turn));
  }
  return ratios;
}

void compare_to(const Samples& first, const Samples& samples, Standing& standing) {
  if (samples.values.size() < 2) {
    standing.refused = "one turn says nothing of the spread";
    return;
  }
  const std::vector<double> ratios = ratios_of(samples, first);
  const Quartiles middle = quartiles(ratios);
  if (!(2 * middle.error <= kWorthless * std::abs(middle.median))) {
    char text[64];
    std::snprintf(text, sizeof text, "two standard errors are %.0f %%",
                  100 * 2 * middle.error / std::abs(middle.median));
    standing.refused = text;
    return;
  }
  const auto [lowest, highest] = std::minmax_element(ratios.begin(), ratios.end());
  standing.ratio = {first.contender.name, *lowest, middle.median, *highest, middle.error};
}

}  // namespace

std::vector<Standing> stand(const std::vector<Samples>& all, const std::string& disturbed) {
  std::vector<Standing> standings;
  for (const Samples& samples : all) {
    Standing standing;
    standing.name = samples.contender.name;
    standing.role = samples.contender.role;
    standing.backend = samples.contender.backend;
    standing.version = samples.contender.version;
    standing.runs = samples.values.size();
    standing.errors = samples.errors;
    standing.details = samples.details;
    if (!samples.values.empty()) {
      const auto [lowest, highest] =
          std::minmax_element(samples.values.begin(), samples.values.end());
      standing.min = *lowest;
      standing.median = quartiles(samples.values).median;
      standing.max = *highest;
    }
    if (!standings.empty()) {
      if (disturbed.empty()) {
        compare_to(all.front(), samples, standing);
      } else {
        standing.refused = disturbed;
      }
    }
    standings.push_back(std::move(standing));
  }
  return standings;
}

std::string complaint(const std::vector<Samples>& all, double tolerance) {
  const Standing again = stand({all.front(), all.back()}).back();
  char text[96];
  if (again.ratio) {
    if (std::abs(again.ratio->median - 1) <= tolerance) return {};
    std::snprintf(text, sizeof text, "the first against itself is %.3f", again.ratio->median);
  } else {
    std::snprintf(text, sizeof text, "the first against itself: %s", again.refused.c_str());
  }
  return text;
}

void drop_second_instance(std::vector<Samples>& all) {
  all.front().errors += all.back().errors;
  all.pop_back();
}

int judge(const Comparison& comparison) {
  int status = kFine;
  for (const Standing& contestant : comparison.contestants) {
    if (contestant.errors > 0) status = worse(status, kFailed);
    if (!contestant.refused.empty()) status = worse(status, kNoise);
  }
  return status;
}

}  // namespace bench
