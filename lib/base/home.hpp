#pragma once

// Where a proactor lives: in the process that made it and, from its first run on, in one thread of
// that process. The question is asked by every verb, so its usual answer costs one load and one
// comparison: the thread's name stands in memory that the kernel empties in a child of fork(2), and
// equals the caller's only in the right thread of the right process.

#include <atomic>
#include <thread>

namespace proa {

class Home {
 public:
  enum class Caller {
    welcome,     // the bound thread, or any of the process while none is bound
    foreign,     // another thread than the bound one
    unrun_heir,  // a child of fork(2) of the process, which never ran what it inherited
    run_heir,    // the same, of a process that did run it
  };

  /// Belongs to the calling process, and to no thread of it yet.
  Home() noexcept;
  ~Home();
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;

  /// Whether the caller is the bound thread, in its own process.
  bool here() const noexcept {
    return words_->thread.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }
  /// Who the caller is; slower.
  Caller caller() const noexcept;
  /// Whether the caller runs in a child of the process that this belongs to. Any thread, also in a
  /// signal handler.
  bool inherited() const noexcept {
    return wiped_ ? !words_->settled.load(std::memory_order_relaxed) : process_has_changed();
  }
  /// getpid(2) of the process that it belongs to.
  long process() const noexcept { return process_; }
  bool bound() const noexcept {
    return thread_.load(std::memory_order_relaxed) != std::thread::id();
  }

  /// The calling thread is the one from here on.
  void bind() noexcept;
  /// The calling process is, with no thread bound yet.
  void settle() noexcept;

 private:
  struct Words {
    std::atomic<std::thread::id> thread{};
    std::atomic<bool> settled{false};
  };

  bool process_has_changed() const noexcept;

  Words* words_;
  Words unwiped_;  // where the system has no memory of that kind; its `thread` is never set
  bool wiped_ = false;
  long process_ = 0;
  std::atomic<std::thread::id> thread_{};
};

}  // namespace proa
