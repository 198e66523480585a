// The subcommands of `compare`: each has a command line of its own, puts what it finds into the
// report and returns the exit status. argv[0] is the subcommand's name.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "contender.hpp"
#include "own_folder.hpp"
#include "report.hpp"

namespace bench {

/// Exit statuses of `compare`, besides EX_USAGE.
constexpr int kFine = 0;
constexpr int kFailed = 1;  ///< errors in the load, or a program that does not run
constexpr int kNoise = 77;  ///< the machine was too uneven for a ratio; meson calls it skipped

/// A failure is worse than noise, and noise worse than nothing.
inline int worse(int one, int other) {
  if (one == kFailed || other == kFailed) return kFailed;
  return one == kFine ? other : one;
}

int compare_tcp(int argc, char** argv, Report& report);
int compare_latency(int argc, char** argv, Report& report);
int compare_udp(int argc, char** argv, Report& report);
int compare_instructions(int argc, char** argv, Report& report);
int compare_accept(int argc, char** argv, Report& report);
int compare_bulk(int argc, char** argv, Report& report);
int compare_connect(int argc, char** argv, Report& report);
int compare_post(int argc, char** argv, Report& report);
int compare_timers(int argc, char** argv, Report& report);
int compare_idle(int argc, char** argv, Report& report);
int compare_files(int argc, char** argv, Report& report);
int compare_matrix(int argc, char** argv, Report& report);
int compare_protocols(int argc, char** argv, Report& report);

/// Numbers with commas in between, from the command line; what is wrong ends the program.
std::vector<std::size_t> to_counts(const std::string& what, const std::string& text,
                                   std::size_t most = 25000);

/// What is left of the command line behind the options, as contenders.
Group contenders_from(int argc, char** argv, int first);

/// Moves this thread, which will be the load, to its processor, and allows as many descriptors as
/// there can be. Returns the processor for the servers.
int take_processors();

}  // namespace bench
