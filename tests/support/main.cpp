// main() of every test program, compiled once. Catch reports to stderr; stdout carries TAP, one
// line per test case, because that is how meson learns about single cases and skips (Catch v2 knows
// no skips). Catch's own command line works as usual: names, tags, --list-tests, --break.
#define CATCH_CONFIG_RUNNER
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "support/catch.hpp"

namespace proa_test {
namespace {

std::FILE* tap = nullptr;  // open when --tap was given
int cases = 0;
std::string skipped;
Precondition precondition = nullptr;

#if __has_include(<catch2/catch_all.hpp>)
using ListenerBase = Catch::EventListenerBase;
#else
using ListenerBase = Catch::TestEventListenerBase;
#endif

struct Listener : ListenerBase {
  using ListenerBase::ListenerBase;

  void testCaseStarting(const Catch::TestCaseInfo& info) override {
    ListenerBase::testCaseStarting(info);
    skipped.clear();
  }

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    ListenerBase::testCaseEnded(stats);
    ++cases;
    const bool failed = stats.totals.testCases.failed != 0;
    const std::string name = clean(stats.testInfo);
    if (!failed && !skipped.empty()) {
      std::fprintf(stderr, "SKIPPED %s: %s\n", name.c_str(), skipped.c_str());
    }
    if (!tap) return;
    std::fprintf(tap, "%s %d - %s", failed ? "not ok" : "ok", cases, name.c_str());
    if (!failed && !skipped.empty()) std::fprintf(tap, " # SKIP %s", skipped.c_str());
    std::fprintf(tap, "\n");
    std::fflush(tap);
  }

 private:
  // '#' would begin a TAP directive.
  static std::string clean(const Catch::TestCaseInfo* info) { return clean(*info); }
  static std::string clean(const Catch::TestCaseInfo& info) {
    std::string name = info.name;
    for (char& c : name) {
      if (c == '#' || c == '\n') c = ' ';
    }
    return name;
  }
};
CATCH_REGISTER_LISTENER(Listener)

}  // namespace

Settings& settings() {
  static Settings instance;
  return instance;
}

void skip(const std::string& why, bool unavoidable) {
  skipped = why;
  if (settings().require && !unavoidable) FAIL("skipped, but required: " << why);
  SUCCEED("skipped: " << why);
}

void set_precondition(Precondition asked) { precondition = asked; }

namespace {

// The exit status that ends the program before its first test, or -1.
int refuse(const std::string& why) {
  if (why.empty()) return -1;
  std::fprintf(stderr, "%s: %s\n", settings().require ? "FAILED" : "SKIPPED", why.c_str());
  if (settings().require) {
    if (tap) std::fprintf(tap, "Bail out! %s\n", why.c_str());
    return 1;
  }
  if (!tap) return 77;
  std::fprintf(tap, "1..0 # SKIP %s\n", why.c_str());
  return 0;
}

}  // namespace
}  // namespace proa_test

int main(int argc, char** argv) {
  Catch::Session session;
  auto& settings = proa_test::settings();
  bool tap = false;
#if __has_include(<catch2/catch_all.hpp>)
  using Catch::Clara::Opt;
#else
  using Catch::clara::Opt;
#endif
  session.cli(session.cli() |
              Opt(settings.configuration, "name")["--configuration"]("backend or tier to test") |
              Opt(settings.require)["--require"]("fail instead of skipping") |
              Opt(tap)["--tap"]("TAP on stdout, Catch's report on stderr"));
  if (const int status = session.applyCommandLine(argc, argv)) return status;
  const char* ci = std::getenv("CI");
  if (ci && *ci && std::string(ci) != "false") settings.require = true;

  if (tap) {
    std::fflush(stdout);
    proa_test::tap = ::fdopen(::dup(STDOUT_FILENO), "w");
    if (!proa_test::tap || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
      std::perror("--tap");
      return 2;
    }
  }
  const auto& config = session.configData();
#if __has_include(<catch2/catch_all.hpp>)
  const bool lists_only = config.listTests || config.listTags;
#else
  const bool lists_only = config.listTests || config.listTags || config.listTestNamesOnly;
#endif
  if (proa_test::precondition && !lists_only) {
    int status = 2;
    try {
      status = proa_test::refuse(proa_test::precondition());
    } catch (const std::exception& thrown) {
      std::fprintf(stderr, "%s\n", thrown.what());
    }
    if (status >= 0) {
      if (proa_test::tap) std::fclose(proa_test::tap);
      return status;
    }
  }
  const int failed = session.run();
  if (proa_test::tap) {
    std::fprintf(proa_test::tap, "1..%d\n", proa_test::cases);
    std::fclose(proa_test::tap);
  }
  if (proa_test::cases == 0 && !lists_only && !session.config().hasTestFilters()) {
    std::fprintf(stderr, "no test cases\n");
    return 1;
  }
  return failed == 0 ? 0 : 1;
}
