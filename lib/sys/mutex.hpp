#pragma once

// A mutex that no child of fork(2) finds held. A thread of the parent may hold a mutex while
// another one forks; in the child that thread does not exist, and would never give it back (R14).

#include <atomic>
#include <mutex>

namespace proa {
inline namespace v0 {
namespace sys {

/// For std::lock_guard<std::mutex> and std::unique_lock<std::mutex>. What it guards must make sense
/// to the child at every moment of a change, because the child may have a copy from the midst of
/// one.
class Mutex {
 public:
  Mutex() noexcept;
  ~Mutex();
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  operator std::mutex&() noexcept { return mutex_; }  // NOLINT(google-explicit-constructor)

 private:
  friend class Forks;

  std::mutex mutex_;
  std::atomic<Mutex*> next_{nullptr};  // in the list of all
};

}  // namespace sys
}  // namespace v0
}  // namespace proa
