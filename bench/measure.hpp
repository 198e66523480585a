// Servers side by side: who spends how much, as ratios to the first.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "load.hpp"
#include "process.hpp"
#include "quartiles.hpp"

namespace bench {

/// A server to measure: `command` starts it, %p stands for the port.
struct Contender {
  std::string name;
  std::string command;
};

struct Plan {
  Transport transport = Transport::tcp;
  int processor = 0;  ///< for the servers; the caller's thread is the load, better elsewhere
  std::chrono::nanoseconds slice{20000000};  ///< length of a turn
  double seconds = 10;             ///< up to three times as long while the ratios are uncertain
  int warm_up = 3;                 ///< rounds that do not count
  int counted_turns = 10;          ///< for system calls
  bool throughput_counts = false;  ///< what is looked at: that, or CPU time
  double certain = 0.005;          ///< standard error of a ratio that is good enough
};

struct Row {
  std::string name;
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;
  std::uint64_t lost = 0;
  double cpu_ns = 0;           ///< per request
  double qps = 0;              ///< requests per second of its turns
  Quartiles cpu_ratio;         ///< of CPU time per request, round by round, to the first row
  Quartiles throughput_ratio;  ///< of requests per second, likewise
  double system_calls = 0;     ///< per request; 0 when not counted
};

struct Measurement {
  std::vector<Row> rows;    ///< one per contender, in their order
  std::string not_counted;  ///< why system calls were not, empty if they were
};

/// Starts all contenders, talks to them in turns from the calling thread by `load`, which has no
/// servers yet, and ends them.
/// Throws std::exception when a server does not start or does not answer.
Measurement measure(const std::vector<Contender>& contenders, const Plan& plan, Load& load);

}  // namespace bench
