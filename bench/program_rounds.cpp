#include "program_rounds.hpp"

#include <getopt.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numeric>
#include <random>
#include <sstream>
#include <stdexcept>

#include "arguments.hpp"
#include "compare.hpp"
#include "progress.hpp"
#include "quartiles.hpp"
#include "run_program.hpp"
#include "standing.hpp"

namespace bench {
namespace {

using Printed = std::map<std::string, std::vector<double>>;  // by name, by round

void take_lines(const std::string& output, Printed& printed) {
  std::istringstream text(output);
  for (std::string line; std::getline(text, line);) {
    const auto space = line.rfind(' ');
    if (space == std::string::npos) continue;
    printed[line.substr(0, space)].push_back(std::strtod(line.c_str() + space, nullptr));
  }
}

bool is_figure(const std::vector<Figure>& figures, const std::string& name) {
  return std::any_of(figures.begin(), figures.end(),
                     [&](const Figure& figure) { return figure.name == name; });
}

Samples samples_of(const Contender& contender, const Printed& printed, const Figure& figure,
                   const std::vector<Figure>& figures, std::size_t rounds) {
  Samples samples{contender, {}, 0, {}};
  for (const auto& [name, values] : printed) {
    if (name == figure.name) {
      samples.values = values;
    } else if (!is_figure(figures, name)) {
      samples.details.emplace_back(name, quartiles(values).median);
    }
  }
  if (samples.values.size() != rounds) {
    throw std::runtime_error(contender.name + ": does not print '" + figure.name + "' once a run");
  }
  return samples;
}

/// One comparison per figure.
std::vector<Comparison> play(const std::vector<Figure>& figures, Group group, std::size_t rounds) {
  group.push_back(group.front());
  std::vector<Printed> printed(group.size());
  std::vector<std::size_t> order(group.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937 random{std::random_device{}()};
  double played = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    for (const std::size_t index : order) {
      const Comparison& what = figures.front().what;
      const double total = static_cast<double>(rounds * group.size());
      show_progress(what.group + ": " + what.title + ", round " + std::to_string(round + 1) +
                        " of " + std::to_string(rounds) + ": " + group[index].name,
                    played++ / total);
      take_lines(output_of(group[index].command), printed[index]);
    }
  }
  std::vector<Comparison> comparisons;
  for (const Figure& figure : figures) {
    std::vector<Samples> all;
    for (std::size_t i = 0; i < group.size(); ++i) {
      all.push_back(samples_of(group[i], printed[i], figure, figures, rounds));
    }
    const std::string disturbed = complaint(all, figure.tolerance);
    all.pop_back();
    Comparison comparison = figure.what;
    comparison.contestants = stand(all, disturbed);
    comparisons.push_back(std::move(comparison));
  }
  return comparisons;
}

}  // namespace

int play_programs(const std::vector<Figure>& figures, Group group, std::size_t rounds,
                  Report& report) {
  std::vector<Comparison> comparisons;
  try {
    comparisons = play(figures, std::move(group), rounds);
  } catch (const std::exception& error) {
    finish_work(1);
    for (const Figure& figure : figures) report.fail(figure.what, error.what());
    return kFailed;
  }
  finish_work(1);
  int status = kFine;
  for (Comparison& comparison : comparisons) {
    status = worse(status, judge(comparison));
    report.add(std::move(comparison));
  }
  return status;
}

std::size_t parse_rounds(int argc, char** argv, const char* help, std::size_t rounds) {
  static const option kLong[] = {
      {"rounds", required_argument, nullptr, 'r'}, {"help", no_argument, nullptr, 'h'}, {}};
  for (int name; (name = getopt_long(argc, argv, "r:h", kLong, nullptr)) != -1;) {
    if (name == 'r') {
      rounds = to_number("rounds", optarg, 2, 1000);
    } else if (name == 'h') {
      std::fputs(help, stdout);
      std::exit(0);
    } else {
      std::fputs("try --help\n", stderr);
      std::exit(EX_USAGE);
    }
  }
  if (optind < argc) bad_usage(std::string("unexpected argument '") + argv[optind] + "'");
  return rounds;
}

}  // namespace bench
