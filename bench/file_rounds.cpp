// The rounds of `compare files`: every program once in each, in a new order, the first one twice.
// If the first against itself does not come out at 1.00, no ratio is said.
#include <cmath>
#include <cstdio>
#include <numeric>
#include <random>
#include <stdexcept>

#include "compare.hpp"
#include "compare_files.hpp"
#include "progress.hpp"
#include "quartiles.hpp"
#include "run_program.hpp"
#include "standing.hpp"

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
    double runs = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
      std::shuffle(order.begin(), order.end(), random);
      for (const std::size_t index : order) {
        show_progress(
            "Files: " + comparison_.name + ": " + comparison_.runners[index].contender.name,
            runs++ / static_cast<double>(rounds * order.size()));
        play(index);
      }
    }
  }

  Quartiles ratio(std::size_t phase, std::size_t of, std::size_t to) const {
    std::vector<double> ratios;
    for (std::size_t round = 0; round < samples_[phase][of].size(); ++round) {
      ratios.push_back(samples_[phase][of][round].iops / samples_[phase][to][round].iops);
    }
    return quartiles(std::move(ratios));
  }

  /// What is wrong with the numbers of a phase, nothing if they can be believed.
  std::string complaint(std::size_t phase) const {
    const double median = ratio(phase, comparison_.runners.size() - 1, 0).median;
    if (std::abs(median - 1) <= kTolerance) return {};
    char text[64];
    std::snprintf(text, sizeof text, "the first against itself is %.3f", median);
    return text;
  }

  Comparison result(std::size_t phase) const {
    const std::string& name = comparison_.phases[phase];
    Comparison result;
    result.name = "files-" + comparison_.name + (comparison_.phases.size() > 1 ? "-" + name : "");
    result.group = "Files";
    result.title = comparison_.what + (comparison_.phases.size() > 1 ? ": " + name + "s" : "");
    result.quantity = "operations per second";
    result.unit = "1/s";
    result.lower_is_better = false;
    std::vector<Samples> all;
    for (std::size_t i = 0; i + 1 < comparison_.runners.size(); ++i) {
      Samples samples{comparison_.runners[i].contender, {}, 0, {}};
      std::vector<double> cpu;
      for (const FileSample& sample : samples_[phase][i]) {
        samples.values.push_back(sample.iops);
        cpu.push_back(sample.cpu_ns / 1e3);
      }
      samples.details.emplace_back("CPU us per operation", quartiles(std::move(cpu)).median);
      all.push_back(std::move(samples));
    }
    const std::string disturbed = complaint(phase);
    result.contestants = stand(all, disturbed);
    if (disturbed.empty()) result.note = other_ratios(phase);
    return result;
  }

 private:
  void play(std::size_t index) {
    const FileRunner& runner = comparison_.runners[index];
    const std::string output = output_of(runner.contender.command);
    for (std::size_t phase = 0; phase < comparison_.phases.size(); ++phase) {
      samples_[phase][index].push_back(file_sample(runner, output, comparison_.phases[phase]));
    }
  }

  /// Ratios besides those to the first, for people.
  std::string other_ratios(std::size_t phase) const {
    std::string lines;
    for (const auto& [of, to] : comparison_.ratios) {
      const Quartiles value = ratio(phase, of, to);
      char line[160];
      std::snprintf(line, sizeof line, "%s%s / %s: %.3f +-%.3f", lines.empty() ? "" : "\n",
                    comparison_.runners[of].contender.name.c_str(),
                    comparison_.runners[to].contender.name.c_str(), value.median, 2 * value.error);
      lines += line;
    }
    return lines;
  }

  const FileComparison& comparison_;
  std::vector<std::vector<std::vector<FileSample>>> samples_;  // by phase, by runner, by round
};

}  // namespace

FileSample file_sample(const FileRunner& runner, const std::string& output,
                       const std::string& phase) {
  FileSample sample;
  sample.iops = number_in(output, phase, "iops");
  if (runner.fio) {
    if (number_in(output, "jobs", "error") != 0) {
      throw std::runtime_error(runner.contender.name + " reports errors: " + output.substr(0, 500));
    }
    // Of its job's thread; its runtime is in milliseconds.
    const double part = number_in(output, "jobs", "usr_cpu") + number_in(output, "jobs", "sys_cpu");
    sample.cpu_ns = part / 100 * number_in(output, "jobs", "job_runtime") * 1e6 /
                    number_in(output, phase, "total_ios");
  } else {
    if (number_in(output, phase, "errors") != 0) {
      throw std::runtime_error(runner.contender.name + " reports errors: " + output);
    }
    sample.cpu_ns = number_in(output, phase, "cpu_ns");
  }
  if (!(sample.iops > 0))
    throw std::runtime_error(runner.contender.name + " did nothing: " + output);
  return sample;
}

int play_file_comparison(FileComparison comparison, std::size_t rounds, Report& report) {
  comparison.runners.push_back(comparison.runners.front());
  for (int attempt = 0;; ++attempt) {
    const Rounds played(comparison, rounds);
    bool believable = true;
    for (std::size_t phase = 0; phase < comparison.phases.size(); ++phase) {
      believable = believable && played.complaint(phase).empty();
    }
    if (!believable && attempt == 0) continue;
    int status = kFine;
    for (std::size_t phase = 0; phase < comparison.phases.size(); ++phase) {
      const Comparison result = played.result(phase);
      report.add(result);
      status = worse(status, judge(result));
    }
    return status;
  }
}

}  // namespace bench
