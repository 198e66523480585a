// The emulation from several threads and from signal handlers.
#include <sys/time.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "rig.hpp"

using namespace proa_test;

namespace {

int triggered_queue = -1;
std::atomic<int> triggers{0};

void trigger(int) {
  const int before = errno;
  struct kevent one;
  EV_SET(&one, 1, EVFILT_USER, 0, NOTE_TRIGGER, 0, nullptr);
  kevent(triggered_queue, &one, 1, nullptr, 0, nullptr);
  ++triggers;
  errno = before;
}

/// SIGALRM again and again, and its handler triggers the USER event 1 of the queue.
class Alarms {
 public:
  Alarms(const Queue& queue, suseconds_t every) {
    triggered_queue = queue.number;
    triggers = 0;
    struct sigaction action {};
    action.sa_handler = trigger;
    ::sigaction(SIGALRM, &action, &before_);
    const itimerval often{{0, every}, {0, every}};
    ::setitimer(ITIMER_REAL, &often, nullptr);
  }
  ~Alarms() {
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before_, nullptr);
  }
  Alarms(const Alarms&) = delete;
  Alarms& operator=(const Alarms&) = delete;

 private:
  struct sigaction before_ {};
};

}  // namespace

TEST_CASE("a trigger of another thread ends a wait, every time", "[kqueue][thread]") {
  Queue queue;
  REQUIRE(queue.change(1, EVFILT_USER, EV_ADD | EV_CLEAR) == 0);
  std::atomic<int> taken{0};
  constexpr int rounds = 2000;
  std::thread waker([&] {
    for (int i = 0; i < rounds; ++i) {
      queue.change(1, EVFILT_USER, 0, NOTE_TRIGGER, 7);
      while (taken.load() == i) std::this_thread::yield();
    }
  });
  while (taken.load() < rounds) {
    struct kevent event;
    const timespec limit{10, 0};
    if (kevent(queue.number, nullptr, 0, &event, 1, &limit) != 1) break;
    ++taken;
  }
  const int seen = taken.exchange(rounds);
  waker.join();
  CHECK(seen == rounds);
}

TEST_CASE("a signal interrupts a wait, and its handler may trigger", "[kqueue][thread]") {
  Queue queue;
  REQUIRE(queue.change(1, EVFILT_USER, EV_ADD | EV_CLEAR) == 0);
  const Alarms alarms(queue, 10'000);
  int interrupted = 0;
  int woken = 0;
  while (interrupted + woken < 100) {
    struct kevent event;
    const timespec limit{10, 0};
    const int count = kevent(queue.number, nullptr, 0, &event, 1, &limit);
    REQUIRE(count != 0);
    if (count < 0) {
      REQUIRE(errno == EINTR);
      ++interrupted;
      REQUIRE(queue.take().size() == 1);  // what the handler has triggered
    } else {
      ++woken;
    }
  }
  CHECK(interrupted > 0);
}

TEST_CASE("a handler may trigger in the middle of anything", "[kqueue][thread]") {
  Queue queue;
  Pair ends(make_local());
  REQUIRE(queue.change(1, EVFILT_USER, EV_ADD | EV_CLEAR) == 0);
  const Alarms alarms(queue, 200);
  while (triggers < 500) {
    REQUIRE(queue.watch(ends.a, EVFILT_WRITE) == 0);
    struct kevent event;
    const timespec none{};
    while (kevent(queue.number, nullptr, 0, &event, 1, &none) < 0) REQUIRE(errno == EINTR);
    REQUIRE(queue.watch(ends.a, EVFILT_WRITE, EV_DELETE) == 0);
  }
}

TEST_CASE("a descriptor may be closed, and another watched, during a wait", "[kqueue][thread]") {
  Queue queue;
  for (int round = 0; round < 200; ++round) {
    Pair closed(make_local());
    Pair watched(make_local());
    REQUIRE(queue.watch(closed.a, EVFILT_READ) == 0);
    std::thread other([&] {
      ::close(std::exchange(closed.a, -1));
      queue.watch(watched.a, EVFILT_READ);
      const char byte = 'x';
      if (::send(closed.b, &byte, 1, MSG_NOSIGNAL) > 0) ::abort();  // nobody is there
      if (::write(watched.b, &byte, 1) != 1) ::abort();
    });
    const Events events = queue.take(soon);
    other.join();
    REQUIRE(events.size() == 1);
    CHECK(events[0].ident == static_cast<std::uintptr_t>(watched.a));
  }
}

TEST_CASE("closing a kqueue ends the waits in it", "[kqueue][thread]") {
  for (int round = 0; round < 200; ++round) {
    Queue queue;
    std::atomic<bool> begun{false};
    int result = 0;
    int error = 0;
    std::thread sleeper([&, number = queue.number] {
      struct kevent event;
      begun = true;
      result = kevent(number, nullptr, 0, &event, 1, nullptr);
      error = errno;
    });
    while (!begun) std::this_thread::yield();
    ::close(std::exchange(queue.number, -1));
    sleeper.join();
    CHECK(result == -1);
    CHECK(error == EBADF);
  }
}
