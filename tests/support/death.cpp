// A child per misuse; its hook writes the message into a pipe and leaves without destructors.
#include "support/death.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <exception>
#include <proa/misuse.hpp>

#include "support/catch.hpp"

namespace proa_test {

namespace {

int channel = -1;

void tell(const char* message) {
  [[maybe_unused]] const auto written = ::write(channel, message, std::strlen(message));
  ::_exit(0);
}

[[noreturn]] void act(const std::function<void()>& misuse) {
  std::signal(SIGABRT, SIG_DFL);  // not for Catch to report
  proa::set_misuse_hook(tell);
  try {
    misuse();
    tell("survived");
  } catch (const std::exception& thrown) {
    tell(thrown.what());
  }
  ::_exit(1);
}

}  // namespace

std::string message_of(const std::function<void()>& misuse) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::close(ends[0]);
    channel = ends[1];
    act(misuse);
  }
  ::close(ends[1]);
  std::string message;
  char bytes[512];
  bool late = false;
  for (;;) {
    pollfd readable = {ends[0], POLLIN, 0};
    late = ::poll(&readable, 1, 20000) == 0;
    const ssize_t got = late ? 0 : ::read(ends[0], bytes, sizeof bytes);
    if (got <= 0) break;
    message.append(bytes, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  if (late) ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (late) return "died: nothing happened for 20 s";
  if (message.empty()) return "died: status " + std::to_string(status);
  return message;
}

}  // namespace proa_test
