// fork(2) while other threads of the parent hold what the library locks: no child waits for them.
// The first two are not tagged [thread], because ThreadSanitizer takes the locks that the library
// makes anew in the child for a race with threads that the child does not have.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <proa/proa.hpp>
#include <thread>
#include <vector>

#include "support/death.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

// Whether a child that does this comes to its end. SIGALRM ends one that hangs.
bool child_ends(const std::function<void()>& life) {
  const pid_t process = ::fork();
  REQUIRE(process >= 0);
  if (process == 0) {
    ::alarm(20);
    life();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(process, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_CASE("R14: a thread that gives buffers back at fork(2) holds up no child", "[R14]") {
  const bool goes_on = GENERATE(false, true);
  auto proactor = make_proactor();
  bool all_end = true;
  for (int i = 0; i < 40 && all_end; ++i) {
    proa::Buffer kept = proactor->take_buffer();
    std::vector<proa::Buffer> shared;
    for (int n = 0; n < 10000; ++n) shared.push_back(kept.share());
    std::atomic<bool> begun{false};
    std::thread giver([&] {
      begun = true;
      for (proa::Buffer& each : shared) each.reset();
    });
    while (!begun) std::this_thread::yield();
    all_end = child_ends([&] {
      kept.reset();
      if (!goes_on) return;
      (void)proactor->take_buffer();
      proactor->poll();
    });
    giver.join();
  }
  CHECK(all_end);
}

TEST_CASE("R14: a buffer that outlives its proactor holds up no child", "[R14]") {
  bool all_end = true;
  for (int i = 0; i < 40 && all_end; ++i) {
    auto proactor = make_proactor();
    proa::Buffer kept = proactor->take_buffer();
    std::vector<proa::Buffer> shared;
    for (int n = 0; n < 10000; ++n) shared.push_back(kept.share());
    proactor.reset();
    std::atomic<bool> begun{false};
    std::thread giver([&] {
      begun = true;
      for (proa::Buffer& each : shared) each.reset();
    });
    while (!begun) std::this_thread::yield();
    all_end = child_ends([&] { kept.reset(); });
    giver.join();
  }
  CHECK(all_end);
}

struct Ears : proa::SignalHandler {
  using SignalHandler::SignalHandler;
  ~Ears() override { stop(); }
  void on_signal(int, std::uint64_t) override {}
};

TEST_CASE("R14: a thread that starts and stops signal handlers at fork(2) holds up no child",
          "[R14][thread]") {
  // The child allocates memory. Unlike that of the C library, the allocator of AddressSanitizer may
  // be locked by the other thread at fork(2), and stays locked in the child.
  if (sanitized()) return skip("malloc(3) in a child may wait for ever under sanitizers", true);
  std::atomic<bool> enough{false};
  std::atomic<bool> begun{false};
  std::thread other([&] {
    auto proactor = make_proactor();
    Ears ears(*proactor);
    while (!enough) {
      if (ears.start(SIGUSR1)) break;
      ears.stop();
      begun = true;
    }
  });
  while (!begun) std::this_thread::yield();
  bool all_end = true;
  for (int i = 0; i < 40 && all_end; ++i) {
    all_end = child_ends([] {
      auto own = make_proactor();
      Ears hears(*own);
      if (hears.start(SIGUSR1)) ::_exit(1);
      hears.stop();
    });
  }
  enough = true;
  other.join();
  CHECK(all_end);
}

}  // namespace
