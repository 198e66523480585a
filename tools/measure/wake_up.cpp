// How long it takes until a thread that waits knows of what another one did.
#include <pthread.h>

#include <algorithm>
#include <atomic>

#include "bell.hpp"
#include "clock.hpp"
#include "cpus.hpp"
#include "measurements.hpp"

namespace measure {

namespace {

/// The other thread. It rings when the last ring was taken and the waiting thread has had the time
/// to fall asleep.
class Ringer {
 public:
  Ringer(Bell& bell, const Cpus& cpus, bool other) : bell_(bell), cpus_(cpus), other_(other) {}
  ~Ringer() {
    if (!runs_) return;
    stop_ = true;
    ::pthread_join(thread_, nullptr);
  }
  Ringer(const Ringer&) = delete;
  Ringer& operator=(const Ringer&) = delete;

  Trouble start() {
    const int error = ::pthread_create(
        &thread_, nullptr,
        [](void* self) -> void* {
          static_cast<Ringer*>(self)->run();
          return nullptr;
        },
        this);
    runs_ = error == 0;
    return runs_ ? Trouble() : failed("pthread_create", error);
  }
  /// Of the waiting thread: when the ring happened that it has taken.
  std::int64_t rung_at() const { return rung_at_; }
  /// Asks for the next ring.
  void taken() { is_taken_ = true; }

 private:
  void run() {
    cpus_.move_to(other_);
    constexpr timespec pause{0, 100000};
    while (!stop_) {
      ::nanosleep(&pause, nullptr);
      if (!is_taken_) continue;
      is_taken_ = false;
      rung_at_ = now();
      if (!bell_.ring().empty()) return;
    }
  }

  Bell& bell_;
  const Cpus& cpus_;
  bool other_;
  pthread_t thread_{};
  bool runs_ = false;
  std::atomic<bool> stop_{false};
  std::atomic<bool> is_taken_{true};
  std::atomic<std::int64_t> rung_at_{0};
};

double part_of(const std::vector<double>& sorted, double part) {
  return sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

Trouble measure_wake_up(Waiter& waiter, bool other_cpu, double seconds, Figures& figures) {
  const Cpus cpus;
  if (other_cpu && !cpus.has_two()) return "there is one CPU";
  cpus.move_to(false);
  Bell bell;
  Trouble trouble = bell.open();
  if (trouble.empty()) trouble = waiter.add(bell.descriptor());
  Ringer ringer(bell, cpus, other_cpu);
  if (trouble.empty()) trouble = ringer.start();
  if (!trouble.empty()) return trouble;
  std::vector<double> times;
  const std::uint64_t calls = waiter.calls();
  const std::int64_t end = in(seconds);
  do {
    trouble = waiter.take_ring(bell.descriptor());
    if (!trouble.empty()) return trouble;
    times.push_back(static_cast<double>(now() - ringer.rung_at()) / 1000);
    ringer.taken();
  } while (now() < end);
  const double made = static_cast<double>(waiter.calls() - calls);
  std::sort(times.begin(), times.end());
  figures.push_back(part_of(times, 0.5));
  figures.push_back(part_of(times, 0.99));
  figures.push_back(made / static_cast<double>(times.size()));
  return {};
}

}  // namespace measure
