// proa-probe: which backends work here, why the others do not, and the limits that matter; or what
// the system calls below them cost here.
#include <sys/resource.h>
#include <sys/utsname.h>

#include <fstream>
#include <vector>

#include "measure/report.hpp"
#include "tool.hpp"

namespace {

constexpr char help[] =
    R"(usage: proa-probe [--names] [--exclude NAME]...
       proa-probe --measure [--directory DIRECTORY] [--seconds SECONDS] [--exclude NAME]...
Tries every backend of proa on this machine and says which work, why the others do not, which one
a program gets that does not ask for one, and which limits of the system matter. Or measures what
the system calls below the backends do here, without proa: whether they can wait for a regular
file, how long a wake-up takes, how many random reads of a file there are in a second, what an
event costs with 1, 100 and 10000 descriptors ready, and the system calls for each.

      --names                only the names of the backends that work, one per line
      --exclude NAME         do not try that backend; for io_uring where it is fatal (seccomp's
                             KILL)
      --measure              measure epoll with libaio, io_uring, poll and select; elsewhere kqueue
                             in place of the first two, without the reads. Besides the file this
                             takes up to 10016 descriptors
      --directory DIRECTORY  where the file of 64 MiB is, which has no name and is gone afterwards
                             ($TMPDIR, else the current directory)
      --seconds SECONDS      how long all the measuring takes, about (20)
      --help

Exit status: 0, 1 if no backend works or the directory is not writable, 2 for bad usage. What
cannot be measured is said in the place of its figures.
)";

struct Finding {
  std::string name;
  bool works = false;
  std::string text;  // the features in use, or why it does not work
};

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

Finding probe(const std::string& name, proa::Options options) {
  options.backend = name;
  options.fallback = false;
  std::error_code error;
  std::string detail;
  const auto proactor = proa::Proactor::create(options, error, &detail);
  if (proactor) return {name, true, join(proactor->backend().features)};
  if (error == proa::Error::no_such_backend) return {name, false, "not part of this build"};
  const std::string prefix = name + ": ";
  if (detail.compare(0, prefix.size(), prefix) == 0) detail.erase(0, prefix.size());
  return {name, false, detail};
}

void print_backends(const std::vector<Finding>& findings) {
  std::printf("%-9s %-6s %s\n", "backend", "works", "features in use, or why not");
  for (const Finding& finding : findings) {
    std::printf("%-9s %-6s %s\n", finding.name.c_str(), finding.works ? "yes" : "no",
                finding.text.c_str());
  }
}

/// What a program gets that does not ask for a backend.
void print_choice(const proa::Options& options) {
  std::error_code error;
  std::string detail;
  const auto proactor = proa::Proactor::create(options, error, &detail);
  if (!proactor) {
    std::printf("\nauto takes none: %s\n", detail.c_str());
    return;
  }
  const proa::BackendReport& report = proactor->backend();
  const bool replaced = report.chosen_by == "PROA_BACKEND";
  std::printf("\nauto takes %s%s\n", report.name.c_str(),
              replaced ? ", because the environment has PROA_BACKEND" : "");
  for (const auto& refusal : report.refused) {
    std::printf("     not %s: %s\n", refusal.name.c_str(), refusal.reason.c_str());
  }
}

std::string setting(const std::string& name) {
  std::string path = "/proc/sys/" + name;
  for (char& c : path) {
    if (c == '.') c = '/';
  }
  std::string text;
  std::getline(std::ifstream(path), text);
  return text.empty() ? "unknown" : text;
}

std::string in_units(rlim_t value, bool bytes) {
  if (value == RLIM_INFINITY) return "unlimited";
  if (bytes && value >= 1024 && value % 1024 == 0) return std::to_string(value / 1024) + " KiB";
  return std::to_string(value) + (bytes ? " bytes" : "");
}

std::string limit(decltype(RLIMIT_NOFILE) which, bool bytes) {
  rlimit now{};
  if (::getrlimit(which, &now) != 0) return "unknown";
  std::string text = in_units(now.rlim_cur, bytes);
  if (now.rlim_max != now.rlim_cur) text += ", at most " + in_units(now.rlim_max, bytes);
  return text;
}

void print_limit(const char* name, const std::string& value, const char* meaning) {
  std::printf("%-25s %-25s %s\n", name, value.c_str(), meaning);
}

void print_limits() {
  std::printf("\n");
  print_limit("limit", "value", "what it bounds");
  print_limit("RLIMIT_NOFILE", limit(RLIMIT_NOFILE, false),
              "descriptors: connections, listeners, files");
  if (setting("kernel.ostype") != "Linux") return;
  print_limit("RLIMIT_MEMLOCK", limit(RLIMIT_MEMLOCK, true),
              "rings and buffers of io_uring, all processes");
  print_limit("fs.aio-max-nr", setting("fs.aio-max-nr") + ", used " + setting("fs.aio-nr"),
              "file operations of epoll, all processes");
  print_limit("net.core.somaxconn", setting("net.core.somaxconn"), "connections not yet accepted");
  const std::string disabled = setting("kernel.io_uring_disabled");
  print_limit("kernel.io_uring_disabled", disabled,
              disabled == "0"   ? "everybody may use io_uring"
              : disabled == "1" ? "only root and one group may use io_uring"
              : disabled == "2" ? "nobody may use io_uring"
                                : "came with Linux 6.6");
}

void print_title() {
  utsname system{};
  ::uname(&system);
  std::printf("proa %s on %s %s (%s)\n", proa::version(), system.sysname, system.release,
              system.machine);
}

void measure_system(const measure::Plan& plan, const char* directory) {
  if (!directory) directory = std::getenv("TMPDIR");
  if (!directory || *directory == '\0') directory = ".";
  measure::TestFile file;
  const measure::Trouble trouble = file.make(directory);
  if (!trouble.empty()) {
    tool::die(std::string("no file can be made in the directory \"") + directory +
              "\": " + trouble);
  }
  print_title();
  measure::measure_and_print(plan, file, directory);
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv);
  enum { option_directory = 1, option_measure, option_names, option_seconds };
  const option long_options[] = {{"directory", required_argument, nullptr, option_directory},
                                 {"exclude", required_argument, nullptr, tool::option_exclude},
                                 {"help", no_argument, nullptr, 'h'},
                                 {"measure", no_argument, nullptr, option_measure},
                                 {"names", no_argument, nullptr, option_names},
                                 {"seconds", required_argument, nullptr, option_seconds},
                                 {}};
  proa::Options options;
  bool names_only = false;
  bool measures = false;
  const char* seconds = nullptr;
  const char* directory = nullptr;
  for (int c; (c = ::getopt_long(argc, argv, "h", long_options, nullptr)) != -1;) {
    if (tool::take_backend_option(c, options)) continue;
    switch (c) {
      case option_directory:
        directory = optarg;
        break;
      case option_measure:
        measures = true;
        break;
      case option_names:
        names_only = true;
        break;
      case option_seconds:
        seconds = optarg;
        break;
      case 'h':
        std::fputs(help, stdout);
        return 0;
      default:
        tool::die("try --help", tool::usage_error);
    }
  }
  if (optind < argc) tool::bad_usage(std::string("unexpected argument \"") + argv[optind] + "\"");
  if (measures && names_only) tool::bad_usage("--names and --measure are for different things");
  if (!measures && (seconds || directory)) {
    tool::bad_usage("--directory and --seconds are for --measure");
  }
  if (measures) {
    measure::Plan plan;
    plan.exclude = options.exclude;
    if (seconds) {
      plan.seconds = std::chrono::duration<double>(tool::to_seconds("time", seconds)).count();
    }
    measure_system(plan, directory);
    return 0;
  }

  std::vector<Finding> findings;
  bool any = false;
  for (const char* const name : {"uring", "epoll", "kqueue"}) {
    findings.push_back(probe(name, options));
    any = any || findings.back().works;
  }
  if (names_only) {
    for (const Finding& finding : findings) {
      if (finding.works) std::puts(finding.name.c_str());
    }
  } else {
    print_title();
    std::printf("\n");
    print_backends(findings);
    print_choice(options);
    print_limits();
  }
  return any ? 0 : tool::failure;
}
