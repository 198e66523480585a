#include "progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Line {
  bool terminal = isatty(STDERR_FILENO) == 1;
  bool shown = false;
  std::string prefix;
  Clock::time_point next;
};

Line& line() {
  static Line only;
  return only;
}

/// A line that is longer than the terminal could not be rewritten.
std::size_t width() {
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col - 1U : 79U;
}

}  // namespace

void set_progress_prefix(const std::string& prefix) { line().prefix = prefix; }

void show_progress(const std::string& what, double seconds_left) {
  const auto now = Clock::now();
  if (!line().terminal || now < line().next) return;
  line().next = now + std::chrono::milliseconds(100);
  std::string text = line().prefix.empty() ? what : line().prefix + ": " + what;
  if (seconds_left >= 0) {
    char left[32];
    std::snprintf(left, sizeof left, ", %.0f s left", seconds_left);
    text += left;
  }
  std::fprintf(stderr, "\r\033[K%s", text.substr(0, width()).c_str());
  std::fflush(stderr);
  line().shown = true;
}

void clear_progress() {
  if (!line().shown) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  line().shown = false;
  line().next = {};
}

}  // namespace bench
