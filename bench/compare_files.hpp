// What `compare files` consists of: programs that do the same to a file, run in turns.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "contender.hpp"
#include "report.hpp"

namespace bench {

/// What one run of a program came to, for reads or for writes.
struct FileSample {
  double iops = 0;
  double cpu_ns = 0;  ///< per operation
};

/// A program to run: it prints JSON and ends by itself.
struct FileRunner {
  Contender contender;
  bool fio = false;  ///< else file_io or raw_file_io
};

struct FileComparison {
  std::string name;
  std::string what;                 ///< one line for people
  std::vector<FileRunner> runners;  ///< the first is what the others are divided by
  std::vector<std::string> phases;  ///< of "read" and "write"
  /// Ratios besides those to the first: one runner's number by another's.
  std::vector<std::pair<std::size_t, std::size_t>> ratios;
};

/// What was asked for.
struct FilePlan {
  std::vector<std::string> scenarios{"direct-read", "direct-write", "cached-read", "seed"};
  std::size_t rounds = 5;
  double seconds = 0;  ///< of a run; 0: 3, and 2 for the seed's test
  std::string folder = "/tmp";
  std::size_t megabytes = 256;  ///< 2^20 bytes, of the shared file

  bool wants(const std::string& scenario) const {
    return std::find(scenarios.begin(), scenarios.end(), scenario) != scenarios.end();
  }
};

/// Reads the result of one run. Throws std::runtime_error when there is none, or errors in it.
FileSample file_sample(const FileRunner& runner, const std::string& output,
                       const std::string& phase);

/// Runs everything in turns and reports one comparison per phase. Throws std::runtime_error when a
/// program fails. Returns the exit status.
int play_file_comparison(FileComparison comparison, std::size_t rounds, Report& report);

}  // namespace bench
