#pragma once

// A proactor's home is the process that made it and, from its first run on, one thread of that
// process. Every verb asks whether its caller is there, so the usual answer costs one load and one
// comparison: the thread's name stands in memory that the kernel empties in a child of fork(2), and
// equals the caller's only in the right thread of the right process.

#include <atomic>
#include <thread>

namespace proa {
inline namespace v0 {

class Home {
 public:
  enum class Caller {
    welcome,     // the bound thread, or any thread of the process while none is bound
    foreign,     // another thread of the process
    unrun_heir,  // in a child of fork(2); the proactor has never run
    run_heir,    // in a child of fork(2); the proactor has run in the parent
  };

  /// Makes the calling process the home, with no thread bound yet.
  Home() noexcept;
  ~Home();
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;

  /// Whether the caller is the bound thread, in its own process.
  bool here() const noexcept {
    const std::thread::id self = std::this_thread::get_id();
    return words_->thread.load(std::memory_order_relaxed) == self || (!wiped_ && lives_here(self));
  }
  /// Says who the caller is; slower than here().
  Caller caller() const noexcept;
  /// Whether the caller runs in a child of the home process. For any thread, also in a signal
  /// handler.
  bool inherited() const noexcept {
    return wiped_ ? !words_->settled.load(std::memory_order_relaxed) : process_has_changed();
  }
  /// The home's process, as getpid(2) names it.
  long process() const noexcept { return process_; }
  bool bound() const noexcept {
    return thread_.load(std::memory_order_relaxed) != std::thread::id();
  }

  /// Binds the calling thread.
  void bind() noexcept;
  /// Makes the calling process the home, with no thread bound yet.
  void settle() noexcept;

 private:
  struct Words {
    std::atomic<std::thread::id> thread{};
    std::atomic<bool> settled{false};
  };

  bool lives_here(std::thread::id thread) const noexcept;
  bool process_has_changed() const noexcept;

  Words* words_;
  // Used where the kernel empties no memory after fork(2). Its `thread` is never set, so here()
  // asks getpid(2) there.
  Words unwiped_;
  bool wiped_ = false;
  long process_ = 0;
  std::atomic<std::thread::id> thread_{};
};

}  // namespace v0
}  // namespace proa
