// What a service manager passes, as the environment and descriptors of a child of the test's.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <proa/listen_fds.hpp>
#include <string>

#include "support/catch.hpp"
#include "support/plain.hpp"

namespace {

using namespace proa_test;

struct Passed {
  const char* count = nullptr;
  const char* names = nullptr;
  const char* process = "";  // empty: this one
};

void set(const char* name, const char* value) {
  value ? ::setenv(name, value, 1) : ::unsetenv(name);
}

bool is_set(const char* name) { return std::getenv(name) != nullptr; }

// Descriptors 3 to 6 are a listener, a connected socket, a datagram socket and a pipe's end; 7 is
// none.
void make_descriptors() {
  int ends[2];
  int pair[2];
  if (!plain_pipe(ends) || !plain_pair(pair)) ::_exit(1);
  const int listener = plain_socket(AF_INET, SOCK_STREAM);
  if (::listen(listener, 1) != 0) ::_exit(1);
  const int made[] = {listener, pair[0], plain_socket(AF_INET, SOCK_DGRAM), ends[0]};
  int high[4];
  for (int i = 0; i < 4; ++i) high[i] = ::fcntl(made[i], F_DUPFD, 100);
  for (int i = 0; i < 4; ++i) ::dup2(high[i], 3 + i);
  ::close(7);
}

std::string said_by_child(const Passed& passed) {
  make_descriptors();
  const std::string own = std::to_string(::getpid());
  set("LISTEN_FDS", passed.count);
  set("LISTEN_FDNAMES", passed.names);
  set("LISTEN_PID", passed.process && *passed.process == '\0' ? own.c_str() : passed.process);
  std::error_code error = std::make_error_code(std::errc::io_error);
  std::string detail = "left over";
  std::string said;
  for (const proa::PassedDescriptor& each : proa::listen_fds(error, &detail)) {
    said += std::to_string(each.number) + "lds-"[static_cast<int>(each.kind)] + each.name + " ";
    if ((::fcntl(each.number, F_GETFD) & FD_CLOEXEC) == 0) said += "inherited ";
    if ((::fcntl(each.number, F_GETFL) & O_NONBLOCK) != 0) said += "changed ";
  }
  if (error) said += error.message() + ": ";
  said += detail;
  if (is_set("LISTEN_FDS") || is_set("LISTEN_PID") || is_set("LISTEN_FDNAMES")) said += " left";
  if (!proa::listen_fds(error).empty() || error) said += " twice";
  return "[" + said + "]";
}

// What a child says that was given this: kinds and names, or the error; and what else is amiss.
std::string outcome(const Passed& passed) {
  int ends[2];
  REQUIRE(plain_pipe(ends));
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const int out = ::fcntl(ends[1], F_DUPFD, 200);
    const std::string said = said_by_child(passed);
    [[maybe_unused]] const auto written = ::write(out, said.data(), said.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  char said[1024];
  const ssize_t size = ::read(ends[0], said, sizeof said);
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return {said, size > 0 ? static_cast<std::size_t>(size) : 0};
}

TEST_CASE("the descriptors that a service manager passes are taken once", "[listen_fds]") {
  CHECK(outcome({"4", "web:peer::in", ""}) == "[3lweb 4speer 5d 6-in ]");
  CHECK(outcome({"4", nullptr, ""}) == "[3lunknown 4sunknown 5dunknown 6-unknown ]");
  CHECK(outcome({"1", "one", ""}) == "[3lone ]");
}

TEST_CASE("nothing is taken that is not for this process", "[listen_fds]") {
  CHECK(outcome({"4", nullptr, "1"}) == "[]");
  CHECK(outcome({"4", "a:b", nullptr}) == "[]");
  CHECK(outcome({nullptr, nullptr, ""}) == "[]");
}

TEST_CASE("what makes no sense in LISTEN_FDS and its like is named", "[listen_fds]") {
  const std::string invalid = std::make_error_code(std::errc::invalid_argument).message();
  for (const char* count : {"0", "-1", "", "x", "1x", "2147483647", "99999999999999999999"}) {
    CHECK(outcome({count, nullptr, ""}) ==
          "[" + invalid + ": LISTEN_FDS is \"" + count + "\", which is no number of descriptors]");
  }
  CHECK(outcome({"1", nullptr, "me"}) ==
        "[" + invalid + ": LISTEN_PID is \"me\", which is no process]");
  CHECK(outcome({"2", "a:b:c", ""}) ==
        "[" + invalid + ": LISTEN_FDNAMES has 3 names (\"a:b:c\") for 2 descriptors]");
  CHECK(outcome({"2000000", nullptr, ""}) ==
        "[" + std::make_error_code(std::errc::bad_file_descriptor).message() +
            ": descriptor 7 of LISTEN_FDS=2000000 is not open]");
}

}  // namespace
