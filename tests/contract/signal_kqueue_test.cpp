// Signals that kqueue counts: which it is asked for, and one that was sent and is not handled yet.
#include <sys/event.h>

#include <csignal>
#include <vector>

#include "signal_rig.hpp"
#include "support/replaced.hpp"

namespace {

using namespace proa_test;

bool counts_signals() { return over_kqueue() && !files_by_workers(); }

decltype(proa::sys::Table::kevent) kevent_below = nullptr;
std::vector<int> asked;
struct kevent sent;  // told by the next kevent(2), if it has data

long watched_kevent(int kqueue, const struct kevent* changes, int count, struct kevent* events,
                    int most, const timespec* timeout) noexcept {
  for (int i = 0; i < count; ++i) {
    if (changes[i].filter != EVFILT_SIGNAL || (changes[i].flags & EV_ADD) == 0) continue;
    asked.push_back(static_cast<int>(changes[i].ident));
    sent = changes[i];
  }
  long got = kevent_below(kqueue, changes, count, events, most, timeout);
  if (got >= 0 && got < most && sent.data > 0) {
    events[got++] = sent;
    sent.data = 0;
  }
  return got;
}

struct Watched {
  Watched() {
    asked.clear();
    sent = {};
  }
  const decltype(kevent_below) below = kevent_below = proa::sys::table.kevent;
  const Replaced<std::remove_pointer_t<decltype(kevent_below)>> kevent{proa::sys::table.kevent,
                                                                       watched_kevent};
};

TEST_CASE("what an instruction or a write raises is left to the handler", "[R9][kqueue]") {
  if (!counts_signals()) return;
  World world;
  const Watched watched;
  Listening listening(*world);
  for (const int signal : {SIGTRAP, SIGPIPE, SIGXFSZ, SIGUSR1}) REQUIRE(!listening.start(signal));
  CHECK(asked == std::vector<int>{SIGUSR1});
}

TEST_CASE("a signal that was sent is told before it is handled, and once", "[R9][kqueue]") {
  if (!counts_signals()) return;
  World world;
  const proa::KeepAlive keep_alive(*world);
  const Watched watched;
  Listening listening(*world);
  REQUIRE(!listening.start(SIGUSR1));
  sent.data = 3;
  world.run_until("all three were told", [&] { return listening.total == 3; });
  for (std::uint64_t i = 1; i <= 3; ++i) {
    ::raise(SIGUSR1);
    world.run_until("it was told", [&] { return listening.total == 3 + i; });
  }
  for (int turn = 0; turn < 3; ++turn) world.turn();
  CHECK(listening.total == 6);
}

}  // namespace
