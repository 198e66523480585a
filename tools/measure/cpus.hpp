// On which CPUs the threads of a measurement run.
#pragma once

#include <vector>
#ifdef __linux__
#include <sched.h>
#endif

namespace measure {

/// Keeps the threads where they are until this is destroyed; on other systems than Linux nothing
/// does.
class Cpus {
 public:
#ifdef __linux__
  Cpus() {
    CPU_ZERO(&before_);
    if (::sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &before_)) all_.push_back(cpu);
    }
  }
  ~Cpus() {
    if (!all_.empty()) (void)::sched_setaffinity(0, sizeof before_, &before_);
  }
  Cpus(const Cpus&) = delete;
  Cpus& operator=(const Cpus&) = delete;

  bool has_two() const { return all_.size() > 1; }
  /// Moves the calling thread to the first of the CPUs, or to another one.
  void move_to(bool other) const {
    if (all_.empty()) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(other ? all_.back() : all_.front(), &one);
    (void)::sched_setaffinity(0, sizeof one, &one);
  }

 private:
  cpu_set_t before_;
  std::vector<int> all_;
#else
  bool has_two() const { return true; }
  void move_to(bool) const {}
#endif
};

}  // namespace measure
