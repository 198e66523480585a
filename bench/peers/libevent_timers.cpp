// What `compare timers` measures of libevent.
#include <event2/event.h>

#include "../timer_load.hpp"

namespace {

class Timers {
 public:
  explicit Timers(std::size_t count) {
    const auto fired = [](evutil_socket_t, short, void*) { std::abort(); };
    for (std::size_t i = 0; i < count; ++i) {
      timers_.push_back(evtimer_new(base_, fired, nullptr));
    }
  }
  void arm(std::size_t index, std::uint32_t milliseconds) {
    const timeval delay{milliseconds / 1000, static_cast<suseconds_t>(milliseconds % 1000 * 1000)};
    evtimer_add(timers_[index], &delay);
  }
  void cancel(std::size_t index) { evtimer_del(timers_[index]); }
  void settle() { event_base_loop(base_, EVLOOP_NONBLOCK); }

 private:
  event_base* base_ = event_base_new();
  std::vector<event*> timers_;
};

}  // namespace

int main(int argc, char** argv) {
  char version[32];
  std::snprintf(version, sizeof version, "libevent %s", event_get_version());
  const std::size_t count = bench::timers_from_arguments(argc, argv, version);
  Timers timers(count);
  bench::run_timer_load(timers, count);
}
