// compare instructions: what an echo costs in user space, counted by valgrind's callgrind, which
// other work on the machine does not change. A run and one with more echoes differ by those in
// between; the start and the connections cancel out.
//
// How many connections are ready at a time decides how much work there is per echo. So the server
// shares the load's processor, and does not preempt it (SCHED_BATCH): all requests of a round are
// there before the server sees the first, on every machine.
#include <getopt.h>
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "arguments.hpp"
#include "compare.hpp"
#include "paired_load.hpp"
#include "process.hpp"
#include "progress.hpp"
#include "run_program.hpp"
#include "shared_file.hpp"
#include "standing.hpp"
#include "turn_options.hpp"

namespace bench {
namespace {

constexpr unsigned kConnections = 100;
constexpr std::size_t kSize = 256;
constexpr int kFew = 20;   // rounds of the shortest run
constexpr int kStep = 60;  // by which each run is longer than the one before
constexpr double kRepeatable = 0.01;

constexpr char kHelp[] = R"(usage: compare instructions [options] [NAME=COMMAND ...]

User-space instructions of an echo of 256 bytes on 100 connections, counted by callgrind (package
valgrind); those of the kernel are not in it. A ratio is refused when the runs of a server differ by
more than 1 %.
  -r, --runs N             of each server, after a short one (3)
      --no-peers           without other libraries
)";

/// The number that callgrind prints when the program ends.
double collected(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  const std::string mark = "Collected : ";
  for (std::string line; std::getline(file, line);) {
    const auto at = line.find(mark);
    if (at != std::string::npos) return std::strtod(line.c_str() + at + mark.size(), nullptr);
  }
  throw std::runtime_error(name + ": callgrind counted nothing");
}

double instructions_of_rounds(const Contender& contender, int rounds, int processor) {
  const SharedFile log("/tmp");
  ServerProcess server(contender.name,
                       std::string("valgrind --tool=callgrind --callgrind-out-file=/dev/null"
                                   " --log-file=") +
                           log.path() + " " + contender.command,
                       Transport::tcp, processor);
  const sched_param none{};
  sched_setscheduler(server.pid(), SCHED_BATCH, &none);
  PairedLoad load(Traffic{kConnections, kSize});
  load.add_server(contender.name, server.port());
  std::uint64_t echoes = 0;
  for (int round = 0; round < rounds; ++round) {
    const Turn turn = load.turn(0, std::chrono::nanoseconds(0));  // one request per connection
    echoes += turn.requests;
  }
  if (echoes != static_cast<std::uint64_t>(rounds) * kConnections) {
    throw std::runtime_error(contender.name + ": echoes are missing");
  }
  server.terminate();
  return collected(log.path(), contender.name);
}

/// Of all runs of a server.
double rounds_of_all(std::size_t runs) {
  const auto number = static_cast<double>(runs);
  return (number + 1) * (kFew + number / 2 * kStep);
}

Samples count(const Contender& contender, std::size_t runs, int processor) {
  Samples samples{contender, {}, 0, {}};
  double before = 0;
  for (std::size_t run = 0; run <= runs; ++run) {
    show_progress("Instructions: " + contender.name);
    const int rounds = kFew + static_cast<int>(run) * kStep;
    const double now = instructions_of_rounds(contender, rounds, processor);
    finish_work(rounds);
    if (run > 0) samples.values.push_back((now - before) / (kStep * double{kConnections}));
    before = now;
  }
  return samples;
}

/// What two runs differ by is what a ratio could be wrong by.
void refuse_uneven(std::vector<Standing>& standings) {
  for (Standing& standing : standings) {
    const double spread = (standing.max - standing.min) / standing.median;
    if (spread <= kRepeatable) continue;
    char text[64];
    std::snprintf(text, sizeof text, "runs differ by %.1f %%", 100 * spread);
    standing.refused = text;
    standing.ratio.reset();
  }
  if (standings.empty() || standings.front().refused.empty()) return;
  for (Standing& standing : standings) {
    if (standing.refused.empty()) standing.refused = "that of the first is uneven";
    standing.ratio.reset();
  }
}

int compare_group(const std::string& backend, const Group& group, std::size_t runs, int processor,
                  Report& report) {
  Comparison comparison;
  comparison.name = comparison_name("instructions", backend, std::to_string(kConnections));
  comparison.group = "Instructions";
  comparison.title = std::to_string(kSize) + "-byte echo, " + connections_text(kConnections);
  if (!backend.empty()) comparison.title += ", " + backend;
  comparison.quantity = "user-space instructions per echo";
  comparison.unit = "instructions";
  comparison.note =
      "counted by callgrind, all connections ready at once; instructions of the kernel, also those "
      "that it executes for io_uring, are not in it";
  if (!is_installed("valgrind")) {
    report.skip(comparison, "valgrind is not installed");
    return kNoise;
  }
  int status = kFine;
  std::vector<Samples> samples;
  for (const Contender& contender : group) {
    try {
      samples.push_back(count(contender, runs, processor));
    } catch (const std::exception& error) {
      clear_progress();
      std::fprintf(stderr, "compare: instructions: %s\n", error.what());
      comparison.note += "; not counted: " + std::string(error.what());
      status = kFailed;
    }
  }
  if (samples.empty()) {
    report.skip(comparison, "no server could be counted");
    return status;
  }
  if (samples.front().contender.name == group.front().name) {
    comparison.contestants = stand(samples);
  } else {
    const std::string no_base = group.front().name + " was not counted";
    comparison.contestants = stand(samples, no_base);
    comparison.contestants.front().refused = no_base;
  }
  refuse_uneven(comparison.contestants);
  report.add(comparison);
  return worse(status, judge(comparison));
}

}  // namespace

int compare_instructions(int argc, char** argv, Report& report) {
  static const option kLong[] = {{"runs", required_argument, nullptr, 'r'},
                                 {"no-peers", no_argument, nullptr, 'P'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {}};
  TurnOptions options;
  bool peers = true;
  std::size_t runs = 3;
  for (int name; (name = getopt_long(argc, argv, "r:h", kLong, nullptr)) != -1;) {
    if (name == 'r') {
      runs = to_number("runs", optarg, 2, 1000);
    } else if (name == 'P') {
      peers = false;
    } else if (name == 'h') {
      std::fputs(kHelp, stdout);
      return kFine;
    } else {
      std::fputs("try --help\n", stderr);
      return EX_USAGE;
    }
  }
  options.given = contenders_from(argc, argv, optind);
  raise_descriptor_limit();
  const int processor = choose_processors().load;
  pin_to(processor);
  auto groups = options.groups();
  std::size_t servers = 0;
  for (auto& [backend, group] : groups) {
    if (!peers) {
      const auto is_peer = [](const Contender& one) { return one.role == "peer"; };
      group.erase(std::remove_if(group.begin(), group.end(), is_peer), group.end());
    }
    servers += group.size();
  }
  expect_work(static_cast<double>(servers) * rounds_of_all(runs));
  int status = kFine;
  for (const auto& [backend, group] : groups) {
    status = worse(status, compare_group(backend, group, runs, processor, report));
  }
  return status;
}

}  // namespace bench
