// Which backend is taken, and what is said of those that were not.
#include <cerrno>
#include <cstdlib>
#include <proa/proa.hpp>
#include <string>

#include "support/catch.hpp"
#include "sys/sys.hpp"

namespace {

/// Sets PROA_BACKEND while it lives.
class Environment {
 public:
  explicit Environment(const char* value) { ::setenv("PROA_BACKEND", value, 1); }
  ~Environment() { ::unsetenv("PROA_BACKEND"); }
};

/// Stands in for io_uring_setup(2) and counts how often it was tried.
class FailingSetup {
 public:
  explicit FailingSetup(int error) {
    failure = error;
    calls = 0;
    before_ = proa::sys::table.uring_setup;
    proa::sys::table.uring_setup = [](unsigned, io_uring*, io_uring_params*) noexcept -> long {
      ++calls;
      return -failure;
    };
  }
  ~FailingSetup() { proa::sys::table.uring_setup = before_; }
  static int calls;

 private:
  static int failure;
  long (*before_)(unsigned, io_uring*, io_uring_params*) noexcept;
};
int FailingSetup::calls = 0;
int FailingSetup::failure = 0;

struct Outcome {
  std::unique_ptr<proa::Proactor> proactor;
  std::error_code error;
  std::string detail;
};

Outcome create(const proa::Options& options) {
  Outcome outcome;
  outcome.proactor = proa::Proactor::create(options, outcome.error, &outcome.detail);
  return outcome;
}

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string refuse(const proa::Options&, bool) { return "it is made of cardboard"; }
std::unique_ptr<proa::Backend> fail(const proa::BackendContext&, std::string& why_not) {
  why_not = "no cardboard left";
  return nullptr;
}

}  // namespace

TEST_CASE("an unknown backend is refused by name") {
  proa::Options options;
  options.backend = "iocp";
  const Outcome outcome = create(options);
  REQUIRE_FALSE(outcome.proactor);
  CHECK(outcome.error == proa::Error::no_such_backend);
  CHECK(mentions(outcome.detail, "\"iocp\""));
  CHECK(mentions(outcome.detail, "epoll"));
  CHECK_THROWS_AS(proa::Proactor(options), std::system_error);
}

TEST_CASE("a backend that refuses: strict fails with its reason, else the next one is taken") {
  proa::Options options;
  options.backend = "cardboard";
  options.extra_backends.push_back({"cardboard", refuse, fail});
  SECTION("strict") {
    options.fallback = false;
    const Outcome outcome = create(options);
    REQUIRE_FALSE(outcome.proactor);
    CHECK(outcome.error == proa::Error::backend_refused);
    CHECK(mentions(outcome.detail, "cardboard: it is made of cardboard"));
  }
  SECTION("with fallback the reason is kept") {
    const Outcome outcome = create(options);
    REQUIRE(outcome.proactor);
    const proa::BackendReport& report = outcome.proactor->backend();
    REQUIRE_FALSE(report.refused.empty());
    CHECK(report.refused.front().name == "cardboard");
    CHECK(report.refused.front().reason == "it is made of cardboard");
    CHECK(report.chosen_by == "options");
  }
  SECTION("one whose probe was too hopeful") {
    options.extra_backends.front().probe = nullptr;
    options.fallback = false;
    CHECK(mentions(create(options).detail, "no cardboard left"));
  }
}

TEST_CASE("extra backends are no part of auto") {
  proa::Options options;
  options.extra_backends.push_back({"cardboard", nullptr, fail});
  const Outcome outcome = create(options);
  REQUIRE(outcome.proactor);
  for (const auto& refusal : outcome.proactor->backend().refused) {
    CHECK(refusal.name != "cardboard");
  }
}

TEST_CASE("PROA_BACKEND replaces auto, and only auto") {
  proa::Options options;
  SECTION("auto") {
    const Environment environment("epoll");
    const Outcome outcome = create(options);
    REQUIRE(outcome.proactor);
    CHECK(outcome.proactor->backend().name == "epoll");
    CHECK(outcome.proactor->backend().chosen_by == "PROA_BACKEND");
  }
  SECTION("a name in the options is stronger") {
    const Environment environment("iocp");
    options.backend = "epoll";
    const Outcome outcome = create(options);
    REQUIRE(outcome.proactor);
    CHECK(outcome.proactor->backend().chosen_by == "options");
  }
  SECTION("an unknown name is an error that names the variable") {
    const Environment environment("iocp");
    const Outcome outcome = create(options);
    REQUIRE_FALSE(outcome.proactor);
    CHECK(mentions(outcome.detail, "PROA_BACKEND"));
  }
  SECTION("it does not reach what the options exclude") {
    const Environment environment("epoll");
    options.exclude = {"epoll"};
    options.fallback = false;
    const Outcome outcome = create(options);
    REQUIRE_FALSE(outcome.proactor);
    CHECK(outcome.error == proa::Error::excluded_backend);
  }
}

TEST_CASE("a misspelt name among the excluded is an error: it would exclude nothing") {
  proa::Options options;
  options.exclude = {"kqueue", "urnig"};
  const Outcome outcome = create(options);
  REQUIRE_FALSE(outcome.proactor);
  CHECK(outcome.error == proa::Error::no_such_backend);
  CHECK(mentions(outcome.detail, "\"urnig\""));
}

TEST_CASE("everything excluded is an error that says so") {
  proa::Options options;
  options.exclude = {"uring", "epoll", "kqueue"};
  const Outcome outcome = create(options);
  REQUIRE_FALSE(outcome.proactor);
  CHECK(outcome.error == proa::Error::backend_refused);
  CHECK(mentions(outcome.detail, "excluded by the options"));
}

TEST_CASE("an excluded io_uring is not even probed") {
  const FailingSetup setup(EPERM);
  proa::Options options;
  options.exclude = {"uring"};
  const Outcome outcome = create(options);
  REQUIRE(outcome.proactor);
  CHECK(outcome.proactor->backend().name == "epoll");
  CHECK(FailingSetup::calls == 0);
}

TEST_CASE("io_uring refused by the system: epoll is taken, the reason kept", "[B04]") {
  const auto [error, word] = GENERATE(
      table<int, const char*>({{EPERM, "EPERM"}, {ENOSYS, "ENOSYS"}, {ENOMEM, "RLIMIT_MEMLOCK"}}));
  const FailingSetup setup(error);
  const Outcome outcome = create({});
  REQUIRE(outcome.proactor);
  const proa::BackendReport& report = outcome.proactor->backend();
  CHECK(report.name == "epoll");
  REQUIRE(report.refused.size() == 1);
  CHECK(report.refused.front().name == "uring");
  CHECK(mentions(report.refused.front().reason, word));
}

TEST_CASE("options that cannot be right are refused with the value") {
  proa::Options options;
  SECTION("buffer_size") {
    options.buffer_size = 10;
    CHECK(mentions(create(options).detail, "buffer_size 10"));
  }
  SECTION("buffers") {
    options.buffers = 0;
    CHECK(mentions(create(options).detail, "buffers 0"));
  }
  SECTION("uring_entries") {
    options.uring_entries = 40000;
    CHECK(mentions(create(options).detail, "uring_entries 40000"));
  }
  SECTION("linger") {
    options.linger = proa::Duration(-5);
    CHECK(mentions(create(options).detail, "linger -5"));
  }
  SECTION("uring_release") {
    options.uring_release =
        GENERATE("5.10", "abc", "5.", "6", "5.19x", "-5.19", "5.-19", " 5.19", "6000.1");
    CHECK(mentions(create(options).detail, "uring_release \"" + options.uring_release + "\""));
  }
  CHECK_FALSE(create(options).proactor);
}
