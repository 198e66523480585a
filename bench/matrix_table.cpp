#include "matrix_table.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <numeric>
#include <random>

#include "compare.hpp"
#include "progress.hpp"
#include "quartiles.hpp"
#include "standing.hpp"

namespace bench {
namespace {

/// Of throughputs, how far the first contestant may be from itself.
constexpr double kTolerance = 0.05;

Samples samples_of(const Contender& contender, const std::vector<MatrixRun>& runs) {
  Samples samples{contender, {}, 0, {}};
  for (const MatrixRun& run : runs) samples.values.push_back(run.value);
  for (std::size_t i = 0; i < runs.front().details.size(); ++i) {
    std::vector<double> values;
    for (const MatrixRun& run : runs) values.push_back(run.details.at(i).second);
    samples.details.emplace_back(runs.front().details[i].first, quartiles(values).median);
  }
  return samples;
}

/// On a busy machine a short run may end before the first answer: nothing can be divided by that.
bool came_to_nothing(const std::vector<std::vector<MatrixRun>>& all) {
  return std::any_of(all.begin(), all.end(), [](const std::vector<MatrixRun>& runs) {
    return std::any_of(runs.begin(), runs.end(),
                       [](const MatrixRun& run) { return run.value <= 0; });
  });
}

/// All run once in every round, in a new order, the first one twice.
Comparison play_row(const MatrixRow& row, std::size_t rounds) {
  Group group = row.group;
  group.push_back(group.front());
  std::vector<std::vector<MatrixRun>> runs(group.size());
  std::vector<std::size_t> order(group.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937 random{std::random_device{}()};
  std::size_t played = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    for (const std::size_t index : order) {
      show_progress(row.what.group + ": " + row.what.title + ", round " +
                        std::to_string(round + 1) + " of " + std::to_string(rounds) + ": " +
                        group[index].name,
                    static_cast<double>(played++) / static_cast<double>(rounds));
      runs[index].push_back(row.run(group[index]));
    }
  }
  std::vector<Samples> all;
  for (std::size_t i = 0; i < group.size(); ++i) all.push_back(samples_of(group[i], runs[i]));
  const std::string disturbed =
      came_to_nothing(runs) ? "a run came to nothing" : complaint(all, kTolerance);
  all.pop_back();
  Comparison comparison = row.what;
  comparison.contestants = stand(all, disturbed);
  return comparison;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f", value);
  return text;
}

/// Two lines: medians, and below them the lowest and the highest.
void print_row(const MatrixRow& row, const Comparison& comparison, int first, int width) {
  std::printf("%-*s", first, row.label.c_str());
  for (const Standing& one : comparison.contestants) {
    std::printf("  %*s", width, number(one.median).c_str());
  }
  std::printf("  | %s\n%*s", row.published.empty() ? "-" : row.published.c_str(), first, "");
  for (const Standing& one : comparison.contestants) {
    std::printf("  %*s", width, (number(one.min) + "-" + number(one.max)).c_str());
  }
  std::printf("  |\n");
}

}  // namespace

int play_matrix(const MatrixTable& table, std::size_t rounds, Report& report) {
  int status = kFine;
  std::vector<std::pair<const MatrixRow*, Comparison>> played;
  for (const MatrixRow& row : table.rows) {
    try {
      Comparison comparison = play_row(row, rounds);
      report.add(comparison);
      status = worse(status, judge(comparison));
      played.emplace_back(&row, std::move(comparison));
    } catch (const std::exception& error) {
      report.fail(row.what, error.what());
      status = kFailed;
    }
    finish_work(runs_of_round(row));
  }
  if (played.empty()) return status;
  const int first = static_cast<int>(table.labels.size());
  std::size_t width = 15;
  for (const Contender& one : table.rows.front().group) width = std::max(width, one.name.size());
  std::printf("\n%s: medians of %zu runs, below them the lowest and the highest\n%s",
              table.title.c_str(), rounds, table.labels.c_str());
  for (const Contender& one : table.rows.front().group) {
    std::printf("  %*s", static_cast<int>(width), one.name.c_str());
  }
  std::printf("  | %s\n", table.published.c_str());
  for (const auto& [row, comparison] : played) {
    print_row(*row, comparison, first, static_cast<int>(width));
  }
  std::fflush(stdout);
  return status;
}

}  // namespace bench
