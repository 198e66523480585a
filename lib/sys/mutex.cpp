// All mutexes of the library are in one list. pthread_atfork(3) calls the library in each child,
// where there is one thread: it makes each mutex anew, held or not. Upholds R14.
#include "sys/mutex.hpp"

#include <new>

#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {
namespace sys {

/// The list, which a child may find in the midst of a change: one store puts a mutex in, and one
/// takes it out.
class Forks {
 public:
  constexpr Forks() noexcept = default;

  void add(Mutex& mutex) noexcept {
    const std::lock_guard<std::mutex> lock(changing_);
    mutex.next_.store(first_.load(std::memory_order_relaxed), std::memory_order_relaxed);
    first_.store(&mutex, std::memory_order_release);
  }
  void remove(Mutex& mutex) noexcept {
    const std::lock_guard<std::mutex> lock(changing_);
    std::atomic<Mutex*>* link = &first_;
    while (link->load(std::memory_order_relaxed) != &mutex) {
      link = &link->load(std::memory_order_relaxed)->next_;
    }
    link->store(mutex.next_.load(std::memory_order_relaxed), std::memory_order_release);
  }
  std::mutex& signal_actions() noexcept { return signal_actions_; }

  /// In a child. The old mutexes are not destroyed: that may wait for who holds them.
  void renew() noexcept {
    new (&changing_) std::mutex;
    new (&signal_actions_) std::mutex;
    for (Mutex* one = first_.load(std::memory_order_acquire); one;
         one = one->next_.load(std::memory_order_relaxed)) {
      new (&one->mutex_) std::mutex;
    }
  }

 private:
  std::mutex changing_;
  std::mutex signal_actions_;
  std::atomic<Mutex*> first_{nullptr};
};

namespace {

// Made before all code runs, and never destroyed: pools of static proactors may end last of all.
union Kept {
  constexpr Kept() noexcept : forks() {}
  ~Kept() {}

  Forks forks;
} kept;

extern "C" void proa_renew_mutexes() { kept.forks.renew(); }

// While the program is loaded there is one thread, so no fork comes before this. It fails only for
// want of memory, and then children have what they had without it.
[[maybe_unused]] const long told_of_forks = call_in_children(proa_renew_mutexes);

}  // namespace

Mutex::Mutex() noexcept { kept.forks.add(*this); }
Mutex::~Mutex() { kept.forks.remove(*this); }

std::mutex& signal_actions() noexcept { return kept.forks.signal_actions(); }

}  // namespace sys
}  // namespace v0
}  // namespace proa
