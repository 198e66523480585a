#include "progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

/// How long it will still take, from plans, corrected by how long it took so far.
class TimeLeft {
 public:
  void begin_step(double seconds, double seconds_after) {
    if (planned_ > 0) {
      planned_before_ += planned_;
      taken_before_ += taken();
    }
    planned_ = seconds;
    planned_after_ = seconds_after;
    work_ = done_ = 0;
    start_ = Clock::now();
  }
  void expect_work(double amount, double seconds) {
    work_ = amount;
    if (planned_ <= 0) planned_ = seconds;  // a step's plan has its overhead in it
  }
  void finish_work(double amount) { done_ += amount; }

  /// Negative when nobody knows. `done` is work that is not finished.
  double seconds(double done) const {
    const double pace = planned_before_ > 0 ? taken_before_ / planned_before_ : 1;
    const double share = work_ > 0 ? std::min((done_ + done) / work_, 1.0) : 0;
    // The plan weighs as much as a tenth of the work.
    const double weight = planned_ > 0 ? 0.1 : 0;
    if (share + weight <= 0) return -1;
    const double whole = (taken() + weight * pace * planned_) / (share + weight);
    return (1 - share) * whole + pace * planned_after_;
  }

 private:
  double taken() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  // Of steps that are over.
  double planned_before_ = 0;
  double taken_before_ = 0;
  // Of this one.
  double planned_ = 0;
  double planned_after_ = 0;
  double work_ = 0;
  double done_ = 0;
  Clock::time_point start_ = Clock::now();
};

struct Line {
  bool terminal = isatty(STDERR_FILENO) == 1;
  bool shown = false;
  std::string step;
  TimeLeft left;
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

std::string duration_text(double seconds) {
  const long minutes = std::lround(seconds / 60);
  char text[48];
  if (seconds < 100) {
    std::snprintf(text, sizeof text, "%.0f s", seconds);
  } else if (minutes < 100) {
    std::snprintf(text, sizeof text, "%ld min", minutes);
  } else {
    std::snprintf(text, sizeof text, "%ld h %02ld min", minutes / 60, minutes % 60);
  }
  return text;
}

}  // namespace

void begin_step(const std::string& name, double seconds, double seconds_after) {
  line().step = name;
  line().left.begin_step(seconds, seconds_after);
}

void expect_work(double amount, double seconds) { line().left.expect_work(amount, seconds); }

void finish_work(double amount) { line().left.finish_work(amount); }

void show_progress(const std::string& what, double done) {
  const auto now = Clock::now();
  if (!line().terminal || now < line().next) return;
  line().next = now + std::chrono::milliseconds(100);
  std::string text = line().step;
  if (const double left = line().left.seconds(done); left >= 0) {
    text += (text.empty() ? "" : ", ") + duration_text(left) + " left";
  }
  text += (text.empty() ? "" : ": ") + what;
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
