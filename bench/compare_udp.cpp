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

COMMAND must echo UDP.
)";

constexpr std::size_t kSeedTimes = 3;  // as long as the others

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
  result.contenders = contenders_from(argc, argv, optind);
  DatagramShape largest = result.shape;
  if (result.plays("gso")) largest.segments = result.segments;
  if (const std::string mistake = largest.mistake(); !mistake.empty()) bad_usage(mistake);
  return result;
}

/// The floor, and the library with each backend, with these options.
Group servers(const std::string& floor_options, const std::string& options) {
  return {floor("raw_udp", "epoll", " -p %p" + floor_options),
          ours("udp_server", "epoll", " -p %p" + options),
          ours("udp_server", "uring", " -p %p" + options)};
}

/// All of them with GSO, against the floor without.
Group gso_servers() {
  Group result = servers(" --gso", " --gso");
  for (auto& server : result) server.name += " gso";
  result.insert(result.begin(), floor("raw_udp", "epoll", " -p %p"));
  return result;
}

PairedComparison comparison_of(const std::string& scenario, const std::string& how,
                               const DatagramShape& shape, const Plan& plan,
                               bool new_sockets = false) {
  PairedComparison comparison;
  const std::string size = std::to_string(shape.size);
  const std::string clients = std::to_string(shape.clients);
  comparison.what.group = "UDP echo";
  comparison.what.name = "udp-" + scenario + "-" + size + "-" + clients;
  comparison.what.title = scenario + ": " + size + " bytes, " + clients + " clients, " +
                          std::to_string(shape.depth) + " on their way each" + how + ", turns of " +
                          std::to_string(plan.slice.count() / 1000000) + " ms";
  comparison.units.one = "echo";
  comparison.units.many = "echoes";
  comparison.units.can_be_lost = true;
  comparison.make_load = [=] { return std::make_unique<PairedDatagrams>(shape, new_sockets); };
  return comparison;
}

int play_turns(const Arguments& arguments, const std::string& scenario, DatagramShape shape,
               const Group& contenders, Report& report) {
  int status = kFine;
  const std::string how =
      shape.segments > 1 ? ", " + std::to_string(shape.segments) + " sent at once" : "";
  for (const std::size_t count : arguments.clients) {
    shape.clients = count;
    if (const std::string warning = shape.warning(); !warning.empty()) {
      std::fprintf(stderr, "compare: %s\n", warning.c_str());
    }
    const auto comparison = comparison_of(scenario, how, shape, arguments.plan);
    status = worse(status, measure_and_report(contenders, arguments.plan, comparison, report));
  }
  return status;
}

/// Several workers compete with the load for the processors, as they do in real life: what counts
/// is the throughput, and turns are long, because schedulers need time to settle.
int play_seed(const Arguments& arguments, const Group& contenders, Report& report) {
  Plan plan = arguments.plan;
  plan.processor = kAnyProcessor;
  plan.slice = std::chrono::seconds(2);
  plan.seconds *= kSeedTimes;
  plan.warm_up = 1;
  plan.counted_turns = 1;
  plan.certain = 0.01;
  plan.throughput_counts = true;
  DatagramShape shape = arguments.shape;
  shape.clients = arguments.clients.back();
  const std::string how = ", " + std::to_string(arguments.workers) + " workers on all processors";
  PairedComparison comparison = comparison_of("seed", how, shape, plan, true);
  comparison.tolerance = 0.05;
  pin_to(kAnyProcessor);
  return measure_and_report(contenders, plan, comparison, report);
}

}  // namespace

int compare_udp(int argc, char** argv, Report& report) {
  Arguments arguments = parse(argc, argv);
  const auto or_given = [&](auto&& own) {
    return arguments.contenders.empty() ? own() : arguments.contenders;
  };
  arguments.plan.processor = take_processors();
  const std::size_t turns = arguments.plays("datagrams") + arguments.plays("gso");
  expect_comparisons(turns * arguments.clients.size() + arguments.plays("seed") * kSeedTimes,
                     arguments.plan);
  int status = kFine;
  if (arguments.plays("datagrams")) {
    const Group group = or_given([] { return servers("", ""); });
    status = play_turns(arguments, "datagrams", arguments.shape, group, report);
  }
  if (arguments.plays("gso")) {
    DatagramShape shape = arguments.shape;
    shape.segments = arguments.segments;
    status = worse(status, play_turns(arguments, "gso", shape, or_given(gso_servers), report));
  }
  if (arguments.plays("seed")) {
    const std::string workers = std::to_string(arguments.workers);
    const auto own = [&] { return servers(" --reuse-port " + workers, " --workers " + workers); };
    status = worse(status, play_seed(arguments, or_given(own), report));
  }
  return status;
}

}  // namespace bench
