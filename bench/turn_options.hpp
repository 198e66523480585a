// The command line of subcommands that measure servers in turns and have few options.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "contender.hpp"
#include "measure.hpp"

namespace bench {

struct TurnOptions {
  std::vector<std::size_t> counts;  ///< of connections
  Plan plan;
  Group given;  ///< NAME=COMMAND

  /// What is measured by itself, with the backend's name: what was given, or what was built, with
  /// these options besides the port.
  std::vector<std::pair<std::string, Group>> groups(const std::string& options = {}) const;
};

/// -c, -d, --slice-ms and --help, which prints `help`.
TurnOptions parse_turn_options(int argc, char** argv, const char* help,
                               std::vector<std::size_t> counts);

/// "tcp-epoll-256", without the backend where commands were given.
std::string comparison_name(const std::string& what, const std::string& backend,
                            const std::string& rest);

/// "100 connections".
std::string connections_text(std::size_t count);

}  // namespace bench
