// How the uring backend sleeps and is woken.
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include "uring_rig.hpp"

using namespace proa_test;

namespace {

proa::Duration slept(UringRig& rig, proa::Duration limit) {
  const proa::TimePoint before = rig.backend->system().now();
  rig.backend->wait(proa::after(before, limit));
  return rig.backend->system().now() - before;
}

// Whether a foreign loop would be woken. Work that the ring left for this thread interrupts its
// sleep, which it has to take for a wake-up.
bool readable(int fd, int milliseconds) {
  pollfd ready{fd, POLLIN, 0};
  const int count = ::poll(&ready, 1, milliseconds);
  return count == 1 || (count < 0 && errno == EINTR);
}

// A few spurious wake-ups may follow, also late ones: the kernel signals the eventfd after a grace
// period at times.
bool settles(UringRig& rig, int handle) {
  for (int i = 0; i < 10; ++i) {
    if (!readable(handle, 20)) return true;
    rig.poll();
  }
  return false;
}

// Tasks of the whole machine that wait for a disk, by the kernel's count (proc_stat(5)).
std::size_t blocked_tasks() {
  std::ifstream stat("/proc/stat");
  std::string name;
  std::size_t count = 0;
  while (stat >> name) {
    if (name == "procs_blocked" && stat >> count) return count;
  }
  return 0;
}

bool sleeps(long thread) {
  std::ifstream stat("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string text;
  std::getline(stat, text);
  const std::size_t name_end = text.rfind(')');
  return name_end != std::string::npos && text.compare(name_end, 3, ") S") == 0;
}

}  // namespace

TEST_CASE("uring: a wait is never shorter than asked for, and sleeps") {
  UringRig rig(any_release());
  rig.turn(0ms);
  for (const proa::Duration limit :
       {proa::Duration(100us), proa::Duration(1500us), proa::Duration(20ms)}) {
    const std::uint64_t waits = rig.counters.waits;
    const proa::Duration took = slept(rig, limit);
    CHECK(took >= limit);
    CHECK(took < limit + hang);
    CHECK(rig.counters.waits - waits == 1);
  }
  CHECK(slept(rig, 0ms) < hang);
}

// Monitors take tasks in I/O wait for a slow disk (/proc/pressure/io, the load average).
TEST_CASE("uring: threads that sleep in a wait do not count as waiting for a disk") {
  const std::string release = any_release();  // Catch2 is for one thread
  UringRig asked(release);
  const auto features = asked.backend->features();
  if (std::find(features.begin(), features.end(), "sleep without I/O wait") == features.end()) {
    return;  // before Linux 6.15 they do (docs/BACKENDS.md)
  }
  constexpr std::size_t sleepers = 16;  // more tasks than other programs may have there
  std::array<std::atomic<UringRig*>, sleepers> rigs{};
  std::array<std::atomic<long>, sleepers> ids{};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < sleepers; ++i) {
    threads.emplace_back([&, i] {
      UringRig rig(release);
      rig.turn(0ms);
      ids[i] = ::syscall(SYS_gettid);
      rigs[i] = &rig;
      rig.turn(2 * hang);
      while (rigs[i] != nullptr) std::this_thread::yield();  // wake() is done with the rig
    });
  }
  for (const auto& id : ids) {
    while (id == 0 || !sleeps(id)) std::this_thread::yield();
  }
  auto blocked = blocked_tasks();
  const auto until = std::chrono::steady_clock::now() + 2s;  // for others that wait for a disk
  while (blocked >= sleepers && std::chrono::steady_clock::now() < until) blocked = blocked_tasks();
  CHECK(blocked < sleepers);
  for (auto& rig : rigs) {
    rig.load()->backend->wake();
    rig = nullptr;
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_CASE("uring: wake ends a wait that another thread sleeps in") {
  UringRig rig(any_release());
  rig.turn(0ms);
  for (int i = 0; i < 20; ++i) {
    std::thread other([&] {
      std::this_thread::sleep_for(i % 2 == 0 ? 2ms : 0ms);
      rig.backend->wake();
    });
    CHECK(slept(rig, hang) < hang);
    other.join();
    rig.drain();
    rig.turn(0ms);  // what the thread may have done after that wait
  }
}

TEST_CASE("uring: a wake before the wait ends that one, once") {
  UringRig rig(any_release());
  rig.backend->wake();
  rig.backend->wake();
  CHECK(slept(rig, hang) < hang);
  rig.drain();
  CHECK(slept(rig, 20ms) >= 20ms);
  rig.backend->wake();
  CHECK(slept(rig, hang) < hang);
  rig.drain();
  CHECK(slept(rig, 20ms) >= 20ms);
}

TEST_CASE("uring: no wake is lost among many") {
  UringRig rig(any_release());
  std::atomic<int> posted{0};
  std::atomic<int> seen{0};
  constexpr int rounds = 20000;
  std::thread other([&] {
    for (int i = 1; i <= rounds; ++i) {
      posted.store(i);
      rig.backend->wake();
      while (i % 4 == 0 && seen.load() < i) std::this_thread::yield();
    }
  });
  bool in_time = true;
  while (seen.load() < rounds && in_time) {
    in_time = slept(rig, hang) < hang;
    seen.store(posted.load());
    rig.drain();
  }
  seen.store(rounds);
  other.join();
  CHECK(in_time);
}

namespace {
proa::Backend* woken_by_signal = nullptr;
}

TEST_CASE("uring: wake from a signal handler, and waits that signals interrupt") {
  UringRig rig(any_release());
  rig.turn(0ms);
  woken_by_signal = rig.backend.get();
  struct sigaction action = {};
  action.sa_handler = [](int) { woken_by_signal->wake(); };
  struct sigaction before = {};
  REQUIRE(::sigaction(SIGALRM, &action, &before) == 0);
  const itimerval soon = {{0, 0}, {0, 5000}};
  REQUIRE(::setitimer(ITIMER_REAL, &soon, nullptr) == 0);
  CHECK(slept(rig, hang) < hang);
  rig.drain();
  REQUIRE(::sigaction(SIGALRM, &before, nullptr) == 0);
}

TEST_CASE("uring: a foreign loop sees completions and wakes on the native handle") {
  const std::string release = any_release();
  UringRig rig(release, [](proa::Options& options) { options.embedded = true; });
  const int handle = rig.backend->native_handle();
  REQUIRE(handle >= 0);
  SocketPair pair;
  proa::RecvBuffers recv;
  int results = 0;
  rig.delivered = [&](proa::Operation&, const Outcome&) { ++results; };
  recv.prepare(pair.ours->socket());
  rig.submit(recv);
  rig.poll();
  CHECK(settles(rig, handle));
  for (int i = 1; i <= 20; ++i) {
    REQUIRE(::write(pair.peer->fd, "x", 1) == 1);
    for (int k = 0; k < 5 && results < i; ++k) {
      REQUIRE(readable(handle, 5000));
      rig.poll();
    }
    CHECK(results == i);
  }
  CHECK(settles(rig, handle));

  std::thread other([&] { rig.backend->wake(); });
  CHECK(readable(handle, 5000));
  other.join();
  rig.poll();
  CHECK(settles(rig, handle));
  rig.end();
}

TEST_CASE("uring: a foreign loop is woken before the first wait too") {
  UringRig rig(any_release(), [](proa::Options& options) { options.embedded = true; });
  const int handle = rig.backend->native_handle();
  CHECK_FALSE(readable(handle, 0));
  rig.backend->wake();
  CHECK(readable(handle, 0));
  rig.poll();
  CHECK(settles(rig, handle));
}

TEST_CASE("uring: there is no native handle unless it was asked for") {
  UringRig rig(any_release());
  CHECK(rig.backend->native_handle() == -1);
}
