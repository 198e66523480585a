// compare: the command line. What is measured and how is in measure.cpp, compare_tcp.cpp,
// compare_memory.cpp, and, with command lines of their own, compare_udp.cpp and compare_files.cpp.
#include "compare.hpp"

#include <getopt.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <exception>
#include <fstream>
#include <sstream>

#include "arguments.hpp"
#include "process.hpp"

namespace {

using namespace bench;

constexpr char kHelp[] = R"(usage: compare tcp [options] [NAME=COMMAND ...]
       compare memory [-n N] [NAME=COMMAND ...]
       compare udp [options] [NAME=COMMAND ...]
       compare files [options]

tcp: what a request costs echo servers, as ratios to the first one. All are alive at once on one
processor, a load on another talks to them in turns. Without commands: tcp_server against the floors
in peers/, for epoll and io_uring.
  -c, --connections LIST   comma-separated counts (1,100,1000)
  -s, --size BYTES         of a request (256)
  -d, --duration SECONDS   per count and group, up to three times as long while uncertain (10)
      --slice-ms MS        length of a turn (20)

memory: resident memory of each server per idle connection that has echoed 64 bytes.
  -n, --hold N             connections (10000)

COMMAND is run by the shell, with a free port of 127.0.0.1 for each %p:
  compare tcp a='./a -p %p' b='./b --port %p'

udp: the same for datagrams; compare udp --help.
files: what file_io makes of a file, as ratios to fio or to bare calls; compare files --help.

Exit status: 0; 1 when a program failed or answered wrong; 2 when the self-check failed, so that the
numbers are not to be believed; 64 for bad usage.
)";

struct Arguments {
  std::string subcommand;
  std::vector<std::size_t> counts{1, 100, 1000};
  std::size_t held = 10000;
  std::size_t size = 256;
  Plan plan;
  std::vector<Contender> contenders;
};

Arguments parse(int argc, char** argv) {
  static const option kLong[] = {{"connections", required_argument, nullptr, 'c'},
                                 {"size", required_argument, nullptr, 's'},
                                 {"duration", required_argument, nullptr, 'd'},
                                 {"slice-ms", required_argument, nullptr, 'm'},
                                 {"hold", required_argument, nullptr, 'n'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {nullptr, 0, nullptr, 0}};
  Arguments result;
  for (int name; (name = getopt_long(argc, argv, "c:s:d:n:h", kLong, nullptr)) != -1;) {
    switch (name) {
      case 'c':
        result.counts = to_counts("connections", optarg);
        break;
      case 's':
        result.size = to_number("size", optarg, 1, 1U << 20);
        break;
      case 'd':
        result.plan.seconds = to_seconds("duration", optarg);
        break;
      case 'm':
        result.plan.slice = std::chrono::milliseconds(to_number("slice-ms", optarg, 1, 1000));
        break;
      case 'n':
        result.held = to_number("hold", optarg, 1, 1000000);
        break;
      case 'h':
        std::fputs(kHelp, stdout);
        std::exit(0);
      default:
        std::fputs("try --help\n", stderr);
        std::exit(EX_USAGE);
    }
  }
  if (optind < argc) result.subcommand = argv[optind++];
  while (optind < argc) result.contenders.push_back(to_contender(argv[optind++]));
  return result;
}

std::vector<std::vector<Contender>> default_groups() {
  std::vector<std::vector<Contender>> groups;
  for (const std::string kind : {"epoll", "uring"}) {
    groups.push_back({{"raw_" + kind, built("peers/raw_" + kind) + " -p %p"},
                      {"tcp_server-" + kind, built("tcp_server") + " -p %p --backend " + kind}});
  }
  return groups;
}

std::string processor_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

int run(Arguments arguments) {
  const bool tcp = arguments.subcommand == "tcp";
  if (!tcp && arguments.subcommand != "memory") {
    bad_usage("subcommand '" + arguments.subcommand +
              "' is not one of 'tcp', 'udp', 'memory', 'files'");
  }
  auto groups = arguments.contenders.empty()
                    ? default_groups()
                    : std::vector<std::vector<Contender>>{arguments.contenders};
  const Processors processors = take_processors();
  raise_descriptor_limit();
  if (tcp) {
    arguments.plan.processor = processors.server;
    return compare_tcp(groups, arguments.counts, arguments.size, arguments.plan);
  }
  std::vector<Contender> all;
  for (const auto& group : groups) all.insert(all.end(), group.begin(), group.end());
  return compare_memory(all, arguments.held, processors.server);
}

}  // namespace

std::vector<std::size_t> bench::to_counts(const std::string& what, const std::string& text) {
  std::vector<std::size_t> counts;
  std::stringstream list(text + ",");
  for (std::string item; std::getline(list, item, ',');) {
    counts.push_back(to_number(what, item, 1, 25000));
  }
  return counts;
}

Contender bench::to_contender(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == 0 || equals == std::string::npos || text.find("%p") == std::string::npos) {
    bad_usage("'" + text + "' is not of the form NAME=COMMAND with %p for the port");
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

Processors bench::take_processors() {
  const Processors processors = choose_processors();
  pin_to(processors.load);
  std::printf("%s, servers on processor %d, load on %d\n", machine().c_str(), processors.server,
              processors.load);
  return processors;
}

std::string bench::machine() {
  utsname kernel{};
  uname(&kernel);
  return std::string("kernel ") + kernel.release + ", " + processor_model();
}

int main(int argc, char** argv) {
  try {
    const std::string subcommand = argc > 1 ? argv[1] : "";
    if (subcommand == "files") return compare_files(argc - 1, argv + 1);
    if (subcommand == "udp") return compare_udp(argc - 1, argv + 1);
    return run(parse(argc, argv));
  } catch (const std::exception& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "compare: %s\n", error.what());
    return kFailed;
  }
}
