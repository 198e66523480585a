// How many system calls a process makes, counted by the kernel.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace bench {

class SystemCallCounter {
 public:
  /// Counts for all threads of `pid`, those of now and those they start, from here on.
  /// Throws std::system_error where that is not allowed (it takes root, or CAP_PERFMON and
  /// CAP_SYS_ADMIN).
  explicit SystemCallCounter(pid_t pid);
  ~SystemCallCounter();
  SystemCallCounter(const SystemCallCounter&) = delete;
  SystemCallCounter& operator=(const SystemCallCounter&) = delete;

  std::uint64_t count() const;

 private:
  std::vector<int> counters_;  // one per thread
};

}  // namespace bench
