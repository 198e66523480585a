// kevent() of the emulation: changes, descriptors that go away, and what else the transcripts do
// not say.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "emulation.hpp"
#include "rig.hpp"

using namespace proa_test;

TEST_CASE("a change that fails takes no other with it", "[kqueue]") {
  Queue queue;
  Pair ends(make_local());
  put(ends.b, "x");
  std::array<struct kevent, 3> changes;
  EV_SET(&changes[0], 1, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, nullptr);
  EV_SET(&changes[1], 999'999, EVFILT_READ, EV_ADD, 0, 0, reinterpret_cast<void*>(7));
  EV_SET(&changes[2], static_cast<std::uintptr_t>(ends.a), EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0,
         nullptr);
  std::array<struct kevent, 4> events;
  REQUIRE(kevent(queue.number, changes.data(), 3, events.data(), 4, nullptr) == 1);
  CHECK(events[0].ident == 999'999);
  CHECK(events[0].flags == EV_ERROR);
  CHECK(events[0].data == EBADF);
  CHECK(events[0].udata == reinterpret_cast<void*>(7));
  CHECK(queue.change(1, EVFILT_USER, 0, NOTE_TRIGGER) == 0);
  CHECK(queue.take(soon).size() == 2);
}

TEST_CASE("without room for it an error ends the changes", "[kqueue]") {
  Queue queue;
  std::array<struct kevent, 2> changes;
  EV_SET(&changes[0], 9, EVFILT_USER, EV_DELETE, 0, 0, nullptr);
  EV_SET(&changes[1], 1, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, nullptr);
  CHECK(kevent(queue.number, changes.data(), 2, nullptr, 0, nullptr) == -1);
  CHECK(errno == ENOENT);
  CHECK(queue.change(1, EVFILT_USER, 0, NOTE_TRIGGER) == ENOENT);
}

TEST_CASE("what kevent() does not take", "[kqueue]") {
  Queue queue;
  CHECK(queue.change(1, EVFILT_AIO, EV_ADD) == EPERM);
  emulate_macos(true);
  CHECK(queue.change(1, EVFILT_AIO, EV_ADD) == ENOTSUP);
  emulate_macos(false);
  CHECK(queue.change(1, -99, EV_ADD) == EINVAL);
  CHECK(queue.watch(-1, EVFILT_READ) == EBADF);
  CHECK(queue.watch(0, EVFILT_READ, EV_DELETE) == ENOENT);
  struct kevent event;
  const timespec wrong{0, 1'000'000'000};
  CHECK(kevent(queue.number, nullptr, 0, &event, 1, &wrong) == -1);
  CHECK(errno == EINVAL);
  Pair ends(make_pipe());
  CHECK(kevent(ends.a, nullptr, 0, &event, 1, nullptr) == -1);
  CHECK(errno == EBADF);
}

TEST_CASE("a descriptor that is closed is watched no more, though a duplicate lives", "[kqueue]") {
  Queue queue;
  Pair ends(make_local());
  REQUIRE(queue.watch(ends.a, EVFILT_READ) == 0);
  const int number = ends.a;
  ends.a = ::dup(number);
  ::close(number);
  put(ends.b, "x");
  CHECK(queue.take().empty());
  CHECK(queue.watch(number, EVFILT_READ, EV_DELETE) == EBADF);
  REQUIRE(queue.watch(ends.a, EVFILT_READ) == 0);
  CHECK(queue.take(soon).size() == 1);
}

TEST_CASE("dup2() over a watched number leaves nothing of what was there", "[kqueue]") {
  Queue queue;
  Pair before(make_local());
  Pair after(make_local());
  REQUIRE(queue.watch(before.a, EVFILT_READ, EV_ADD | EV_CLEAR, 1) == 0);
  const int kept = ::dup(before.a);
  REQUIRE(::dup2(after.a, before.a) == before.a);
  put(before.b, "x");
  put(after.b, "y");
  CHECK(queue.take().empty());
  REQUIRE(queue.watch(before.a, EVFILT_READ, EV_ADD | EV_CLEAR, 2) == 0);
  const Events events = queue.take(soon);
  REQUIRE(events.size() == 1);
  CHECK(events[0].udata == reinterpret_cast<void*>(2));
  ::close(kept);
}

TEST_CASE("kqueues are independent, and a closed one is gone", "[kqueue]") {
  Queue one;
  Pair ends(make_local());
  {
    Queue other;
    REQUIRE(one.watch(ends.a, EVFILT_READ) == 0);
    REQUIRE(other.watch(ends.a, EVFILT_READ) == 0);
    put(ends.b, "x");
    CHECK(one.take(soon).size() == 1);
    CHECK(other.take(soon).size() == 1);
    const int number = other.number;
    ::close(std::exchange(other.number, -1));
    struct kevent event;
    CHECK(kevent(number, nullptr, 0, &event, 1, nullptr) == -1);
    CHECK(errno == EBADF);
  }
  put(ends.b, "y");
  CHECK(one.take(soon).size() == 1);
}

TEST_CASE("a foreign loop sees by the descriptor that there is something to take", "[kqueue]") {
  Queue queue;
  Pair ends(make_tcp());
  REQUIRE(queue.watch(ends.a, EVFILT_READ) == 0);
  REQUIRE(queue.change(1, EVFILT_USER, EV_ADD | EV_CLEAR) == 0);
  const int loop = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event asked{};
  asked.events = EPOLLIN;
  REQUIRE(::epoll_ctl(loop, EPOLL_CTL_ADD, queue.number, &asked) == 0);
  const auto ready = [&](int limit) {
    epoll_event event;
    return ::epoll_wait(loop, &event, 1, limit) == 1;
  };
  CHECK_FALSE(ready(0));
  put(ends.b, "x");
  CHECK(ready(soon));
  CHECK(queue.take().size() == 1);
  CHECK_FALSE(ready(0));
  REQUIRE(queue.change(1, EVFILT_USER, 0, NOTE_TRIGGER) == 0);
  CHECK(ready(soon));
  CHECK(queue.take().size() == 1);
  CHECK_FALSE(ready(0));
  ::close(loop);
}

TEST_CASE("one source that is always ready does not keep the others out", "[kqueue]") {
  Queue queue;
  Pair ends(make_local());
  REQUIRE(queue.watch(ends.a, EVFILT_WRITE, EV_ADD) == 0);
  REQUIRE(queue.watch(ends.a, EVFILT_READ, EV_ADD) == 0);
  REQUIRE(queue.change(1, EVFILT_USER, EV_ADD) == 0);
  REQUIRE(queue.change(1, EVFILT_USER, 0, NOTE_TRIGGER) == 0);
  put(ends.b, "x");
  std::array<int, 3> seen{};
  for (int i = 0; i < 30; ++i) {
    const Events events = queue.take(soon, 1);
    REQUIRE(events.size() == 1);
    const int filter = events[0].filter;
    ++seen[filter == EVFILT_USER ? 0 : filter == EVFILT_READ ? 1 : 2];
  }
  for (const int count : seen) CHECK(count == 10);
}

TEST_CASE("a child that closes what it inherited does not disturb its parent", "[kqueue]") {
  Queue queue;
  Pair ends(make_local());
  REQUIRE(queue.watch(ends.a, EVFILT_READ) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    struct kevent event;
    const bool inherited = kevent(queue.number, nullptr, 0, &event, 1, nullptr) >= 0;
    ::close(ends.a);
    ::close(queue.number);
    ::_exit(inherited ? 1 : 0);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  put(ends.b, "x");
  CHECK(queue.take(soon).size() == 1);
}

TEST_CASE("a timeout is not early and not much too late", "[kqueue]") {
  Queue queue;
  const auto now = [] {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
  };
  const auto before = now();
  CHECK(queue.take(15).empty());
  const auto waited = now() - before;
  CHECK(waited >= 15'000'000);
  CHECK(waited < 5'000'000'000);
}
