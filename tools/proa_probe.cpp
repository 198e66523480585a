// proa-probe: which backends work here, why the others do not, and the limits that matter.
#include <sys/resource.h>
#include <sys/utsname.h>

#include <fstream>
#include <vector>

#include "tool.hpp"

namespace {

constexpr char help[] =
    R"(usage: proa-probe [--names] [--exclude NAME]...
Tries every backend of proa on this machine and says which work, why the others do not, which one
a program gets that does not ask for one, and which limits of the system matter.

      --names         only the names of the backends that work, one per line
      --exclude NAME  do not try that backend; for io_uring where it is fatal (seccomp's KILL)
      --help

Exit status: 0, 1 if no backend works, 2 for bad usage.
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
  std::printf("proa %s on %s %s (%s)\n\n", proa::version(), system.sysname, system.release,
              system.machine);
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv);
  const option long_options[] = {{"names", no_argument, nullptr, 'n'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {"exclude", required_argument, nullptr, tool::option_exclude},
                                 {}};
  proa::Options options;
  bool names_only = false;
  for (int c; (c = ::getopt_long(argc, argv, "h", long_options, nullptr)) != -1;) {
    if (tool::take_backend_option(c, options)) continue;
    if (c == 'h') {
      std::fputs(help, stdout);
      return 0;
    }
    if (c != 'n') tool::die("try --help", tool::usage_error);
    names_only = true;
  }
  if (optind < argc) tool::bad_usage(std::string("unexpected argument \"") + argv[optind] + "\"");

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
    print_backends(findings);
    print_choice(options);
    print_limits();
  }
  return any ? 0 : tool::failure;
}
