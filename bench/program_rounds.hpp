// Programs that run to their end and print what they found, in rounds: every one once in each, in a
// new order, the first one twice.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "contender.hpp"
#include "report.hpp"

namespace bench {

/// One of the numbers that the programs print, as lines "NAME VALUE". Those that are no figure
/// become details.
struct Figure {
  std::string name;
  Comparison what;          ///< without contestants
  double tolerance = 0.05;  ///< how far the first program may be from itself
};

/// Runs them and reports one comparison per figure, ratios are to the first program. When a
/// program fails, or prints no such figure, all of them are reported as failed. Returns the exit
/// status. For the line of progress this is one piece of work.
int play_programs(const std::vector<Figure>& figures, Group group, std::size_t rounds,
                  Report& report);

/// -r and --help, which prints `help`. Returns the number of rounds.
std::size_t parse_rounds(int argc, char** argv, const char* help, std::size_t rounds);

}  // namespace bench
