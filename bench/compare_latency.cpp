// compare latency: how long requests wait that come when they are due, at the same rate for all.
#include <getopt.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "compare.hpp"
#include "open_load.hpp"
#include "process.hpp"
#include "progress.hpp"
#include "standing.hpp"
#include "turn_options.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

/// How far the 99th percentile of the first server may be from itself.
constexpr double kTolerance = 0.1;

constexpr char kHelp[] = R"(usage: compare latency [options] [NAME=COMMAND ...]

How long requests wait that come at a given rate, whether or not those before were answered: from
when a request was due to its answer. Ratios are of the 99th percentile, to the first server. All are
alive at once on one processor, a load on another talks to them in turns.
  -c, --connections LIST   comma-separated counts (100)
  -s, --size BYTES         of a request (256)
  -r, --rate N             requests per second, over all connections; without it half of what the
                           slowest server bears, which is tried first
  -d, --duration SECONDS   per count and group (20)
      --slice-ms MS        length of a turn (200)
)";

struct Options {
  std::vector<std::size_t> counts{100};
  std::size_t size = 256;
  double rate = 0;
  double seconds = 20;
  std::chrono::milliseconds slice{200};
  Group given;
};

Options parse(int argc, char** argv) {
  static const option kLong[] = {{"connections", required_argument, nullptr, 'c'},
                                 {"size", required_argument, nullptr, 's'},
                                 {"rate", required_argument, nullptr, 'r'},
                                 {"duration", required_argument, nullptr, 'd'},
                                 {"slice-ms", required_argument, nullptr, 'm'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {}};
  Options result;
  for (int name; (name = getopt_long(argc, argv, "c:s:r:d:h", kLong, nullptr)) != -1;) {
    switch (name) {
      case 'c':
        result.counts = to_counts("connections", optarg);
        break;
      case 's':
        result.size = to_number("size", optarg, 1, 1U << 20);
        break;
      case 'r':
        result.rate = static_cast<double>(to_number("rate", optarg, 1, 10000000));
        break;
      case 'd':
        result.seconds = to_seconds("duration", optarg);
        break;
      case 'm':
        result.slice = std::chrono::milliseconds(to_number("slice-ms", optarg, 1, 10000));
        break;
      case 'h':
        std::fputs(kHelp, stdout);
        std::exit(0);
      default:
        std::fputs("try --help\n", stderr);
        std::exit(EX_USAGE);
    }
  }
  result.given = contenders_from(argc, argv, optind);
  return result;
}

double microseconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e3; }

struct Runner {
  Runner(const Contender& contender, std::size_t connections, std::size_t size, int processor)
      : server(contender.name, contender.command, Transport::tcp, processor),
        load(contender.name, server.port(), connections, size),
        samples{contender, {}, 0, {}} {}

  ServerProcess server;
  OpenLoad load;
  Samples samples;
  double highest = 0;  // requests per second
  Histogram latencies;
  Histogram late;
  std::uint64_t unsent = 0;
};

class LatencyRounds {
 public:
  LatencyRounds(Group group, std::size_t connections, const Options& options, int processor)
      : options_(options) {
    group.push_back(group.front());  // which has to be like itself
    for (const auto& contender : group) {
      runners_.push_back(std::make_unique<Runner>(contender, connections, options.size, processor));
    }
  }

  /// Closed loop: everyone as fast as it can. The last of several turns counts.
  void find_rate() {
    const Runner* slowest = runners_.front().get();
    for (const auto& runner : runners_) {
      for (int turn = 0; turn < 3; ++turn) {
        const OpenTurn found = runner->load.flat_out(options_.slice);
        runner->samples.errors += found.errors;
        runner->highest = static_cast<double>(found.latencies.count()) / found.seconds;
      }
      if (runner->highest < slowest->highest) slowest = runner.get();
    }
    char text[160];
    if (options_.rate > 0) {
      rate_ = options_.rate;
      std::snprintf(text, sizeof text, "%.0f requests per second", rate_);
    } else {
      rate_ = std::max(1.0, slowest->highest / 2);
      std::snprintf(text, sizeof text, "%.0f requests per second, half of what %s bears", rate_,
                    slowest->samples.contender.name.c_str());
    }
    note_ = std::string(text) + "; latencies begin when a request is due";
  }

  void run(const std::string& title) {
    std::mt19937 random{std::random_device{}()};
    std::vector<std::size_t> order(runners_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto start = Clock::now();
    for (double seconds = 0; seconds < options_.seconds;) {
      show_progress(title, seconds);
      std::shuffle(order.begin(), order.end(), random);
      for (const std::size_t index : order) play_turn(*runners_[index]);
      seconds = std::chrono::duration<double>(Clock::now() - start).count();
    }
  }

  void conclude(Comparison& comparison) {
    std::vector<Samples> all;
    for (const auto& runner : runners_) all.push_back(samples_of(*runner));
    const std::string disturbed = complaint(all, kTolerance);
    drop_second_instance(all);
    comparison.contestants = stand(all, disturbed);
    for (std::size_t index = 0; index < all.size(); ++index) {
      if (runners_[index]->unsent == 0) continue;
      comparison.contestants[index].ratio.reset();
      comparison.contestants[index].refused =
          std::to_string(runners_[index]->unsent) + " requests came too fast for it to be sent";
    }
    comparison.note = note_;
  }

 private:
  void play_turn(Runner& runner) {
    const OpenTurn turn = runner.load.at_rate(rate_, options_.slice);
    if (turn.latencies.count() == 0) {
      throw std::runtime_error(runner.server.name() + ": no request was answered");
    }
    runner.samples.values.push_back(microseconds(turn.latencies.percentile(99)));
    runner.samples.errors += turn.errors;
    runner.unsent += turn.unsent;
    runner.latencies.add(turn.latencies);
    runner.late.add(turn.late);
  }

  static Samples samples_of(const Runner& runner) {
    Samples samples = runner.samples;
    for (const auto& [name, percent] :
         {std::pair{"p50 us", 50.0}, {"p99 us", 99.0}, {"p99.9 us", 99.9}}) {
      samples.details.emplace_back(name, microseconds(runner.latencies.percentile(percent)));
    }
    samples.details.emplace_back("load late p99 us", microseconds(runner.late.percentile(99)));
    samples.details.emplace_back("highest requests per second", runner.highest);
    return samples;
  }

  const Options& options_;
  std::vector<std::unique_ptr<Runner>> runners_;
  double rate_ = 0;
  std::string note_;
};

}  // namespace

int compare_latency(int argc, char** argv, Report& report) {
  const Options options = parse(argc, argv);
  TurnOptions groups;
  groups.given = options.given;
  const int processor = take_processors();
  int status = kFine;
  const auto all = groups.groups();
  const double seconds = static_cast<double>(all.size() * options.counts.size()) * options.seconds;
  expect_work(seconds, seconds);
  for (const auto& [backend, group] : all) {
    for (const std::size_t count : options.counts) {
      Comparison comparison;
      comparison.group = "Latency at a given rate";
      comparison.name = comparison_name("latency", backend,
                                        std::to_string(options.size) + "-" + std::to_string(count));
      comparison.title = std::to_string(options.size) + "-byte echo, " + connections_text(count);
      if (!backend.empty()) comparison.title += ", " + backend;
      comparison.quantity = "p99 latency";
      comparison.unit = "us";
      try {
        LatencyRounds rounds(group, count, options, processor);
        rounds.find_rate();
        rounds.run(comparison.group + ": " + comparison.title);
        rounds.conclude(comparison);
        finish_work(options.seconds);
      } catch (const std::exception& error) {
        report.fail(comparison, error.what());
        status = kFailed;
        continue;
      }
      report.add(comparison);
      status = worse(status, judge(comparison));
    }
  }
  return status;
}

}  // namespace bench
