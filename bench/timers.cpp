// What `compare timers` measures of proa: `timers [-b backend] [-n count]`.
#include <cstdio>
#include <cstring>
#include <deque>
#include <proa/proa.hpp>
#include <string>
#include <system_error>

#include "timer_load.hpp"

namespace {

struct Timer final : proa::TimerHandler {
  using TimerHandler::TimerHandler;
  void on_timer(std::uint64_t) override { std::abort(); }
};

class Timers {
 public:
  Timers(proa::Proactor& proactor, std::size_t count) : proactor_(proactor) {
    for (std::size_t i = 0; i < count; ++i) timers_.emplace_back(proactor);
  }
  void arm(std::size_t index, std::uint32_t milliseconds) {
    timers_[index].start(std::chrono::milliseconds(milliseconds));
  }
  void cancel(std::size_t index) { timers_[index].stop(); }
  void settle() { proactor_.poll(); }

 private:
  proa::Proactor& proactor_;
  std::deque<Timer> timers_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string version = std::string("proa ") + proa::version();
  const std::size_t count = bench::timers_from_arguments(argc, argv, version.c_str());
  proa::Options options;
  for (int index = 1; index + 1 < argc; ++index) {
    if (std::strcmp(argv[index], "-b") != 0) continue;
    options.backend = argv[index + 1];
    options.fallback = false;
  }
  std::error_code error;
  std::string detail;
  const auto proactor = proa::Proactor::create(options, error, &detail);
  if (!proactor) {
    std::fprintf(stderr, "timers: %s\n", detail.c_str());
    return 1;
  }
  Timers timers(*proactor, count);
  bench::run_timer_load(timers, count);
}
