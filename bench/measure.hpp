// Servers side by side: who spends how much, as ratios to the first.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "contender.hpp"
#include "load.hpp"
#include "process.hpp"
#include "standing.hpp"

namespace bench {

struct Plan {
  Transport transport = Transport::tcp;
  int processor = 0;  ///< for the servers; the caller's thread is the load, better elsewhere
  std::chrono::nanoseconds slice{20000000};  ///< length of a turn
  double seconds = 10;             ///< up to three times as long while the ratios are uncertain
  int warm_up = 3;                 ///< rounds that do not count
  int counted_turns = 10;          ///< for system calls
  bool throughput_counts = false;  ///< what is looked at: that, or CPU time
  double certain = 0.005;          ///< standard error of a ratio that is good enough
  std::string title;               ///< what runs, for the line of progress
};

/// What is counted, in words.
struct Units {
  std::string one;   ///< "echo" in "CPU per echo"
  std::string many;  ///< "echoes" in "echoes per second"
  bool can_be_lost = false;
};

struct Measurement {
  /// One per contender, in their order: CPU time in us per unit, or units per second where
  /// throughput counts.
  std::vector<Samples> samples;
  std::string not_counted;  ///< why system calls were not, empty if they were
};

/// Starts all contenders, talks to them in turns from the calling thread by `load`, which has no
/// servers yet, and ends them.
/// Throws std::exception when a server does not start or does not answer.
Measurement measure(const std::vector<Contender>& contenders, const Plan& plan, const Units& units,
                    Load& load);

}  // namespace bench
