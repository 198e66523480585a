// Asks for a page that the kernel empties in a child of fork(2) (MADV_WIPEONFORK, Linux 4.14).
// Where there is none, the thread's name is not written into the words, and the library asks
// getpid(2) each time. Upholds R9 and R14.
#include "base/home.hpp"

#include <new>

#include "sys/sys.hpp"

namespace proa {

namespace {

constexpr std::size_t page = 4096;

}  // namespace

Home::Home() noexcept : words_(&unwiped_) {
  void* memory = nullptr;
  if (sys::map(page, &memory) == 0) {
    wiped_ = sys::wipe_on_fork(memory, page) == 0;
    if (wiped_) {
      words_ = new (memory) Words;
    } else {
      sys::unmap(memory, page);
    }
  }
  settle();
}

Home::~Home() {
  if (wiped_) sys::unmap(words_, page);
}

bool Home::process_has_changed() const noexcept { return sys::process() != process_; }

bool Home::lives_here(std::thread::id thread) const noexcept {
  return thread_.load(std::memory_order_relaxed) == thread && !process_has_changed();
}

Home::Caller Home::caller() const noexcept {
  if (inherited()) return bound() ? Caller::run_heir : Caller::unrun_heir;
  const std::thread::id thread = thread_.load(std::memory_order_relaxed);
  return thread == std::thread::id() || thread == std::this_thread::get_id() ? Caller::welcome
                                                                             : Caller::foreign;
}

void Home::bind() noexcept {
  const std::thread::id self = std::this_thread::get_id();
  thread_.store(self, std::memory_order_relaxed);
  if (wiped_) words_->thread.store(self, std::memory_order_relaxed);
}

void Home::settle() noexcept {
  process_ = sys::process();
  words_->settled.store(true, std::memory_order_relaxed);
}

}  // namespace proa
