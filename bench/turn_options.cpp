#include "turn_options.hpp"

#include <getopt.h>

#include <cstdio>

#include "arguments.hpp"
#include "compare.hpp"

namespace bench {

std::vector<std::pair<std::string, Group>> TurnOptions::groups(const std::string& options) const {
  if (!given.empty()) return {{"", given}};
  return {{"epoll", epoll_servers(options)}, {"uring", uring_servers(options)}};
}

TurnOptions parse_turn_options(int argc, char** argv, const char* help,
                               std::vector<std::size_t> counts) {
  static const option kLong[] = {{"connections", required_argument, nullptr, 'c'},
                                 {"duration", required_argument, nullptr, 'd'},
                                 {"slice-ms", required_argument, nullptr, 'm'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {}};
  TurnOptions result;
  result.counts = std::move(counts);
  for (int name; (name = getopt_long(argc, argv, "c:d:h", kLong, nullptr)) != -1;) {
    switch (name) {
      case 'c':
        result.counts = to_counts("connections", optarg);
        break;
      case 'd':
        result.plan.seconds = to_seconds("duration", optarg);
        break;
      case 'm':
        result.plan.slice = std::chrono::milliseconds(to_number("slice-ms", optarg, 1, 1000));
        break;
      case 'h':
        std::fputs(help, stdout);
        std::exit(0);
      default:
        std::fputs("try --help\n", stderr);
        std::exit(EX_USAGE);
    }
  }
  result.given = contenders_from(argc, argv, optind);
  return result;
}

std::string comparison_name(const std::string& what, const std::string& backend,
                            const std::string& rest) {
  return what + "-" + (backend.empty() ? "" : backend + "-") + rest;
}

std::string connections_text(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " connection" : " connections");
}

}  // namespace bench
