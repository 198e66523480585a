// compare matrix: the tables of the benchmark report that this project began with, the seed,
// measured here. Like there, a load is one thread, and throughput is what counts.
#include <getopt.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "arguments.hpp"
#include "compare.hpp"
#include "matrix_table.hpp"
#include "process.hpp"
#include "progress.hpp"
#include "run_program.hpp"

namespace bench {
namespace {

constexpr char kHelp[] = R"(usage: compare matrix [options]

The tables of the report that this project began with, measured here: echoes/s, packets/s, IOPS.
Every program runs alone, in turns with the others; ratios are to the first. Figures that others have
published of their machines stand beside them. Nothing is divided by those.
  TCP: 256 bytes, one request on its way per connection, tcp_client on another processor than the
       server; raw_epoll, raw_uring, and proa, which sleeps or looks for 100 us before it does
  UDP: 256 bytes, 100 clients, 10 on their way each, 4 workers on all processors
  files: 4 KiB, buffered; reads per second of the time for as many writes, and then reads

  -c, --connections LIST   comma-separated counts (100,500,1000)
  -d, --duration SECONDS   of a run (2)
  -r, --rounds N           in which every program runs once, the first one twice (5)
      --directory NAME     for the files, which nothing is left of (.)
)";

constexpr char kThree[] = "another machine's (macOS kqueue / Linux io_uring / epoll, as published)";

struct Arguments {
  std::vector<std::size_t> connections{100, 500, 1000};
  std::string seconds = "2";
  std::size_t rounds = 5;
  std::string directory = ".";
};

Arguments parse(int argc, char** argv) {
  static const option kLong[] = {{"connections", required_argument, nullptr, 'c'},
                                 {"duration", required_argument, nullptr, 'd'},
                                 {"rounds", required_argument, nullptr, 'r'},
                                 {"directory", required_argument, nullptr, 'D'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {}};
  Arguments result;
  for (int name; (name = getopt_long(argc, argv, "c:d:r:h", kLong, nullptr)) != -1;) {
    switch (name) {
      case 'c':
        result.connections = to_counts("connections", optarg);
        break;
      case 'd':
        to_seconds("duration", optarg);
        result.seconds = optarg;
        break;
      case 'r':
        result.rounds = to_number("rounds", optarg, 2, 1000);
        break;
      case 'D':
        result.directory = optarg;
        break;
      case 'h':
        std::fputs(kHelp, stdout);
        std::exit(0);
      default:
        std::fputs("try --help\n", stderr);
        std::exit(EX_USAGE);
    }
  }
  if (optind < argc) bad_usage(std::string("unexpected argument '") + argv[optind] + "'");
  return result;
}

Comparison row_of(const std::string& name, const std::string& title, const std::string& quantity) {
  Comparison what;
  what.name = "matrix-" + name;
  what.group = "Seed's matrix";
  what.title = title;
  what.quantity = quantity;
  what.unit = "1/s";
  what.lower_is_better = false;
  return what;
}

std::pair<std::string, double> microseconds(const std::string& name, const std::string& output,
                                            const std::string& object, const std::string& key) {
  return {name, number_in(output, object, key) / 1e3};
}

Group tcp_servers() {
  const auto spinning = [](const std::string& backend) {
    Contender contender = ours("tcp_server", backend, " -p %p --spin 100");
    contender.name += " spin 100";
    return contender;
  };
  return {floor("raw_epoll", "epoll", " -p %p"), floor("raw_uring", "uring", " -p %p"),
          ours("tcp_server", "epoll", " -p %p"), spinning("epoll"),
          ours("tcp_server", "uring", " -p %p"), spinning("uring")};
}

MatrixTable tcp_table(const Arguments& arguments, int processor) {
  MatrixTable table{"TCP echo of 256 bytes, echoes/s", "connections", kThree, {}};
  for (const std::size_t count : arguments.connections) {
    const std::string connections = std::to_string(count);
    const std::string load = built("tcp_client") + " --quiet --json -s 256 -c " + connections +
                             " -d " + arguments.seconds + " -p ";
    const auto run = [=](const Contender& contender) -> MatrixRun {
      const ServerProcess server(contender.name, contender.command, Transport::tcp, processor);
      const std::string output = output_of(load + std::to_string(server.port()));
      return {number_in(output, "connections", "qps"),
              {microseconds("p50 us", output, "connections", "p50_ns"),
               microseconds("p99 us", output, "connections", "p99_ns")}};
    };
    table.rows.push_back(
        {connections, count == 100 ? "320,799 / 302,893 / 177,102" : "",
         row_of("tcp-" + connections, "TCP echo of 256 bytes, " + connections + " connections",
                "echoes per second"),
         tcp_servers(), run});
  }
  return table;
}

MatrixTable udp_table(const Arguments& arguments) {
  const std::string load =
      built("udp") + " --json -c 100 -s 256 -w 10 --seconds " + arguments.seconds + " -p ";
  const auto run = [=](const Contender& contender) -> MatrixRun {
    const ServerProcess server(contender.name, contender.command, Transport::udp, kAnyProcessor);
    const std::string output = output_of(load + std::to_string(server.port()));
    return {number_in(output, "clients", "packets_per_s"),
            {{"lost", number_in(output, "clients", "lost")},
             microseconds("p50 us", output, "clients", "p50_ns"),
             microseconds("p99 us", output, "clients", "p99_ns")}};
  };
  const Group servers{floor("raw_udp", "epoll", " -p %p --reuse-port 4"),
                      ours("udp_server", "epoll", " -p %p --workers 4"),
                      ours("udp_server", "uring", " -p %p --workers 4")};
  return {"UDP echo of 256 bytes, 4 workers, packets/s of both directions",
          "clients",
          "another machine's (Linux, as published)",
          {{"100", "35,082",
            row_of("udp-100", "UDP echo of 256 bytes, 100 clients, 4 workers",
                   "packets per second, of both directions"),
            servers, run}}};
}

/// Such as "4 workers, batch 1".
MatrixRow file_row(const Arguments& arguments, const std::string& workers, const std::string& batch,
                   const std::string& published) {
  const std::string load = " --json -b 4096 -n 1000 -w " + workers + " --batch " + batch +
                           " --dir " + quoted(arguments.directory) + " --seconds " +
                           std::to_string(std::stod(arguments.seconds) / 2);
  const auto run = [](const Contender& contender) -> MatrixRun {
    const std::string output = output_of(contender.command);
    const double writes = number_in(output, "write", "iops");
    const double reads = number_in(output, "read", "iops");
    // As many of these as of those take 1 / writes + 1 / reads each.
    return {1 / (1 / writes + 1 / reads),
            {{"writes per second", writes}, {"reads per second", reads}}};
  };
  Comparison what = row_of("files-" + workers + "-" + batch,
                           "files: 4 KiB, " + workers + " workers, batch " + batch,
                           "reads per second of the time for writes and reads");
  return {workers + ", " + batch,
          published,
          what,
          {floor("raw_file_io", "", load), ours("file_io", "epoll", load),
           ours("file_io", "uring", load)},
          run};
}

MatrixTable file_table(const Arguments& arguments) {
  return {"Files, 4 KiB, IOPS: reads per second of the time for as many writes, and then reads",
          "workers, batch",
          kThree,
          {file_row(arguments, "4", "1", "38,095 / 40,000 / 2,663"),
           file_row(arguments, "4", "4", "- / - / 5,004"), file_row(arguments, "8", "1", "")}};
}

}  // namespace

int compare_matrix(int argc, char** argv, Report& report) {
  const Arguments arguments = parse(argc, argv);
  const int processor = take_processors();
  const MatrixTable tcp = tcp_table(arguments, processor);
  const MatrixTable udp = udp_table(arguments);
  const MatrixTable files = file_table(arguments);
  double runs = 0;  // of a round
  for (const MatrixTable& table : {tcp, udp, files}) {
    for (const MatrixRow& row : table.rows) runs += runs_of_round(row);
  }
  expect_work(runs, runs * static_cast<double>(arguments.rounds) * std::stod(arguments.seconds));
  int status = play_matrix(tcp, arguments.rounds, report);
  pin_to(kAnyProcessor);
  status = worse(status, play_matrix(udp, arguments.rounds, report));
  return worse(status, play_matrix(files, arguments.rounds, report));
}

}  // namespace bench
