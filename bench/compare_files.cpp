// compare files: the scenarios, and the commands of the programs that play them. fio is told to
// leave out what it does besides input and output: its map of blocks, its scrambling of buffers.
#include "compare_files.hpp"

#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "arguments.hpp"
#include "compare.hpp"
#include "process.hpp"
#include "progress.hpp"
#include "run_program.hpp"
#include "shared_file.hpp"

namespace bench {

namespace {

constexpr char kHelp[] = R"(usage: compare files [options]
Reads and writes of files, as ratios of IOPS, from programs that run in turns.

      --scenario LIST  comma-separated (all of them):
                       direct-read, direct-write: O_DIRECT, random, 4 KiB, 32 in flight; file_io
                         with uring against fio io_uring, with epoll against fio libaio
                       cached-read: the same from the page cache; both against fio io_uring
                       seed: 4 workers, 1000 blocks of 4 KiB each, buffered, batches of 1 and 4;
                         epoll and uring against raw_file_io and against each other
      --rounds N       in which every program runs once, the first one twice (5)
      --seconds S      a run takes (3; 2 in the seed's test)
      --dir DIRECTORY  for the files, which nothing is left of (/tmp)
      --size MIB       of the file, 2^20 bytes, except in the seed's test (256)

Without fio (package fio) the scenarios that need it are skipped, and said to be.
No ratio is printed when the first program against itself was not at 1.00 within 0.05, twice.
)";

const std::vector<std::string> kScenarios{"direct-read", "direct-write", "cached-read", "seed"};
constexpr const char* kDepth = "32";

FilePlan parse(int argc, char** argv) {
  static const option kLong[] = {{"scenario", required_argument, nullptr, 'S'},
                                 {"rounds", required_argument, nullptr, 'r'},
                                 {"seconds", required_argument, nullptr, 's'},
                                 {"dir", required_argument, nullptr, 'd'},
                                 {"size", required_argument, nullptr, 'm'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {nullptr, 0, nullptr, 0}};
  FilePlan plan;
  for (int name; (name = getopt_long(argc, argv, "S:r:s:d:m:h", kLong, nullptr)) != -1;) {
    switch (name) {
      case 'S': {
        plan.scenarios.clear();
        std::stringstream list(optarg);
        for (std::string item; std::getline(list, item, ',');) plan.scenarios.push_back(item);
        break;
      }
      case 'r':
        plan.rounds = to_number("rounds", optarg, 1, 1000);
        break;
      case 's':
        plan.seconds = to_seconds("seconds", optarg);
        break;
      case 'd':
        plan.folder = optarg;
        break;
      case 'm':
        plan.megabytes = to_number("size", optarg, 1, 1U << 20);
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
  for (const auto& scenario : plan.scenarios) {
    if (std::find(kScenarios.begin(), kScenarios.end(), scenario) == kScenarios.end()) {
      bad_usage("there is no scenario '" + scenario + "'");
    }
  }
  return plan;
}

/// A built program beside this one.
std::string program(const std::string& name) {
  const std::string path = own_folder() + "/" + name;
  if (access(path.c_str(), X_OK) != 0)
    throw std::runtime_error(path + ": not there, build it first");
  return quoted(path) + " --json";
}

/// fio says "fio-3.33".
std::string fio_version() {
  std::string text = output_of("fio --version");
  text = text.substr(0, text.find('\n'));
  if (text.rfind("fio-", 0) == 0) text[3] = ' ';
  return text;
}

class Scenarios {
 public:
  explicit Scenarios(const FilePlan& plan)
      : plan_(plan), bytes_(std::to_string(plan.megabytes << 20)), file_(plan.folder) {}

  std::vector<FileComparison> direct(const std::string& phase) {
    fill();
    file_.drop_cache();
    const std::string what =
        "O_DIRECT random " + phase + "s of 4 KiB, depth " + kDepth + ", " + length(3) + " each";
    const std::string name = "direct-" + phase;
    return {{name + "-uring",
             what,
             {fio("io_uring", phase, true), own("uring", phase, true)},
             {phase},
             {}},
            {name + "-epoll",
             what,
             {fio("libaio", phase, true), own("epoll", phase, true)},
             {phase},
             {}}};
  }

  FileComparison cached() {
    fill();
    // All of it, once: 2^20 bytes begin as the block of 4 KiB at the same offset does.
    output_of(program("peers/raw_file_io") + " -w 1 -b 1048576 --read-only -n " +
              std::to_string(plan_.megabytes) + on_file());
    return {
        "cached-read",
        std::string("page-cache hits, random reads of 4 KiB, depth ") + kDepth + ", " + length(3) +
            " each",
        {fio("io_uring", "read", false), own("uring", "read", false), own("epoll", "read", false)},
        {"read"},
        {{2, 1}}};
  }

  FileComparison seed() const {
    const std::string work = " -w 4 -n 1000 -b 4096 --dir " + quoted(plan_.folder) + " --seconds " +
                             std::to_string(seconds(2) / 2);
    const FileRunner bare{{"raw_file_io", program("peers/raw_file_io") + work, "floor"}, false};
    const auto mine = [&](const std::string& backend, const std::string& batch) {
      Contender contender = ours("file_io", backend, " --json --batch " + batch + work);
      contender.name += " batch " + batch;
      return FileRunner{contender, false};
    };
    return {"seed",
            "4 workers, 1000 blocks of 4 KiB each, buffered, " + length(2) +
                " each: half of it writes, then reads",
            {bare, mine("epoll", "1"), mine("uring", "1"), mine("epoll", "4"), mine("uring", "4")},
            {"write", "read"},
            {{1, 2}, {3, 4}, {3, 1}, {4, 2}}};
  }

 private:
  double seconds(double usual) const { return plan_.seconds > 0 ? plan_.seconds : usual; }
  std::string length(double usual) const {
    char text[32];
    std::snprintf(text, sizeof text, "%g s", seconds(usual));
    return text;
  }
  std::string on_file() const { return " --file " + file_.path() + " --size " + bytes_; }

  /// file_io makes the file, all of it, before it does anything else.
  void fill() const { output_of(program("file_io") + " -w 1 -n 1 --read-only" + on_file()); }

  FileRunner own(const std::string& backend, const std::string& phase, bool direct) const {
    return {
        ours("file_io", backend,
             " --json" + on_file() + " -w 1 --random --depth " + kDepth + " --" + phase + "-only" +
                 (direct ? " --direct" : "") + " --seconds " + std::to_string(seconds(3))),
        false};
  }

  FileRunner fio(const std::string& engine, const std::string& phase, bool direct) const {
    const auto milliseconds = static_cast<unsigned long>(seconds(3) * 1000);
    return {{"fio " + engine,
             "fio --name=compare --output-format=json --thread --numjobs=1 --ioengine=" + engine +
                 " --rw=rand" + phase + " --bs=4096 --iodepth=" + kDepth +
                 " --direct=" + (direct ? "1" : "0") + " --filename=" + file_.path() +
                 " --size=" + bytes_ + " --time_based --runtime=" + std::to_string(milliseconds) +
                 "ms --norandommap --randrepeat=0 --invalidate=0 --fadvise_hint=0" +
                 " --scramble_buffers=0",
             "peer", "", fio_version()},
            true};
  }

  const FilePlan& plan_;
  std::string bytes_;
  SharedFile file_;
};

Comparison skipped(const std::string& name) {
  Comparison comparison;
  comparison.name = "files-" + name;
  comparison.group = "Files";
  comparison.title = name;
  comparison.quantity = "operations per second";
  comparison.unit = "1/s";
  comparison.lower_is_better = false;
  return comparison;
}

/// Read or written directly, a file has one comparison per backend.
double comparisons_of(const std::string& scenario) {
  return scenario.rfind("direct", 0) == 0 ? 2 : 1;
}

/// `make` is called only when the scenario is wanted, just before it is played.
template <class Make>
void play(const FilePlan& plan, const std::string& name, bool needs_fio, int& status,
          Report& report, Make make) {
  if (!plan.wants(name)) return;
  if (needs_fio && !is_installed("fio")) {
    report.skip(skipped(name), "fio is not installed (package fio)");
    status = worse(status, kNoise);
    finish_work(comparisons_of(name));
    return;
  }
  const auto guarded = [&](const std::string& what, const auto& action) {
    try {
      action();
    } catch (const std::exception& error) {
      report.fail(skipped(what), error.what());
      status = kFailed;
    }
  };
  std::vector<FileComparison> comparisons;
  guarded(name, [&] { comparisons = make(); });
  for (auto& comparison : comparisons) {
    guarded(std::string(comparison.name), [&] {
      status = worse(status, play_file_comparison(std::move(comparison), plan.rounds, report));
    });
    finish_work(1);
  }
}

}  // namespace

int compare_files(int argc, char** argv, Report& report) {
  const FilePlan plan = parse(argc, argv);
  pin_to(kAnyProcessor);
  double comparisons = 0;
  for (const auto& scenario : plan.scenarios) comparisons += comparisons_of(scenario);
  expect_work(comparisons);
  Scenarios scenarios(plan);
  int status = kFine;
  // What fio writes does not pass for what file_io expects to read: after its writes nothing is
  // read.
  using All = std::vector<FileComparison>;
  play(plan, "direct-read", true, status, report, [&] { return scenarios.direct("read"); });
  play(plan, "cached-read", true, status, report, [&] { return All{scenarios.cached()}; });
  play(plan, "direct-write", true, status, report, [&] { return scenarios.direct("write"); });
  play(plan, "seed", false, status, report, [&] { return All{scenarios.seed()}; });
  return status;
}

}  // namespace bench
