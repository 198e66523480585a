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
  -s, --size LIST          comma-separated sizes of a request, in bytes (256)
      --pipeline N         requests on their way on each connection (1)
  -d, --duration SECONDS   per size, count and group, up to three times as long while uncertain (10)
      --slice-ms MS        length of a turn (20)
)";

struct Arguments : TurnOptions {
  std::vector<std::size_t> sizes{256};
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
        result.sizes = to_counts("size", optarg, 1U << 20);
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
  for (const std::size_t size : result.sizes) {
    if (size * result.pipeline > 1U << 24) bad_usage("size times pipeline is above 16 MiB");
  }
  return result;
}

PairedComparison comparison_of(const std::string& backend, std::size_t size, std::size_t count,
                               std::size_t pipeline) {
  PairedComparison comparison;
  Comparison& what = comparison.what;
  const std::string bytes = std::to_string(size);
  what.group = "TCP echo";
  what.name = comparison_name("tcp", backend, bytes + "-" + std::to_string(count));
  what.title = bytes + "-byte echo, " + connections_text(count);
  if (pipeline > 1) {
    what.name += "-pipeline-" + std::to_string(pipeline);
    what.title += ", " + std::to_string(pipeline) + " on their way on each";
  }
  if (!backend.empty()) what.title += ", " + backend;
  comparison.units.one = "echo";
  comparison.units.many = "echoes";
  comparison.make_load = [=] {
    return std::make_unique<PairedLoad>(Traffic{count, size, pipeline});
  };
  return comparison;
}

}  // namespace

int compare_tcp(int argc, char** argv, Report& report) {
  Arguments arguments = parse(argc, argv);
  arguments.plan.processor = take_processors();
  const auto groups = arguments.groups();
  expect_comparisons(groups.size() * arguments.sizes.size() * arguments.counts.size(),
                     arguments.plan);
  int status = kFine;
  for (const auto& [backend, group] : groups) {
    for (const std::size_t size : arguments.sizes) {
      for (const std::size_t count : arguments.counts) {
        status = worse(
            status,
            measure_and_report(group, arguments.plan,
                               comparison_of(backend, size, count, arguments.pipeline), report));
      }
    }
  }
  return status;
}

}  // namespace bench
