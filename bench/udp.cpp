// udp: closed-loop load for a datagram echo server: udp_server, which it starts, any other program,
// or one that runs already. By default 100 clients send 1000 datagrams of 256 bytes each, 10 of
// them on their way at a time, to 4 workers that share a port.
#include <getopt.h>

#include <cinttypes>
#include <exception>
#include <memory>
#include <stdexcept>

#include "arguments.hpp"
#include "datagram_client.hpp"
#include "own_folder.hpp"
#include "process.hpp"

namespace {

using namespace bench;

constexpr char kHelp[] = R"(usage: udp [options]
Closed-loop load for a UDP echo server; every byte that comes back is compared.

  -c, --clients N          sockets, all served by one thread (100)
  -n, --messages N         per client (1000)
  -s, --size BYTES         of a datagram (256)
  -w, --depth N            datagrams on their way, per client (10)
      --seconds S          so long instead of a number of messages
      --gso N              so many are sent at once as one buffer (UDP_SEGMENT), and received likewise
  -j, --json               the result as one line of JSON, last
The server, udp_server unless told otherwise:
      --workers N          threads that share the port (4)
      --backend NAME       epoll or uring (auto)
      --server COMMAND     run by the shell, with a free port of 127.0.0.1 for each %p
  -h, --host ADDRESS       numeric IPv4 or IPv6 address (127.0.0.1)
  -p, --port PORT          one that runs already, at that address
      --help

A datagram without answer for 50 ms is sent again; it was lost unless an answer comes late.
Exit status: 0, also when some were lost; 1 after any error, 64 for bad usage.
)";

struct Options {
  DatagramShape shape;
  double seconds = 0;  // 0: by number
  bool json = false;
  std::size_t workers = 4;
  std::string backend = "auto";
  std::string server;  // a command
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
};

void take(Options& options, int name, const std::string& value) {
  switch (name) {
    case 'c':
      options.shape.clients = to_number("clients", value, 1, 100000);
      break;
    case 'n':
      options.shape.messages = to_number("messages", value, 1, 1000000000000U);
      break;
    case 's':
      options.shape.size = to_number("size", value, 1, 1U << 20);
      break;
    case 'w':
      options.shape.depth = to_number("depth", value, 1, 100000);
      break;
    case 't':
      options.seconds = to_seconds("seconds", value);
      break;
    case 'g':
      options.shape.segments = to_number("gso", value, 1, 64);
      break;
    case 'j':
      options.json = true;
      break;
    case 'W':
      options.workers = to_number("workers", value, 1, 1024);
      break;
    case 'b':
      options.backend = value;
      break;
    case 'S':
      options.server = value;
      break;
    case 'h':
      options.host = value;
      break;
    case 'p':
      options.port = static_cast<std::uint16_t>(to_number("port", value, 1, 65535));
      break;
    case 'H':
      std::fputs(kHelp, stdout);
      std::exit(0);
    default:
      std::fputs("try --help\n", stderr);
      std::exit(EX_USAGE);
  }
}

Options parse(int argc, char** argv) {
  static const option kLong[] = {
      {"clients", required_argument, nullptr, 'c'}, {"messages", required_argument, nullptr, 'n'},
      {"size", required_argument, nullptr, 's'},    {"depth", required_argument, nullptr, 'w'},
      {"seconds", required_argument, nullptr, 't'}, {"gso", required_argument, nullptr, 'g'},
      {"json", no_argument, nullptr, 'j'},          {"workers", required_argument, nullptr, 'W'},
      {"backend", required_argument, nullptr, 'b'}, {"server", required_argument, nullptr, 'S'},
      {"host", required_argument, nullptr, 'h'},    {"port", required_argument, nullptr, 'p'},
      {"help", no_argument, nullptr, 'H'},          {}};
  Options options;
  options.shape.messages = 1000;
  for (int name; (name = getopt_long(argc, argv, "c:n:s:w:jh:p:", kLong, nullptr)) != -1;) {
    take(options, name, optarg != nullptr ? optarg : "");
  }
  if (optind < argc) bad_usage("'" + std::string(argv[optind]) + "' is no option");
  if (options.port != 0 && !options.server.empty()) bad_usage("either a port or a server");
  if (options.seconds > 0) options.shape.messages = 0;
  if (const std::string mistake = options.shape.mistake(); !mistake.empty()) bad_usage(mistake);
  if (const std::string warning = options.shape.warning(); !warning.empty()) {
    std::fprintf(stderr, "udp: %s\n", warning.c_str());
  }
  return options;
}

std::string server_command(const Options& options) {
  if (!options.server.empty()) return options.server;
  return built("udp_server") + " -p %p --backend " + options.backend + " --workers " +
         std::to_string(options.workers) + (options.shape.segments > 1 ? " --gso" : "");
}

struct Result {
  Turn turn;
  std::uint64_t sent = 0;
  std::uint64_t lost = 0;
  double cpu_ns = -1;  // of the server, in all; unknown if it is not ours

  double per_second(std::uint64_t count) const { return static_cast<double>(count) / turn.seconds; }
  double cpu_per_echo() const { return cpu_ns / static_cast<double>(turn.requests); }
};

void print_text(const Options& options, const DatagramClient& client, const Result& result) {
  const auto& latencies = client.latencies();
  const auto microseconds = [&](double percent) {
    return static_cast<double>(latencies.percentile(percent)) / 1e3;
  };
  std::printf("%zu clients, datagrams of %zu bytes, %zu on their way per client",
              options.shape.clients, options.shape.size, options.shape.depth);
  if (options.shape.segments > 1) std::printf(", %zu sent at once", options.shape.segments);
  std::printf("\ntotal: %" PRIu64 " sent, %" PRIu64 " echoed in %.3f s, %" PRIu64
              " lost (%.3f %%), %" PRIu64 " errors\n",
              result.sent, result.turn.requests, result.turn.seconds, result.lost,
              100 * static_cast<double>(result.lost) / static_cast<double>(result.sent),
              result.turn.errors);
  std::printf("average: %.0f/s sent, %.0f/s echoed, %.0f packets/s of both directions\n",
              result.per_second(result.sent), result.per_second(result.turn.requests),
              result.per_second(result.sent + result.turn.requests));
  std::printf("latency: p50 %.1f us, p99 %.1f us, p99.9 %.1f us, max %.1f us\n", microseconds(50),
              microseconds(99), microseconds(99.9), static_cast<double>(latencies.max()) / 1e3);
  if (result.cpu_ns >= 0) {
    std::printf("server: %.0f ns CPU per echoed datagram, %.2f processors\n", result.cpu_per_echo(),
                result.cpu_ns / result.turn.seconds / 1e9);
  }
  std::fflush(stdout);
  for (const auto& error : client.errors_by_kind()) {
    std::fprintf(stderr, "error: %s (%" PRIu64 " times)\n", error.first.c_str(), error.second);
  }
}

void print_json(const Options& options, const DatagramClient& client, const Result& result) {
  const auto& latencies = client.latencies();
  std::printf(
      "{\"clients\": %zu, \"size\": %zu, \"depth\": %zu, \"segments\": %zu, \"seconds\": %.3f, "
      "\"sent\": %" PRIu64 ", \"echoed\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"errors\": %" PRIu64
      ", \"echoes_per_s\": %.1f, \"packets_per_s\": %.1f",
      options.shape.clients, options.shape.size, options.shape.depth, options.shape.segments,
      result.turn.seconds, result.sent, result.turn.requests, result.lost, result.turn.errors,
      result.per_second(result.turn.requests),
      result.per_second(result.sent + result.turn.requests));
  if (result.cpu_ns >= 0) std::printf(", \"cpu_ns_per_echo\": %.1f", result.cpu_per_echo());
  std::printf(", \"p50_ns\": %" PRIu64 ", \"p99_ns\": %" PRIu64 ", \"p999_ns\": %" PRIu64
              ", \"max_ns\": %" PRIu64 "}\n",
              latencies.percentile(50), latencies.percentile(99), latencies.percentile(99.9),
              latencies.max());
}

int run(const Options& options) {
  const std::uint64_t limit = raise_descriptor_limit();
  if (options.shape.clients + 16 > limit) {
    bad_usage(std::to_string(options.shape.clients) +
              " clients need more descriptors than the limit of " + std::to_string(limit));
  }
  std::unique_ptr<ServerProcess> server;
  std::string name = options.host + " port " + std::to_string(options.port);
  if (options.port == 0) {
    name = server_command(options);
    server = std::make_unique<ServerProcess>(name, name, Transport::udp, kAnyProcessor);
  }
  DatagramClient client(
      name,
      to_endpoint(server ? "127.0.0.1" : options.host, server ? server->port() : options.port),
      options.shape);
  Result result;
  const auto before = server ? server->cpu_time() : std::chrono::nanoseconds(0);
  const auto length = options.seconds > 0 ? std::chrono::duration<double>(options.seconds)
                                          : std::chrono::hours(24 * 365);
  result.turn = client.run(std::chrono::duration_cast<std::chrono::nanoseconds>(length));
  if (server) result.cpu_ns = static_cast<double>((server->cpu_time() - before).count());
  result.sent = client.sent();
  result.lost = client.lost();
  if (result.turn.requests == 0) throw std::runtime_error(name + ": nothing was echoed");
  std::printf("server: %s\n", name.c_str());
  print_text(options, client, result);
  if (options.json) print_json(options, client, result);
  return result.turn.errors == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "udp: %s\n", error.what());
    return 1;
  }
}
