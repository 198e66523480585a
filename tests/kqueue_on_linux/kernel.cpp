// What all of the emulated kernel shares: its lock, its table of descriptors and its memory.
#include "kernel.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

#include "emulation.hpp"

namespace proa_test {

namespace emulated {

namespace {

std::mutex mutex;
std::atomic<bool> used{false};
std::atomic<bool> as_macos{false};
Slot slots[most_descriptors];
int slots_used = 0;

struct Cell {
  Cell* next;
};
Cell* free_cells = nullptr;

}  // namespace

Slot* slot(int descriptor) noexcept {
  return descriptor >= 0 && descriptor < most_descriptors ? &slots[descriptor] : nullptr;
}

void forget_kqueues_after_fork() noexcept {
  std::fill_n(slots, slots_used, Slot{});
  used = false;
}

Giant::Giant() noexcept {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  mutex.lock();
}
Giant::~Giant() {
  mutex.unlock();
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}
std::mutex& giant_mutex() noexcept { return mutex; }

bool in_use() noexcept { return used.load(std::memory_order_acquire); }
bool macos() noexcept { return as_macos; }

Kqueue* find_kqueue(int descriptor) noexcept {
  Slot* const at = slot(descriptor);
  return at ? at->kqueue : nullptr;
}

void set_in_use(int descriptor) noexcept {
  slots_used = std::max(slots_used, descriptor + 1);
  used.store(true, std::memory_order_release);
}

void* take_cell() noexcept {
  if (!free_cells) {
    constexpr std::size_t size = 128 * cell;
    void* const made =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) return nullptr;
    for (std::size_t at = 0; at < size; at += cell) {
      free_cells = new (static_cast<char*>(made) + at) Cell{free_cells};
    }
  }
  return std::exchange(free_cells, free_cells->next);
}

void give_cell(void* memory) noexcept { free_cells = new (memory) Cell{free_cells}; }

}  // namespace emulated

void emulate_macos(bool on) noexcept { emulated::as_macos = on; }

}  // namespace proa_test
