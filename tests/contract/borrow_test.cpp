// Descriptors of the program's that the library only borrows: their mode is not touched, they stay
// open, and what epoll refuses works too.
#include <sys/socket.h>

#include <cstdlib>

#include "accept_rig.hpp"
#include "raw.hpp"
#include "support/patterns.hpp"
#include "support/plain.hpp"

namespace {

using namespace proa_test;
using proa::Socket;

TEST_CASE("a borrowed pipe keeps its mode, and stays open", "[readiness]") {
  Read read(100000);
  Sending send;
  World world;
  int ends[2];
  REQUIRE(plain_pipe(ends));
  const Raw out(ends[0]);
  const Raw in(ends[1]);
  const std::string bytes = pattern(1, 300000);
  std::string all;
  {
    Socket& from = borrow(world, out);
    Socket& to = borrow(world, in);
    world.submit(send.to(to.descriptor(), bytes));
    world.run_until("all went through", [&] {
      if (!read.request.pending()) {
        if (!read.results.empty()) all += read.text();
        if (all.size() < bytes.size()) world.submit(read.from(from.descriptor()));
      }
      return all.size() == bytes.size();
    });
    world.run_until("the send completed", [&] { return send.done(); });
    CHECK(first_difference(1, all) == no_difference);
    CHECK((out.flags() & O_NONBLOCK) == 0);
    CHECK((in.flags() & O_NONBLOCK) == 0);
    from.close();
    to.close();
  }
  in.write("still open");
  char text[16] = {};
  CHECK(::read(out.number, text, sizeof text) == 10);
}

TEST_CASE("a borrowed pipe that is full, or empty, can be left", "[R4][readiness]") {
  Read read;
  Sending send;
  World world;
  int ends[2];
  REQUIRE(plain_pipe(ends));
  const Raw out(ends[0]);
  const Raw in(ends[1]);
  Socket& from = borrow(world, out);
  Socket& to = borrow(world, in);
  SECTION("empty") {
    world.submit(read.from(from.descriptor()));
    for (int i = 0; i < 3; ++i) world.turn();
    world->cancel(read.request);
    world.run_until("the receive ended", [&] { return read.done(); });
    CHECK(read.error() == std::errc::operation_canceled);
  }
  SECTION("full") {
    const std::string bytes = pattern(1, 1000000);
    world.submit(send.to(to.descriptor(), bytes));
    for (int i = 0; i < 3; ++i) world.turn();
    world->cancel(send.request);
    world.run_until("the send ended", [&] { return send.done(); });
    CHECK(send.error() == std::errc::operation_canceled);
    CHECK(send.bytes() < bytes.size());
  }
}

TEST_CASE("T10: writing to a pipe that nobody reads is an error, no signal",
          "[R11][readiness][T10]") {
  const SigpipeCount sigpipes;
  Sending send;
  World world;
  int ends[2];
  REQUIRE(plain_pipe(ends));
  const Raw in(ends[1]);
  ::close(ends[0]);
  Socket& to = borrow(world, in);
  world.submit(send.to(to.descriptor(), "nobody listens"));
  world.run_until("the send completed", [&] { return send.done(); });
  CHECK(send.error() == std::errc::broken_pipe);
  CHECK(sigpipes.count() == 0);
}

TEST_CASE("a write to a full pipe ends when its reader goes", "[R2][readiness]") {
  Sending send;
  World world;
  int ends[2];
  REQUIRE(plain_pipe(ends));
  const Raw in(ends[1]);
  Socket& to = borrow(world, in);
  const std::string bytes = pattern(1, 1000000);
  world.submit(send.to(to.descriptor(), bytes));
  // kqueue: before the kernel has heard of the pipe, and after that.
  const int turns_before = GENERATE(0, 3);
  for (int i = 0; i < turns_before; ++i) world.turn();
  ::close(ends[0]);
  world.run_until("the send ended", [&] { return send.done(); });
  CHECK(send.error() == std::errc::broken_pipe);
}

TEST_CASE("a borrowed socket in blocking mode does not block the loop", "[readiness]") {
  Read read;
  Sending send;
  Timing timer;
  World world;
  int ends[2];
  REQUIRE(plain_pair(ends));
  const Raw inside(ends[0]);
  const Raw outside(ends[1]);
  Socket& socket = borrow(world, inside);
  world.submit(read.from(socket.descriptor()));
  world.submit(timer.request, world.in(5ms));
  world.run_until("the timer fired", [&] { return timer.done(); });
  outside.write("hello");
  world.run_until("the receive completed", [&] { return read.done(); });
  CHECK(read.text() == "hello");

  const std::string bytes = pattern(1, std::size_t{4} << 20);
  world.submit(send.to(socket.descriptor(), bytes), world.in(50ms));
  world.run_until("the send gave up", [&] { return send.done(); });
  CHECK(send.error() == proa::Error::deadline);
  CHECK((inside.flags() & O_NONBLOCK) == 0);
}

// Another process may take the connection that the kernel reported. Here the test takes it.
TEST_CASE("a borrowed listener in blocking mode does not block the loop", "[R4][readiness]") {
  enum class By { handler, request, repeating };
  const By by = GENERATE(By::handler, By::request, By::repeating);
  CAPTURE(static_cast<int>(by));
  Accepting accept(by == By::repeating);
  std::size_t accepted = 0;
  World world;
  const Raw inside(plain_socket(AF_INET, SOCK_STREAM));
  Socket& listener = borrow(world, inside);
  REQUIRE(!listener.bind(proa::Address::loopback(0)));
  REQUIRE(!listener.listen(16));
  const proa::Address address = listener.local_address();
  Door door(*world);
  const auto begin = [&] {
    if (by == By::handler || accept.request.pending()) return;
    accept.request.prepare(listener.descriptor());
    world.submit(accept.request);
  };
  const auto came = [&] {
    ++accepted;
    if (accepted == 1) const Raw taken(::accept(inside.number, nullptr, nullptr));
  };
  accept.then = [&] {
    if (accept.error()) return;
    came();
    begin();
  };
  door.then = came;
  const auto lives = [&] {
    Timing timer;
    world.submit(timer.request, world.in(5ms));
    world.run_until("the timer fired", [&] { return timer.done(); });
  };
  if (by == By::handler) REQUIRE(!door.listen(std::move(listener)));
  begin();
  lives();
  fill_backlog(world, address, 2);
  world.run_until("one was accepted", [&] { return accepted == 1; });
  lives();
  fill_backlog(world, address, 3);
  world.run_until("three more were accepted", [&] { return accepted == 4; });
  lives();
  if (by == By::handler) {
    door.finish();
    world.run_until("the listener was closed", [&] { return door.closed > 0; });
  } else {
    world->cancel(accept.request);
    world.run_until("the accept ended", [&] { return accept.done(); });
    CHECK(accept.error() == std::errc::operation_canceled);
  }
  CHECK((inside.flags() & O_NONBLOCK) == 0);
}

TEST_CASE("regular files and /dev/null are always ready", "[R12][readiness]") {
  Read read(64);
  Sending send;
  World world;
  SECTION("/dev/null") {
    const Raw null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    Socket& device = borrow(world, null);
    world.submit(send.to(device.descriptor(), "into nothing"));
    world.submit(read.from(device.descriptor()));
    world.run_until("both completed", [&] { return send.done() && read.done(); });
    CHECK(!send.error());
    CHECK(send.bytes() == 12);
    CHECK(!read.error());
    CHECK(read.bytes() == 0);
  }
  SECTION("a file") {
    const char* const folder = std::getenv("TMPDIR");
    std::string path = (folder ? folder : std::string("/tmp")) + "/proa-test-XXXXXX";
    const Raw file(::mkstemp(path.data()));
    ::unlink(path.c_str());
    Socket& borrowed = borrow(world, file);
    world.submit(send.to(borrowed.descriptor(), "written, "));
    world.run_until("the write completed", [&] { return send.done(); });
    world.submit(send.to(borrowed.descriptor(), "and more"));
    world.run_until("the write completed", [&] { return send.results.size() == 2; });
    REQUIRE(::lseek(file.number, 0, SEEK_SET) == 0);
    world.submit(read.from(borrowed.descriptor()));
    world.run_until("the read completed", [&] { return read.done(); });
    CHECK(read.text() == "written, and more");
    world.submit(read.from(borrowed.descriptor()));
    world.run_until("the end came", [&] { return read.results.size() == 2; });
    CHECK(!read.error());
    CHECK(read.bytes() == 0);
  }
}

TEST_CASE("a descriptor that is not open cannot be borrowed", "[readiness]") {
  World world;
  std::error_code error;
  CHECK(!Socket::borrow(*world, 9999, error).valid());
  CHECK(error == std::errc::bad_file_descriptor);
  CHECK(!Socket::borrow(*world, -1, error).valid());
  CHECK(error == std::errc::bad_file_descriptor);
}

TEST_CASE("P04: events of a duplicate that lives on reach nobody", "[R2][readiness][P04]") {
  Read read;
  Read other;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  const Connection line = world.pair(kind);
  world.submit(read.from(line.descriptor()));
  world.turn();
  world->cancel(read.request);
  world.run_until("the receive ended", [&] { return read.done(); });
  const int number = line.descriptor().number;
  const Raw duplicate(::dup(number));
  line.near.close();
  // The number is used again, for another connection.
  const Connection next = world.pair(kind);
  world.submit(other.from(next.descriptor()));
  world.turn();
  line.far.send("for the duplicate");
  for (int i = 0; i < 5; ++i) world.turn();
  CHECK(other.results.empty());
  CHECK(read.results.size() == 1);
  CHECK(world->counters().stale_events == 0);
  next.far.send("for the new one");
  world.run_until("the new one got its bytes", [&] { return other.done(); });
  CHECK(other.text() == "for the new one");
}

}  // namespace
