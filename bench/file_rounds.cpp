// The rounds of `compare files`: every program once in each, in a new order, the first one twice.
// If the first against itself does not come out at 1.00, no ratio is printed.
#include <cmath>
#include <cstdio>
#include <numeric>
#include <random>
#include <stdexcept>

#include "compare.hpp"
#include "compare_files.hpp"
#include "run_program.hpp"

namespace bench {
namespace {

constexpr double kTolerance = 0.05;

class Rounds {
 public:
  /// Plays them all. The last runner is the first one again.
  Rounds(const FileComparison& comparison, std::size_t rounds) : comparison_(comparison) {
    samples_.resize(comparison.phases.size(),
                    std::vector<std::vector<FileSample>>(comparison.runners.size()));
    std::vector<std::size_t> order(comparison.runners.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::mt19937 random{std::random_device{}()};
    for (std::size_t round = 0; round < rounds; ++round) {
      std::shuffle(order.begin(), order.end(), random);
      for (const std::size_t index : order) play(index);
    }
  }

  Quartiles ratio(std::size_t phase, std::size_t of, std::size_t to) const {
    std::vector<double> ratios;
    for (std::size_t round = 0; round < samples_[phase][of].size(); ++round) {
      ratios.push_back(samples_[phase][of][round].iops / samples_[phase][to][round].iops);
    }
    return quartiles(std::move(ratios));
  }

  bool passes_self_check(std::size_t phase) const {
    const double median = ratio(phase, comparison_.runners.size() - 1, 0).median;
    const bool ok = std::abs(median - 1) <= kTolerance;
    std::printf("self-check %s against itself, %s: %.3f: %s\n",
                comparison_.runners.front().name.c_str(), comparison_.phases[phase].c_str(), median,
                ok ? "ok" : "failed, should be 1.00 within 0.05");
    std::fflush(stdout);
    return ok;
  }

  void print(std::size_t phase, bool believable) const {
    std::printf("%-24s %12s %12s  %s\n", comparison_.phases[phase].c_str(), "IOPS", "CPU ns/op",
                "ratio to the first");
    for (std::size_t i = 0; i + 1 < comparison_.runners.size(); ++i) {
      const auto middle = [&](double FileSample::*value) {
        std::vector<double> values;
        for (const auto& sample : samples_[phase][i]) values.push_back(sample.*value);
        return quartiles(std::move(values)).median;
      };
      std::printf("%-24s %12.0f %12.0f  %s\n", comparison_.runners[i].name.c_str(),
                  middle(&FileSample::iops), middle(&FileSample::cpu_ns),
                  text(phase, i, 0, believable).c_str());
    }
    for (const auto& pair : comparison_.ratios) {
      std::printf("  %s / %s: %s\n", comparison_.runners[pair.first].name.c_str(),
                  comparison_.runners[pair.second].name.c_str(),
                  text(phase, pair.first, pair.second, believable).c_str());
    }
    std::fflush(stdout);
  }

 private:
  void play(std::size_t index) {
    const FileRunner& runner = comparison_.runners[index];
    const std::string output = output_of(runner.command);
    for (std::size_t phase = 0; phase < comparison_.phases.size(); ++phase) {
      samples_[phase][index].push_back(file_sample(runner, output, comparison_.phases[phase]));
    }
  }

  std::string text(std::size_t phase, std::size_t of, std::size_t to, bool believable) const {
    if (of == to) return "1";
    if (!believable) return "-";
    const Quartiles value = ratio(phase, of, to);
    char line[64];
    std::snprintf(line, sizeof line, "%.3f +-%.3f [%.3f-%.3f]", value.median, 2 * value.error,
                  value.low, value.high);
    return line;
  }

  const FileComparison& comparison_;
  std::vector<std::vector<std::vector<FileSample>>> samples_;  // by phase, by runner, by round
};

/// Returns whether all phases passed the self-check; prints their numbers if so, or if `last`.
bool attempt(const FileComparison& comparison, std::size_t rounds, bool last) {
  const Rounds played(comparison, rounds);
  std::vector<bool> believable;
  bool all = true;
  for (std::size_t phase = 0; phase < comparison.phases.size(); ++phase) {
    believable.push_back(played.passes_self_check(phase));
    all = all && believable.back();
  }
  if (!all && !last) return false;
  for (std::size_t phase = 0; phase < comparison.phases.size(); ++phase) {
    played.print(phase, believable[phase]);
  }
  return all;
}

}  // namespace

FileSample file_sample(const FileRunner& runner, const std::string& output,
                       const std::string& phase) {
  FileSample sample;
  sample.iops = number_in(output, phase, "iops");
  if (runner.fio) {
    if (number_in(output, "jobs", "error") != 0) {
      throw std::runtime_error(runner.name + " reports errors: " + output.substr(0, 500));
    }
    // Of its job's thread; its runtime is in milliseconds.
    const double part = number_in(output, "jobs", "usr_cpu") + number_in(output, "jobs", "sys_cpu");
    sample.cpu_ns = part / 100 * number_in(output, "jobs", "job_runtime") * 1e6 /
                    number_in(output, phase, "total_ios");
  } else {
    if (number_in(output, phase, "errors") != 0) {
      throw std::runtime_error(runner.name + " reports errors: " + output);
    }
    sample.cpu_ns = number_in(output, phase, "cpu_ns");
  }
  if (!(sample.iops > 0)) throw std::runtime_error(runner.name + " did nothing: " + output);
  return sample;
}

int play_file_comparison(FileComparison comparison, std::size_t rounds) {
  std::printf("\n%s: %s, %zu rounds\n", comparison.name.c_str(), comparison.what.c_str(), rounds);
  comparison.runners.push_back(comparison.runners.front());
  if (attempt(comparison, rounds, false)) return kFine;
  std::printf("once more\n");
  if (attempt(comparison, rounds, true)) return kFine;
  std::printf(
      "These ratios are not to be believed, and not printed: something disturbs this machine.\n");
  return kNotBelievable;
}

}  // namespace bench
