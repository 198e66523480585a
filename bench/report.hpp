// What `compare` found: printed as tables while it goes on, and written as JSON.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bench {

struct Ratio {
  std::string to;  ///< the name of whom this is divided by
  double min = 0;
  double median = 0;
  double max = 0;
  double error = 0;  ///< standard error of the median
};

/// How one contestant did. Without a ratio and without `refused` it is what others are compared to.
struct Standing {
  std::string name;
  std::string role;     ///< "ours", "floor", "peer" or "given"
  std::string backend;  ///< may be empty
  std::string version;  ///< "libuv 1.44.2", may be empty
  std::uint64_t runs = 0;
  double min = 0;
  double median = 0;
  double max = 0;
  std::optional<Ratio> ratio;
  std::string refused;  ///< why no ratio is said
  std::uint64_t errors = 0;
  std::vector<std::pair<std::string, double>> details;
};

struct Comparison {
  std::string name;      ///< unique, of [a-z0-9-]
  std::string group;     ///< what stands in one section
  std::string title;     ///< "256-byte echo, 100 connections"
  std::string quantity;  ///< "CPU per echo"
  std::string unit;      ///< "us"
  bool lower_is_better = true;
  std::vector<Standing> contestants;
  std::string skipped;  ///< why there are no contestants
  std::string note;     ///< what else has to be known
};

class Report {
 public:
  /// From now on everything is kept in this file as JSON; `command` is the command line. Throws
  /// std::system_error if it cannot be written, and leaves nothing behind then.
  void keep_in(const std::string& path, const std::string& command);

  /// Prints it, and writes the file with what there is so far: whoever interrupts `compare` has
  /// that.
  void add(Comparison comparison);

  /// A comparison that cannot be made here, and why.
  void skip(Comparison comparison, const std::string& why);

  /// A comparison that failed, and why: skipped, and said on stderr.
  void fail(Comparison comparison, const std::string& why);

  /// Writes the file, if there is one to be kept. What was there is replaced at once by the whole
  /// new one. Throws std::system_error.
  void write() const;

 private:
  std::string path_;     // empty: nothing is kept
  std::string written_;  // where the JSON is written before it is renamed to path_
  std::string command_;
  std::vector<Comparison> comparisons_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Prints a table.
void print(const Comparison& comparison);

}  // namespace bench
