// compare tcp: CPU time, throughput and system calls per request of echo servers.
#include <getopt.h>

#include <cstdio>
#include <string>

#include "arguments.hpp"
#include "compare.hpp"
#include "paired_load.hpp"
#include "paired_report.hpp"
#include "turn_options.hpp"

namespace bench {
namespace {

constexpr char kHelp[] = R"(usage: compare tcp [options] [NAME=COMMAND ...]

What a request costs echo servers, as ratios to the first one. All are alive at once on one
processor, a load on another talks to them in turns. Without commands there are two groups: what was
built of raw_epoll, proa epoll, Asio, libuv, libevent, libev, and of raw_uring, proa uring, Asio on
io_uring.
  -c, --connections LIST   comma-separated counts (1,100,1000)
  -s, --size BYTES         of a request (256)
      --pipeline N         requests on their way on each connection (1)
  -d, --duration SECONDS   per count and group, up to three times as long while uncertain (10)
      --slice-ms MS        length of a turn (20)
)";

struct Arguments : TurnOptions {
  std::size_t size = 256;
  std::size_t pipeline = 1;
};

Arguments parse(int argc, char** argv) {
  static const option kLong[] = {{"connections", required_argument, nullptr, 'c'},
                                 {"size", required_argument, nullptr, 's'},
                                 {"pipeline", required_argument, nullptr, 'p'},
                                 {"duration", required_argument, nullptr, 'd'},
                                 {"slice-ms", required_argument, nullptr, 'm'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {}};
  Arguments result;
  result.counts = {1, 100, 1000};
  for (int name; (name = getopt_long(argc, argv, "c:s:d:h", kLong, nullptr)) != -1;) {
    switch (name) {
      case 'c':
        result.counts = to_counts("connections", optarg);
        break;
      case 's':
        result.size = to_number("size", optarg, 1, 1U << 20);
        break;
      case 'p':
        result.pipeline = to_number("pipeline", optarg, 1, 1024);
        break;
      case 'd':
        result.plan.seconds = to_seconds("duration", optarg);
        break;
      case 'm':
        result.plan.slice = std::chrono::milliseconds(to_number("slice-ms", optarg, 1, 1000));
        break;
      case 'h':
        std::fputs(kHelp, stdout);
        std::exit(0);
      default:
        std::fputs("try --help\n", stderr);
        std::exit(EX_USAGE);
    }
  }
  result.given = contenders_from(argc, argv, optind);
  if (result.size * result.pipeline > 1U << 24) bad_usage("size times pipeline is above 16 MiB");
  return result;
}

}  // namespace

int compare_tcp(int argc, char** argv, Report& report) {
  Arguments arguments = parse(argc, argv);
  arguments.plan.processor = take_processors();
  int status = kFine;
  for (const auto& [backend, group] : arguments.groups()) {
    for (const std::size_t count : arguments.counts) {
      PairedComparison comparison;
      Comparison& what = comparison.what;
      what.group = "TCP echo";
      what.name = comparison_name("tcp", backend,
                                  std::to_string(arguments.size) + "-" + std::to_string(count));
      what.title = std::to_string(arguments.size) + "-byte echo, " + connections_text(count);
      if (arguments.pipeline > 1) {
        what.name += "-pipeline-" + std::to_string(arguments.pipeline);
        what.title += ", " + std::to_string(arguments.pipeline) + " on their way on each";
      }
      if (!backend.empty()) what.title += ", " + backend;
      comparison.units.one = "echo";
      comparison.units.many = "echoes";
      comparison.make_load = [&, connections = count] {
        return std::make_unique<PairedLoad>(
            Traffic{connections, arguments.size, arguments.pipeline});
      };
      status = worse(status, measure_and_report(group, arguments.plan, comparison, report));
    }
  }
  return status;
}

}  // namespace bench
