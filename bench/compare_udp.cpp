// compare udp: datagram echo servers in turns: command line and scenarios.
#include <getopt.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "arguments.hpp"
#include "compare.hpp"
#include "paired_datagrams.hpp"
#include "paired_report.hpp"

namespace bench {
namespace {

constexpr char kHelp[] = R"(usage: compare udp [options] [NAME=COMMAND ...]

What an echoed datagram costs servers, as ratios to the first. All are alive at once, a load talks
to them in turns. Without commands: udp_server, for epoll and io_uring, against peers/raw_udp.

      --scenario LIST      comma-separated (datagrams,gso,seed):
                           datagrams: servers on one processor, load on another, turns of 20 ms
                           gso: like datagrams, but the load sends several at once as one buffer
                             (UDP_SEGMENT); servers other than the first do likewise
                           seed: the servers have several workers (SO_REUSEPORT), nobody is bound
                             to a processor, turns of 2 s, up to nine times the duration
  -c, --clients LIST       comma-separated counts; seed: the last of them (100)
  -w, --depth N            datagrams on their way, per client (10)
  -s, --size BYTES         of a datagram (256)
  -d, --duration SECONDS   per count, up to three times as long while uncertain (10)
      --slice-ms MS        length of a turn, except of seed (20)
      --segments N         of a buffer, gso (10)
      --workers N          seed (4)

COMMAND is run by the shell, with a free port of 127.0.0.1 for each %p; it must echo UDP.
Exit status: 0; 1 when a program failed or answered wrong; 2 when the self-check failed, so that the
numbers are not to be believed; 64 for bad usage.
)";

struct Arguments {
  std::string scenarios = "datagrams,gso,seed";
  std::vector<std::size_t> clients{100};
  DatagramShape shape;
  std::size_t segments = 10;
  std::size_t workers = 4;
  Plan plan;
  std::vector<Contender> contenders;

  bool plays(const std::string& scenario) const {
    return ("," + scenarios + ",").find("," + scenario + ",") != std::string::npos;
  }
};

void check_scenarios(const std::string& list) {
  std::size_t start = 0;
  for (std::size_t comma = 0; comma != std::string::npos; start = comma + 1) {
    comma = list.find(',', start);
    const std::string name = list.substr(start, comma - start);
    if (name != "datagrams" && name != "seed" && name != "gso") {
      bad_usage("scenario '" + name + "' is not one of 'datagrams', 'seed', 'gso'");
    }
  }
}

Arguments parse(int argc, char** argv) {
  static const option kLong[] = {
      {"scenario", required_argument, nullptr, 'S'}, {"clients", required_argument, nullptr, 'c'},
      {"depth", required_argument, nullptr, 'w'},    {"size", required_argument, nullptr, 's'},
      {"duration", required_argument, nullptr, 'd'}, {"slice-ms", required_argument, nullptr, 'm'},
      {"segments", required_argument, nullptr, 'g'}, {"workers", required_argument, nullptr, 'W'},
      {"help", no_argument, nullptr, 'h'},           {}};
  Arguments result;
  result.plan.transport = Transport::udp;
  for (int name; (name = getopt_long(argc, argv, "c:w:s:d:h", kLong, nullptr)) != -1;) {
    switch (name) {
      case 'S':
        result.scenarios = optarg;
        check_scenarios(optarg);
        break;
      case 'c':
        result.clients = to_counts("clients", optarg);
        break;
      case 'w':
        result.shape.depth = to_number("depth", optarg, 1, 100000);
        break;
      case 's':
        result.shape.size = to_number("size", optarg, 1, 1U << 20);
        break;
      case 'd':
        result.plan.seconds = to_seconds("duration", optarg);
        break;
      case 'm':
        result.plan.slice = std::chrono::milliseconds(to_number("slice-ms", optarg, 1, 1000));
        break;
      case 'g':
        result.segments = to_number("segments", optarg, 2, 64);
        break;
      case 'W':
        result.workers = to_number("workers", optarg, 1, 1024);
        break;
      case 'h':
        std::fputs(kHelp, stdout);
        std::exit(0);
      default:
        std::fputs("try --help\n", stderr);
        std::exit(EX_USAGE);
    }
  }
  while (optind < argc) result.contenders.push_back(to_contender(argv[optind++]));
  DatagramShape largest = result.shape;
  if (result.plays("gso")) largest.segments = result.segments;
  if (const std::string mistake = largest.mistake(); !mistake.empty()) bad_usage(mistake);
  return result;
}

/// The floor, and the library with each backend, with these options.
std::vector<Contender> servers(const std::string& suffix, const std::string& floor_options,
                               const std::string& options) {
  std::vector<Contender> result{
      {"raw_udp" + suffix, built("peers/raw_udp") + " -p %p" + floor_options}};
  for (const std::string backend : {"epoll", "uring"}) {
    result.push_back({"udp_server-" + backend + suffix,
                      built("udp_server") + " -p %p --backend " + backend + options});
  }
  return result;
}

std::vector<Contender> gso_servers() {
  std::vector<Contender> result = servers("-gso", " --gso", " --gso");
  result.insert(result.begin(), {"raw_udp", built("peers/raw_udp") + " -p %p"});
  return result;
}

PairedComparison comparison_of(const DatagramShape& shape, bool new_sockets = false) {
  PairedComparison comparison;
  comparison.peers = shape.clients;
  comparison.what = std::to_string(shape.clients) + " clients";
  comparison.units = {"clients", "dgram", "echoes", true};
  comparison.make_load = [=] { return std::make_unique<PairedDatagrams>(shape, new_sockets); };
  return comparison;
}

void print_title(const std::string& scenario, const DatagramShape& shape, const Plan& plan) {
  std::printf("\n%s: datagrams of %zu bytes, %zu on their way per client", scenario.c_str(),
              shape.size, shape.depth);
  if (shape.segments > 1) std::printf(", %zu sent at once", shape.segments);
  std::printf(", turns of %.0f ms\n", static_cast<double>(plan.slice.count()) / 1e6);
}

int play_turns(const Arguments& arguments, const std::string& scenario, DatagramShape shape,
               const std::vector<Contender>& contenders) {
  int status = kFine;
  print_title(scenario, shape, arguments.plan);
  print_header(comparison_of(shape).units);
  for (const std::size_t count : arguments.clients) {
    shape.clients = count;
    if (const std::string warning = shape.warning(); !warning.empty()) {
      std::fprintf(stderr, "compare: %s\n", warning.c_str());
    }
    status = std::max(status, measure_and_print(contenders, arguments.plan, comparison_of(shape)));
  }
  return status;
}

/// Several workers compete with the load for the processors, as they do in real life: what counts
/// is the throughput, and turns are long, because schedulers need time to settle.
int play_seed(const Arguments& arguments, const std::vector<Contender>& contenders) {
  Plan plan = arguments.plan;
  plan.processor = kAnyProcessor;
  plan.slice = std::chrono::seconds(2);
  plan.seconds *= 3;
  plan.warm_up = 1;
  plan.counted_turns = 1;
  plan.certain = 0.01;
  plan.throughput_counts = true;
  DatagramShape shape = arguments.shape;
  shape.clients = arguments.clients.back();
  PairedComparison comparison = comparison_of(shape, true);
  comparison.tolerance = 0.05;
  print_title("seed, " + std::to_string(arguments.workers) + " workers on all processors", shape,
              plan);
  print_header(comparison.units);
  pin_to(kAnyProcessor);
  return measure_and_print(contenders, plan, comparison);
}

}  // namespace

int compare_udp(int argc, char** argv) {
  Arguments arguments = parse(argc, argv);
  const auto or_given = [&](auto&& own) {
    return arguments.contenders.empty() ? own() : arguments.contenders;
  };
  raise_descriptor_limit();
  const Processors processors = take_processors();
  arguments.plan.processor = processors.server;
  int status = kFine;
  if (arguments.plays("datagrams")) {
    status = play_turns(arguments, "datagrams", arguments.shape,
                        or_given([] { return servers("", "", ""); }));
  }
  if (arguments.plays("gso")) {
    DatagramShape shape = arguments.shape;
    shape.segments = arguments.segments;
    status = std::max(status, play_turns(arguments, "gso", shape, or_given(gso_servers)));
  }
  if (arguments.plays("seed")) {
    const std::string workers = std::to_string(arguments.workers);
    const auto own = [&] {
      return servers("", " --reuse-port " + workers, " --workers " + workers);
    };
    status = std::max(status, play_seed(arguments, or_given(own)));
  }
  return status;
}

}  // namespace bench
