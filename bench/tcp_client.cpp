// tcp_client: closed-loop echo load. Each connection sends a request, waits for the echo, compares
// it, sends the next. Prints requests and megabytes per second while it runs, then totals, errors
// and latencies. The exit status is 0 only if every byte came back right: benchmarks of a server
// that drops data are not worth printing.
#include <getopt.h>

#include <cinttypes>
#include <exception>

#include "arguments.hpp"
#include "echo_client.hpp"

namespace {

constexpr char kHelp[] =
    R"(usage: tcp_client [options]
Closed-loop load for a TCP echo server; every byte that comes back is compared.

  -h, --host ADDRESS      numeric IPv4 or IPv6 address (127.0.0.1)
  -p, --port PORT         (8080)
  -c, --connections N     all kept busy from one thread (100)
  -s, --size BYTES        of a request (256)
  -d, --duration SECONDS  after all have connected (10)
  -q, --quiet             no line per second
  -j, --json              the result as one line of JSON, last
      --help

MB/s counts payload in one direction, 10^6 bytes.
Exit status: 0, 1 after any error, 64 for bad usage.
)";

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::size_t connections = 100;
  std::size_t size = 256;
  double seconds = 10;
  bool quiet = false;
  bool json = false;
};

Options parse(int argc, char** argv) {
  static const option kLong[] = {{"host", required_argument, nullptr, 'h'},
                                 {"port", required_argument, nullptr, 'p'},
                                 {"connections", required_argument, nullptr, 'c'},
                                 {"size", required_argument, nullptr, 's'},
                                 {"duration", required_argument, nullptr, 'd'},
                                 {"quiet", no_argument, nullptr, 'q'},
                                 {"json", no_argument, nullptr, 'j'},
                                 {"help", no_argument, nullptr, 'H'},
                                 {nullptr, 0, nullptr, 0}};
  Options options;
  for (int name; (name = getopt_long(argc, argv, "h:p:c:s:d:qj", kLong, nullptr)) != -1;) {
    switch (name) {
      case 'h':
        options.host = optarg;
        break;
      case 'p':
        options.port = static_cast<std::uint16_t>(bench::to_number("port", optarg, 1, 65535));
        break;
      case 'c':
        options.connections = bench::to_number("connections", optarg, 1, 1000000);
        break;
      case 's':
        options.size = bench::to_number("size", optarg, 1, 1U << 30);
        break;
      case 'd':
        options.seconds = bench::to_seconds("duration", optarg);
        break;
      case 'q':
        options.quiet = true;
        break;
      case 'j':
        options.json = true;
        break;
      case 'H':
        std::fputs(kHelp, stdout);
        std::exit(0);
      default:
        std::fputs("try --help\n", stderr);
        std::exit(EX_USAGE);
    }
  }
  if (optind < argc) bench::bad_usage(std::string("unexpected argument '") + argv[optind] + "'");
  return options;
}

struct Rate {
  double qps;
  double megabytes;
};

Rate rate(std::uint64_t requests, std::size_t size, double seconds) {
  const double qps = static_cast<double>(requests) / seconds;
  return {qps, qps * static_cast<double>(size) / 1e6};
}

double seconds_since(bench::Clock::time_point start) {
  return std::chrono::duration<double>(bench::Clock::now() - start).count();
}

/// Runs the load; returns how long it took.
double run(bench::EchoClient& client, const Options& options) {
  const auto start = bench::Clock::now();
  const auto end = start + std::chrono::duration_cast<bench::Clock::duration>(
                               std::chrono::duration<double>(options.seconds));
  std::uint64_t requests = 0;
  for (auto next = start; next < end && client.open_connections() > 0;) {
    const auto begin = bench::Clock::now();
    next = std::min(next + std::chrono::seconds(1), end);
    client.run(next);
    const Rate now = rate(client.requests() - requests, options.size, seconds_since(begin));
    requests = client.requests();
    if (options.quiet) continue;
    std::printf("%6.1f s %10.0f QPS %9.1f MB/s\n", seconds_since(start), now.qps, now.megabytes);
    std::fflush(stdout);
  }
  return seconds_since(start);
}

void print_text(const Options& options, const bench::EchoClient& client, double seconds,
                Rate average) {
  const auto& latencies = client.latencies();
  const auto microseconds = [&](double percent) {
    return static_cast<double>(latencies.percentile(percent)) / 1e3;
  };
  std::printf("total: %" PRIu64 " requests of %zu bytes on %zu connections in %.2f s, %" PRIu64
              " errors\n",
              client.requests(), options.size, options.connections, seconds, client.errors());
  std::printf("average: %.0f QPS, %.1f MB/s\n", average.qps, average.megabytes);
  std::printf("latency: p50 %.1f us, p99 %.1f us, p99.9 %.1f us, max %.1f us\n", microseconds(50),
              microseconds(99), microseconds(99.9), static_cast<double>(latencies.max()) / 1e3);
  std::fflush(stdout);
  for (const auto& error : client.errors_by_kind()) {
    std::fprintf(stderr, "error: %s (%" PRIu64 " times)\n", error.first.c_str(), error.second);
  }
}

void print_json(const Options& options, const bench::EchoClient& client, double seconds,
                Rate average) {
  const auto& latencies = client.latencies();
  std::printf("{\"connections\": %zu, \"size\": %zu, \"seconds\": %.3f, \"requests\": %" PRIu64
              ", \"errors\": %" PRIu64 ", \"qps\": %.1f, \"mb_per_s\": %.3f, \"p50_ns\": %" PRIu64
              ", \"p99_ns\": %" PRIu64 ", \"p999_ns\": %" PRIu64 ", \"max_ns\": %" PRIu64 "}\n",
              options.connections, options.size, seconds, client.requests(), client.errors(),
              average.qps, average.megabytes, latencies.percentile(50), latencies.percentile(99),
              latencies.percentile(99.9), latencies.max());
}

int run_client(const Options& options) {
  const bench::Endpoint server = bench::to_endpoint(options.host, options.port);
  const std::uint64_t limit = bench::raise_descriptor_limit();
  if (options.connections + 16 > limit) {
    bench::bad_usage(std::to_string(options.connections) +
                     " connections need more descriptors than the limit of " +
                     std::to_string(limit));
  }
  bench::EchoClient client(server, options.connections, options.size);
  client.connect(bench::Clock::now() + std::chrono::seconds(10));
  const double seconds = run(client, options);
  const Rate average = rate(client.requests(), options.size, seconds);
  client.drain(bench::Clock::now() + std::chrono::seconds(5));

  print_text(options, client, seconds, average);
  if (options.json) print_json(options, client, seconds, average);
  return client.errors() == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_client(parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tcp_client: %s\n", error.what());
    return 1;
  }
}
