// The options that the tools that serve share: where to listen, how much to take on, and how to
// end.
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include "tool.hpp"

namespace tool {

/// What a tool that serves is told, and what the tool hands to serve().
struct Serving {
  proa::Options options;
  std::vector<std::string> addresses;
  proa::ListenOptions listen;
  /// Connections of all threads together.
  std::size_t limit = proa::ServerBase::unlimited;
  /// How long connections may take to end after SIGINT or SIGTERM.
  proa::Duration drain = std::chrono::seconds(5);
  unsigned threads = 1;
};

inline unsigned long to_number(const std::string& what, const std::string& text, unsigned long low,
                               unsigned long high) {
  char* end = nullptr;
  errno = 0;
  const unsigned long number = std::strtoul(text.c_str(), &end, 10);
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  if (!digits || errno != 0 || number < low || number > high) {
    bad_usage(what + " \"" + text + "\" is not a number from " + std::to_string(low) + " to " +
              std::to_string(high));
  }
  return number;
}

// Rows for getopt_long(3), and what --help says of them. `--listen` has the letter l.
enum ServingOption {
  option_backlog = 2000,
  option_buffers,
  option_drain,
  option_limit,
  option_threads,
  option_workers
};

#define TOOL_SERVING_OPTIONS                                           \
  {"listen", required_argument, nullptr, 'l'},                         \
      {"backlog", required_argument, nullptr, tool::option_backlog},   \
      {"buffers", required_argument, nullptr, tool::option_buffers},   \
      {"drain", required_argument, nullptr, tool::option_drain},       \
      {"limit", required_argument, nullptr, tool::option_limit},       \
      {"threads", required_argument, nullptr, tool::option_threads},   \
      {"workers", required_argument, nullptr, tool::option_workers}, { \
    "help", no_argument, nullptr, 'h'                                  \
  }

#define TOOL_SERVING_HELP                                                                      \
  "      --limit COUNT      serve so many connections at a time; more wait in the backlog\n"   \
  "      --backlog COUNT    how many may wait to be accepted (as many as the system allows)\n" \
  "      --threads COUNT    serve in so many threads, which share each TCP or UDP port (1);\n" \
  "                         the first one alone has the UNIX addresses\n"                      \
  "      --buffers COUNT    receive buffers of a thread (4096)\n"                              \
  "      --workers COUNT    further threads of each thread, for what waits for a disk (4)\n"   \
  "      --drain SECONDS    how long connections may take to end after SIGINT or SIGTERM (5)\n"

#define TOOL_SIGNALS_HELP                                                                      \
  "SIGUSR1 prints the counters of each thread. SIGINT or SIGTERM: no new connections, those\n" \
  "there are end as they should; a second one ends the program at once.\n"

/// True if it was one of the options above.
inline bool take_serving_option(int which, Serving& serving) {
  switch (which) {
    case option_backlog:
      serving.listen.backlog = static_cast<int>(to_number("backlog", optarg, 1, 1u << 30));
      return true;
    case option_buffers:
      serving.options.buffers = to_number("buffers", optarg, 2, 1u << 24);
      return true;
    case option_drain:
      serving.drain = to_seconds("drain", optarg);
      return true;
    case option_limit:
      serving.limit = to_number("limit", optarg, 1, 1u << 30);
      return true;
    case option_threads:
      serving.threads = static_cast<unsigned>(to_number("threads", optarg, 1, 1024));
      return true;
    case option_workers:
      serving.options.workers = static_cast<unsigned>(to_number("workers", optarg, 1, 1024));
      return true;
    default:
      return take_backend_option(which, serving.options);
  }
}

}  // namespace tool
