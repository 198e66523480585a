// What `compare timers` measures of libuv.
#include <uv.h>

#include "../timer_load.hpp"

namespace {

class Timers {
 public:
  explicit Timers(std::size_t count) : timers_(count) {
    for (auto& timer : timers_) uv_timer_init(loop_, &timer);
  }
  void arm(std::size_t index, std::uint32_t milliseconds) {
    uv_timer_start(
        &timers_[index], [](uv_timer_t*) { std::abort(); }, milliseconds, 0);
  }
  void cancel(std::size_t index) { uv_timer_stop(&timers_[index]); }
  void settle() { uv_run(loop_, UV_RUN_NOWAIT); }

 private:
  uv_loop_t* loop_ = uv_default_loop();
  std::vector<uv_timer_t> timers_;
};

}  // namespace

int main(int argc, char** argv) {
  char version[32];
  std::snprintf(version, sizeof version, "libuv %s", uv_version_string());
  const std::size_t count = bench::timers_from_arguments(argc, argv, version);
  Timers timers(count);
  bench::run_timer_load(timers, count);
}
