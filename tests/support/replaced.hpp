#pragma once

// A function of the test's in place of one system call, and a gate for it to wait at: so a worker
// is held where the test wants it.

#include <condition_variable>
#include <mutex>

#include "sys/sys.hpp"

namespace proa_test {

// While it lives; no other thread may be inside the call at its end.
template <class Function>
class Replaced {
 public:
  Replaced(Function*& entry, Function* with) : entry_(entry), before_(entry) { entry = with; }
  ~Replaced() { entry_ = before_; }
  Replaced(const Replaced&) = delete;
  Replaced& operator=(const Replaced&) = delete;

 private:
  Function*& entry_;
  Function* const before_;
};
template <class Function>
Replaced(Function*&, Function*) -> Replaced<Function>;

class Gate {
 public:
  // Waits until it is open.
  void pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    opened_.wait(lock, [this] { return open_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  void shut() {
    const std::lock_guard lock(mutex_);
    open_ = false;
    arrived_ = 0;
  }
  // How many came since it was shut.
  int arrived() {
    const std::lock_guard lock(mutex_);
    return arrived_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
  int arrived_ = 0;
};

}  // namespace proa_test
