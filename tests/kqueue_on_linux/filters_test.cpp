// EVFILT_READ and EVFILT_WRITE of the emulation, where the transcripts do not say it.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>

#include <cstdlib>

#include "rig.hpp"

using namespace proa_test;

TEST_CASE("new bytes are an edge, also behind some that were not read", "[kqueue]") {
  Queue queue;
  for (const auto make : {make_pipe, make_local, make_tcp}) {
    Pair ends(make());
    REQUIRE(queue.watch(ends.a, EVFILT_READ) == 0);
    CHECK(queue.take().empty());
    put(ends.b, "hello");
    Events events = queue.take(soon);
    REQUIRE(events.size() == 1);
    CHECK(events[0].data == 5);
    CHECK(get(ends.a, 2) == "he");
    CHECK(queue.take().empty());
    put(ends.b, "x");
    events = queue.take(soon);
    REQUIRE(events.size() == 1);
    CHECK(events[0].data == 4);
  }
}

TEST_CASE("without EV_CLEAR an event repeats until its cause is gone", "[kqueue]") {
  Queue queue;
  Pair ends(make_local());
  REQUIRE(queue.watch(ends.a, EVFILT_READ, EV_ADD) == 0);
  put(ends.b, "x");
  for (int i = 0; i < 3; ++i) CHECK(queue.take(soon).size() == 1);
  get(ends.a);
  CHECK(queue.take().empty());
  put(ends.b, "x");
  CHECK(queue.take(soon).size() == 1);
}

TEST_CASE("the two filters of a socket do not disturb each other", "[kqueue]") {
  Queue queue;
  Pair ends(make_tcp());
  REQUIRE(queue.watch(ends.a, EVFILT_READ, EV_ADD | EV_CLEAR, 1) == 0);
  REQUIRE(queue.watch(ends.a, EVFILT_WRITE, EV_ADD | EV_CLEAR, 2) == 0);
  Events events = queue.take(soon);
  REQUIRE(events.size() == 1);
  CHECK(events[0].filter == EVFILT_WRITE);
  CHECK(events[0].udata == reinterpret_cast<void*>(2));
  put(ends.b, "x");
  events = queue.take(soon);
  REQUIRE(events.size() == 1);
  CHECK(events[0].filter == EVFILT_READ);
  CHECK(events[0].udata == reinterpret_cast<void*>(1));
  CHECK(queue.watch(ends.a, EVFILT_READ, EV_DELETE) == 0);
  CHECK(queue.watch(ends.a, EVFILT_READ, EV_DELETE) == ENOENT);
  put(ends.b, "y");
  CHECK(queue.take().empty());
}

TEST_CASE("room is told once it has come back, together with the end of the peer", "[kqueue]") {
  Queue queue;
  Pair ends(make_tcp());
  REQUIRE(queue.watch(ends.a, EVFILT_WRITE) == 0);
  REQUIRE(queue.take(soon).size() == 1);
  const std::string much(65536, 'x');
  std::size_t sent = 0;
  ssize_t result = 0;
  while ((result = ::write(ends.a, much.data(), much.size())) > 0) {
    sent += static_cast<std::size_t>(result);
  }
  CHECK(errno == EAGAIN);
  while (sent > 0) {
    pollfd more{ends.b, POLLIN, 0};
    REQUIRE(::poll(&more, 1, soon) == 1);
    sent -= get(ends.b, 65536).size();
  }
  ::shutdown(ends.b, SHUT_WR);
  CHECK(has(queue.take(soon), ends.a, EVFILT_WRITE));
}

TEST_CASE("the peer's half-close ends reading and says nothing of writing", "[kqueue]") {
  Queue queue;
  Pair ends(make_tcp());
  REQUIRE(queue.watch(ends.a, EVFILT_READ) == 0);
  REQUIRE(queue.watch(ends.a, EVFILT_WRITE) == 0);
  REQUIRE(queue.take(soon).size() == 1);
  ::shutdown(ends.b, SHUT_WR);
  const Events events = queue.take(soon);
  REQUIRE(events.size() == 1);
  CHECK(events[0].filter == EVFILT_READ);
  CHECK((events[0].flags & EV_EOF) != 0);
  CHECK(events[0].fflags == 0);
  CHECK(queue.take().empty());
}

TEST_CASE("asked again a socket tells of its room, though the peer has ended", "[kqueue]") {
  Queue queue;
  Pair ends(make_tcp());
  REQUIRE(queue.watch(ends.a, EVFILT_WRITE) == 0);
  REQUIRE(queue.take(soon).size() == 1);
  ::shutdown(ends.b, SHUT_WR);
  pollfd end{ends.a, POLLRDHUP, 0};
  REQUIRE(::poll(&end, 1, soon) == 1);
  REQUIRE(queue.watch(ends.a, EVFILT_WRITE) == 0);
  CHECK(has(queue.take(soon), ends.a, EVFILT_WRITE));
}

TEST_CASE("after its own shutdown() a socket has nothing to write any more", "[kqueue]") {
  Queue queue;
  Pair ends(make_tcp());
  REQUIRE(queue.watch(ends.a, EVFILT_WRITE) == 0);
  REQUIRE(queue.take(soon).size() == 1);
  ::shutdown(ends.a, SHUT_WR);
  const Events events = queue.take(soon);
  REQUIRE(events.size() == 1);
  CHECK((events[0].flags & EV_EOF) != 0);
}

TEST_CASE("a reset is told by both filters", "[kqueue]") {
  Queue queue;
  Pair ends(make_tcp());
  REQUIRE(queue.watch(ends.a, EVFILT_READ) == 0);
  REQUIRE(queue.watch(ends.a, EVFILT_WRITE) == 0);
  REQUIRE(queue.take(soon).size() == 1);
  const linger at_once{1, 0};
  ::setsockopt(ends.b, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ends.close_b();
  const Events events = queue.take(soon);
  REQUIRE(events.size() == 2);
  for (const auto& event : events) {
    CHECK((event.flags & EV_EOF) != 0);
    CHECK(event.fflags == ECONNRESET);
  }
  char byte = 0;
  CHECK(::read(ends.a, &byte, 1) == -1);  // asking has not taken the error away
  CHECK(errno == ECONNRESET);
}

TEST_CASE("a socket that was never connected is not ready", "[kqueue]") {
  Queue queue;
  for (const int family : {AF_INET, AF_UNIX}) {
    const int fresh = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    REQUIRE(queue.watch(fresh, EVFILT_READ) == 0);
    REQUIRE(queue.watch(fresh, EVFILT_WRITE, EV_ADD) == 0);
    CHECK(queue.take().empty());
    ::close(fresh);
  }
}

TEST_CASE("a connection to nobody is refused at once and for good", "[kqueue]") {
  Queue queue;
  const sockaddr_in nobody = closed_port(SOCK_STREAM);
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  for (int i = 0; i < 2; ++i) {
    CHECK(::connect(client, reinterpret_cast<const sockaddr*>(&nobody), sizeof nobody) == -1);
    CHECK(errno == ECONNREFUSED);
  }
  REQUIRE(queue.watch(client, EVFILT_WRITE) == 0);
  const Events events = queue.take(soon);
  REQUIRE(events.size() == 1);
  CHECK((events[0].flags & EV_EOF) != 0);
  CHECK(events[0].fflags == 0);
  ::close(client);
}

TEST_CASE("bytes behind an urgent one count as there", "[kqueue]") {
  Queue queue;
  Pair ends(make_tcp());
  REQUIRE(queue.watch(ends.a, EVFILT_READ) == 0);
  REQUIRE(::send(ends.b, "!", 1, MSG_OOB) == 1);
  put(ends.b, "xyz");
  pollfd all{ends.a, POLLIN | POLLPRI, 0};
  REQUIRE(::poll(&all, 1, soon) == 1);
  const Events events = queue.take(soon);
  REQUIRE(events.size() == 1);
  CHECK(events[0].data > 0);
}

TEST_CASE("a datagram that was refused makes both filters ready, and ends neither", "[kqueue]") {
  Queue queue;
  const sockaddr_in nobody = closed_port(SOCK_DGRAM);
  const int client = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  REQUIRE(::connect(client, reinterpret_cast<const sockaddr*>(&nobody), sizeof nobody) == 0);
  REQUIRE(queue.watch(client, EVFILT_READ) == 0);
  REQUIRE(queue.watch(client, EVFILT_WRITE) == 0);
  REQUIRE(queue.take(soon).size() == 1);
  put(client, "x");
  const Events events = queue.take(soon);
  CHECK(has(events, client, EVFILT_READ));
  CHECK(has(events, client, EVFILT_WRITE));
  for (const auto& event : events) CHECK((event.flags & EV_EOF) == 0);
  char byte = 0;
  CHECK(::recv(client, &byte, 1, 0) == -1);
  CHECK(errno == ECONNREFUSED);
  ::close(client);
}

TEST_CASE("a pipe tells the bytes before its end", "[kqueue]") {
  Queue queue;
  Pair ends(make_pipe());
  REQUIRE(queue.watch(ends.a, EVFILT_READ) == 0);
  put(ends.b, "xyz");
  ends.close_b();
  const Events events = queue.take(soon);
  REQUIRE(events.size() == 1);
  CHECK(events[0].data == 3);
  CHECK((events[0].flags & EV_EOF) != 0);
}

TEST_CASE("a pipe without a reader ends writing, and then takes no filter", "[kqueue]") {
  Queue queue;
  Pair ends(make_pipe());
  REQUIRE(queue.watch(ends.b, EVFILT_WRITE) == 0);
  Events events = queue.take(soon);
  REQUIRE(events.size() == 1);
  CHECK((events[0].flags & EV_EOF) == 0);
  ends.close_a();
  events = queue.take(soon);
  REQUIRE(events.size() == 1);
  CHECK((events[0].flags & EV_EOF) != 0);
  CHECK(queue.watch(ends.b, EVFILT_WRITE, EV_DELETE) == 0);
  CHECK(queue.watch(ends.b, EVFILT_WRITE) == EPIPE);
}

TEST_CASE("the filter of the other direction of a pipe is accepted and silent", "[kqueue]") {
  Queue queue;
  Pair ends(make_pipe());
  REQUIRE(queue.watch(ends.a, EVFILT_WRITE) == 0);
  REQUIRE(queue.watch(ends.b, EVFILT_READ) == 0);
  put(ends.b, "x");
  CHECK(queue.take().empty());
  ends.close_a();
  CHECK(queue.take().empty());
}

TEST_CASE("a file is readable where it does not end; /dev/null has no filter", "[kqueue]") {
  Queue queue;
  const int file = ::memfd_create("file", MFD_CLOEXEC);
  REQUIRE(file >= 0);
  REQUIRE(queue.watch(file, EVFILT_READ, EV_ADD) == 0);
  CHECK(queue.take().empty());
  put(file, "0123456789");
  ::lseek(file, 4, SEEK_SET);
  REQUIRE(queue.watch(file, EVFILT_READ, EV_ADD) == 0);
  Events events = queue.take();
  REQUIRE(events.size() == 1);
  CHECK(events[0].data == 6);
  CHECK(queue.take().size() == 1);
  ::lseek(file, 0, SEEK_END);
  CHECK(queue.take().empty());
  ::close(file);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  CHECK(queue.watch(null, EVFILT_READ) == ENODEV);
  ::close(null);
}

TEST_CASE("a terminal has bytes, room and an end", "[kqueue]") {
  Queue queue;
  const int screen = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(screen >= 0);
  REQUIRE(::unlockpt(screen) == 0);
  std::array<char, 64> name{};
  REQUIRE(::ptsname_r(screen, name.data(), name.size()) == 0);
  const int terminal = ::open(name.data(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(queue.watch(terminal, EVFILT_READ) == 0);
  REQUIRE(queue.watch(terminal, EVFILT_WRITE) == 0);
  Events events = queue.take(soon);
  REQUIRE(events.size() == 1);
  CHECK(events[0].filter == EVFILT_WRITE);
  put(screen, "line\n");
  events = queue.take(soon);
  REQUIRE(has(events, terminal, EVFILT_READ));
  CHECK(events[0].data == 5);
  CHECK(get(terminal) == "line\n");
  queue.take();
  ::close(screen);
  events = queue.take(soon);
  REQUIRE(has(events, terminal, EVFILT_READ));
  for (const auto& event : events) CHECK((event.flags & EV_EOF) != 0);
  ::close(terminal);
}

TEST_CASE("a reset behind the end is an error of the next read, once", "[kqueue]") {
  Queue queue;
  Pair ends(make_tcp());
  REQUIRE(queue.watch(ends.a, EVFILT_READ) == 0);
  REQUIRE(::shutdown(ends.b, SHUT_WR) == 0);
  CHECK(queue.take(soon).size() == 1);
  char byte = 0;
  CHECK(::read(ends.a, &byte, 1) == 0);
  const linger at_once{1, 0};
  REQUIRE(::setsockopt(ends.b, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
  ends.close_b();
  CHECK(queue.take(soon).at(0).fflags == ECONNRESET);
  CHECK(::recv(ends.a, &byte, 0, 0) == 0);
  SECTION("by read()") { CHECK(::read(ends.a, &byte, 1) == -1); }
  SECTION("by recv()") { CHECK(::recv(ends.a, &byte, 1, 0) == -1); }
  CHECK(errno == ECONNRESET);
  CHECK(::read(ends.a, &byte, 1) == 0);
}

TEST_CASE("an end without a reset stays one, whoever else closes", "[kqueue]") {
  Queue queue;
  Pair ends(make_tcp());
  REQUIRE(queue.watch(ends.a, EVFILT_READ) == 0);
  ends.close_b();
  CHECK(queue.take(soon).size() == 1);
  REQUIRE(::shutdown(ends.a, SHUT_WR) == 0);
  char byte = 0;
  for (int i = 0; i < 3; ++i) CHECK(::read(ends.a, &byte, 1) == 0);
}
