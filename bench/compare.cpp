// compare: the table of its subcommands, and what they have in common on the command line.
#include "compare.hpp"

#include <getopt.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <sstream>

#include "arguments.hpp"
#include "machine.hpp"
#include "process.hpp"
#include "progress.hpp"

namespace {

using namespace bench;

struct Subcommand {
  const char* name;
  const char* what;
  int (*run)(int argc, char** argv, Report& report);
};

constexpr Subcommand kSubcommands[] = {
    {"tcp", "what a request costs TCP echo servers", compare_tcp},
    {"latency", "how long TCP requests wait that come at a given rate", compare_latency},
    {"udp", "the same for datagrams", compare_udp},
    {"instructions", "user-space instructions of an echo, by callgrind", compare_instructions},
    {"accept", "what a short connection costs servers", compare_accept},
    {"connect", "what a short connection costs clients", compare_connect},
    {"bulk", "what it costs servers to receive much", compare_bulk},
    {"idle", "user memory of an idle connection", compare_idle},
    {"post", "work from other threads", compare_post},
    {"timers", "arming and cancelling one of a million timers", compare_timers},
    {"files", "what file_io makes of a file, to fio or to bare calls", compare_files},
    {"matrix", "throughput, in the tables of the report that this began with", compare_matrix},
    {"protocols", "proa-serve and proa-dns beside nginx and Knot DNS", compare_protocols},
};

/// What `compare all` runs one after the other. Arguments have blanks in between.
struct Step {
  const char* subcommand;
  const char* quick;  ///< its arguments with --quick; the first of a subcommand are its own --quick
  double quick_seconds;  ///< about so long, with all that can be compared
  const char* full;
  double full_seconds;
};

constexpr Step kSteps[] = {
    {"tcp", "-c 1,100 -d 1", 10, "", 75},
    {"tcp", "-c 10 -s 64,1024,4096,16384,65536 -d 0.5", 15, "-c 10 -s 64,1024,4096,16384,65536",
     120},
    {"tcp", "-c 10 --pipeline 16 -d 0.5", 3, "-c 10 --pipeline 16", 25},
    {"latency", "-d 3", 10, "", 50},
    {"udp", "--scenario datagrams,gso -d 1", 5, "", 55},
    {"instructions", "-r 2 --no-peers", 30, "", 120},
    {"accept", "-d 1", 5, "", 25},
    {"connect", "-r 5", 10, "", 30},
    {"bulk", "-c 1 -d 1", 5, "", 45},
    {"idle", "-n 1000", 10, "", 30},
    {"post", "-r 3", 10, "", 15},
    {"timers", "-r 2", 20, "", 50},
    {"files", "--seconds 0.2 --rounds 3", 15, "", 300},
    {"matrix", "-c 100,1000 -d 0.2 -r 3", 30, "", 380},
    {"protocols", "-d 0.5", 10, "", 60},
};

constexpr char kHelp[] = R"(
all           all of these one after the other

Options of every subcommand, besides its own, which `compare SUBCOMMAND --help` lists:
      --json FILE   writes what was found there too, after each comparison
      --quick       in place of all others: a short version, for a first look

Numbers are ratios to the first contestant, taken turn by turn. Where turns differ too much for a
ratio, or the first contestant differs from itself, "refused" and the reason stand in its place.

COMMAND is run by the shell, with a free port of 127.0.0.1 for each %p:
  compare tcp a='./a -p %p' b='./b --port %p'

Exit status: 0; 1 when a program failed or answered wrong; 77 when a ratio was refused, because the
machine was too uneven, or nothing could be compared here; 64 for bad usage.
)";

void print_help() {
  std::printf(
      "usage: compare SUBCOMMAND [options] [NAME=COMMAND ...]\n"
      "       compare all [--quick] [--json FILE]\n\n");
  for (const auto& subcommand : kSubcommands) {
    std::printf("%-13s %s\n", subcommand.name, subcommand.what);
  }
  std::fputs(kHelp + 1, stdout);
}

const Subcommand* find(const std::string& name) {
  for (const auto& subcommand : kSubcommands) {
    if (name == subcommand.name) return &subcommand;
  }
  return nullptr;
}

/// Runs one; whatever it throws is its failure.
int run(const Subcommand& subcommand, int argc, char** argv, Report& report) {
  try {
    optind = 0;  // glibc: begin anew
    return subcommand.run(argc, argv, report);
  } catch (const std::exception& error) {
    clear_progress();
    std::fflush(stdout);
    std::fprintf(stderr, "compare: %s: %s\n", subcommand.name, error.what());
    return kFailed;
  }
}

int run_with(const Subcommand& subcommand, const std::string& arguments, Report& report) {
  std::vector<std::string> words{subcommand.name};
  std::stringstream list(arguments);
  for (std::string word; list >> word;) words.push_back(word);
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return run(subcommand, static_cast<int>(words.size()), pointers.data(), report);
}

int run_quick(const Subcommand& subcommand, Report& report) {
  const auto* const step = std::find_if(std::begin(kSteps), std::end(kSteps), [&](const Step& one) {
    return find(one.subcommand) == &subcommand;
  });
  return run_with(subcommand, step->quick, report);
}

int run_all(int argc, char** argv, Report& report) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    print_help();
    return kFine;
  }
  const bool quick = argc == 2 && std::strcmp(argv[1], "--quick") == 0;
  if (argc > 1 && !quick) bad_usage(std::string("all: unexpected argument '") + argv[1] + "'");
  const auto seconds = [quick](const Step& step) {
    return quick ? step.quick_seconds : step.full_seconds;
  };
  double after = 0;
  for (const Step& step : kSteps) after += seconds(step);
  int status = kFine;
  std::size_t number = 0;
  for (const Step& step : kSteps) {
    after -= seconds(step);
    begin_step(std::to_string(++number) + " of " + std::to_string(std::size(kSteps)), seconds(step),
               after);
    const char* const arguments = quick ? step.quick : step.full;
    status = worse(status, run_with(*find(step.subcommand), arguments, report));
  }
  return status;
}

/// Removes --json FILE, which may stand anywhere behind the subcommand, and returns FILE.
std::string take_json(std::vector<char*>& arguments) {
  for (auto at = arguments.begin(); at != arguments.end(); ++at) {
    const std::string word = *at;
    if (word.rfind("--json=", 0) == 0) {
      arguments.erase(at);
      return word.substr(7);
    }
    if (word != "--json") continue;
    if (at + 1 == arguments.end()) bad_usage("--json needs a file");
    const std::string file = at[1];
    arguments.erase(at, at + 2);
    return file;
  }
  return {};
}

/// One word of a command for the shell, in quotes if it needs them.
std::string shell_word(const std::string& word) {
  constexpr char kPlain[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:=%+@";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char letter : word) {
    if (letter == '\'') {
      quoted += "'\\''";
    } else {
      quoted += letter;
    }
  }
  return quoted + "'";
}

int dispatch(std::vector<char*>& arguments, Report& report) {
  const std::string name = arguments.empty() ? "" : arguments.front();
  const int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  if (name == "all") return run_all(count, arguments.data(), report);
  if (const Subcommand* const subcommand = find(name)) {
    const bool quick = count == 2 && std::strcmp(arguments[1], "--quick") == 0;
    return quick ? run_quick(*subcommand, report)
                 : run(*subcommand, count, arguments.data(), report);
  }
  bad_usage("there is no subcommand '" + name + "'");
}

}  // namespace

std::vector<std::size_t> bench::to_counts(const std::string& what, const std::string& text,
                                          std::size_t most) {
  std::vector<std::size_t> counts;
  std::stringstream list(text + ",");
  for (std::string item; std::getline(list, item, ',');) {
    const std::size_t count = to_number(what, item, 1, most);
    if (std::find(counts.begin(), counts.end(), count) != counts.end()) {
      bad_usage(what + ": " + std::to_string(count) + " stands there twice");
    }
    counts.push_back(count);
  }
  return counts;
}

Group bench::contenders_from(int argc, char** argv, int first) {
  Group group;
  for (int index = first; index < argc; ++index) {
    Contender contender = to_contender(argv[index]);
    const auto has_its_name = [&](const Contender& one) { return one.name == contender.name; };
    if (std::any_of(group.begin(), group.end(), has_its_name)) {
      bad_usage("there are two of the name '" + contender.name + "'");
    }
    group.push_back(std::move(contender));
  }
  return group;
}

int bench::take_processors() {
  const Processors processors = choose_processors();
  pin_to(processors.load);
  raise_descriptor_limit();
  std::printf("servers on processor %d, load on %d\n", processors.server, processors.load);
  return processors.server;
}

int main(int argc, char** argv) {
  std::string command = "compare";
  for (int index = 1; index < argc; ++index) command += " " + shell_word(argv[index]);
  std::vector<char*> arguments(argv + 1, argv + argc);
  const std::string json = take_json(arguments);
  if (!arguments.empty() &&
      (std::strcmp(arguments[0], "--help") == 0 || std::strcmp(arguments[0], "-h") == 0)) {
    print_help();
    return kFine;
  }
  Report report;
  try {
    // Whether the file can be written is known before hours have passed.
    if (!json.empty()) report.keep_in(json, command);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "compare: %s\n", error.what());
    return kFailed;
  }
  std::printf("%s\n", machine().c_str());
  const int status = dispatch(arguments, report);
  clear_progress();
  if (status == kNoise) std::printf("\nexit status 77: see what was refused or skipped\n");
  try {
    report.write();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "compare: %s\n", error.what());
    return kFailed;
  }
  return status;
}
