// What `compare tcp` and `compare udp` share: the table, and the self-check without which it means
// nothing.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compare.hpp"
#include "load.hpp"
#include "measure.hpp"

namespace bench {

/// What is counted, in the words of the table.
struct Units {
  const char* peers;  ///< column of what the load has several of
  const char* one;    ///< "req" in "CPU ns/req"
  const char* many;   ///< "requests" in "requests/s"
  bool can_be_lost;   ///< with a column for those that were
};

struct PairedComparison {
  std::size_t peers = 0;
  std::string what;  ///< "100 connections"
  Units units{};
  /// How far the first server may be from itself, in what counts.
  double tolerance = 0.02;
  std::function<std::unique_ptr<Load>()> make_load;
};

void print_header(const Units& units);

/// Measures and prints a line per contender. The first also runs a second time, as one more in
/// every round: if that one does not come out at 1.00, everything is measured once more; if it
/// fails again, the numbers are not to be believed. Returns the exit status.
int measure_and_print(std::vector<Contender> contenders, const Plan& plan,
                      const PairedComparison& comparison);

}  // namespace bench
