// Descriptors on which a short read is not the end of what is there: an edge-triggered
// backend that takes it for the end hangs.
#include <fcntl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "raw.hpp"
#include "support/plain.hpp"
#include "sys/names.hpp"

namespace {

using namespace proa_test;
using proa::Socket;

// What came, by single receives or by a continuous one.
struct Reading {
  Read read;
  Recording<proa::RecvBuffers> stream;
  std::string all;
  bool ended = false;

  Reading() {
    read.then = [this] {
      all += read.text();
      ended = !read.error() && read.bytes() == 0;
    };
    stream.then = [this] {
      all += stream.request.buffer().text();
      ended = !stream.error() && stream.bytes() == 0;
    };
  }
};

// One receive waits, then `arrive` makes everything come at once; receives follow one by one, or
// the continuous one goes on, until `expected` is there, and the end if it `ends`.
void check_all_comes(World& world, Reading& reading, proa::Descriptor from,
                     const std::function<void()>& arrive, const std::string& expected, bool ends) {
  const bool continuous = GENERATE(false, true);
  const proa::Operation& pending =
      continuous ? static_cast<proa::Operation&>(reading.stream.request) : reading.read.request;
  if (continuous) {
    reading.stream.request.prepare(from);
    world.submit(reading.stream.request);
  } else {
    world.submit(reading.read.from(from));
  }
  for (int i = 0; i < 3; ++i) world.turn();
  REQUIRE(reading.all.empty());
  REQUIRE(pending.pending());
  arrive();
  world.run_until("all came", [&] {
    const bool complete = reading.all == expected && (reading.ended || !ends);
    if (!complete && !continuous && !pending.pending()) world.submit(reading.read.from(from));
    return complete;
  });
  world->cancel(reading.read.request);
  world->cancel(reading.stream.request);
  world.run_until("it ended", [&] { return !pending.pending(); });
}

TEST_CASE("a receive that stops at passed descriptors is not the end of what is there",
          "[R2][readiness]") {
  Reading reading;
  World world;
  const Connection line = world.pair(Link::path);
  const int far = line.far.descriptor().number;
  check_all_comes(
      world, reading, line.descriptor(),
      [&] {
        line.far.send("plain");
        line.far.turn();
        REQUIRE(send_with_descriptor(far, "passed", STDERR_FILENO));
        line.far.send("behind");
        line.far.turn();
      },
      "plainpassedbehind", false);
}

TEST_CASE("T28: nor one that stops at an urgent byte", "[R2][readiness][T28]") {
  Reading reading;
  World world;
  const Connection line = world.pair();
  check_all_comes(
      world, reading, line.descriptor(),
      [&] {
        line.far.send("before");
        line.far.turn();
        REQUIRE(line.far.urgent('!') == 1);
        line.far.send("behind");
        line.far.turn();
      },
      "beforebehind", false);
}

TEST_CASE("T28: an urgent byte alone completes nothing and does not spin", "[R2][readiness][T28]") {
  Read read;
  World world;
  const Connection line = world.pair();
  world.submit(read.from(line.descriptor()));
  world.turn();
  REQUIRE(line.far.urgent('!') == 1);
  const std::uint64_t rounds = world->counters().rounds;
  CHECK(world->run_once(50ms) == 0);
  CHECK(world->counters().rounds - rounds < 10);
  line.far.send("x");
  world.run_until("the byte behind it came", [&] { return read.done(); });
  CHECK(read.text() == "x");
}

TEST_CASE("data and the end of the stream, both there before the receive", "[R2][readiness]") {
  Reading reading;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  const Connection line = world.pair(kind);
  check_all_comes(
      world, reading, line.descriptor(),
      [&] {
        line.far.send("last words");
        line.far.half_close();
        line.far.turn();
      },
      "last words", true);
}

// A backend that is told of each direction by itself is told of the room when another stream has
// its turn, between the end of the input and the receive.
TEST_CASE("the end of a stream is not forgotten over room to send", "[R2][readiness]") {
  const std::string much(std::size_t{8} << 20, 'm');
  Recording<proa::RecvBuffers> busy;
  Read read;
  Sending send;
  World world;
  const Connection other = world.pair(Link::path);
  const Connection line = world.pair();
  line.far.read(false);
  busy.request.prepare(other.descriptor());
  world.submit(busy.request);
  world.submit(read.from(line.descriptor()));
  world.submit(send.to(line.descriptor(), much));
  other.far.send("x");
  world.run_until("the other is at work", [&] { return !busy.results.empty(); });
  for (int i = 0; i < 5; ++i) world.turn();
  REQUIRE(!send.done());
  other.far.send_pattern(1, 100000);
  other.far.turn();
  line.far.send("last words");
  line.far.half_close();
  line.far.read(true);
  for (int i = 0; i < 50; ++i) line.far.turn();
  world.run_until("the bytes came", [&] { return read.done(); });
  CHECK(read.text() == "last words");
  world.submit(read.from(line.descriptor()));
  world.run_until("the end came", [&] { return read.results.size() == 2; });
  CHECK(!read.error());
  CHECK(read.bytes() == 0);
  world.run_until("all was sent", [&] { return send.done(); });
  CHECK(!send.error());
  world->cancel(busy.request);
  world.run_until("the other stopped", [&] { return !busy.request.pending(); });
}

TEST_CASE("a tty that gives a line at a time", "[R2][readiness]") {
  Reading reading;
  World world;
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) {
    return skip("no pseudo-terminals here: posix_openpt failed");
  }
  const Raw outside(master);
  const Raw inside(::open(::ptsname(master), O_RDWR | O_NOCTTY));
  Socket& tty = borrow(world, inside);
  check_all_comes(
      world, reading, tty.descriptor(), [&] { outside.write("first line\nsecond\n"); },
      "first line\nsecond\n", false);
  CHECK((inside.flags() & O_NONBLOCK) == 0);
  tty.close();
}

TEST_CASE("a pipe in packet mode", "[R2][readiness]") {
  Reading reading;
  World world;
  int ends[2];
  REQUIRE(plain_pipe(ends));
  // Where there is no such mode it stays a pipe like any other.
  ::fcntl(ends[1], F_SETFL, proa::sys::direct_io);
  const Raw inside(ends[0]);
  const Raw outside(ends[1]);
  Socket& pipe = borrow(world, inside);
  check_all_comes(
      world, reading, pipe.descriptor(),
      [&] {
        outside.write("packet");
        outside.write("another");
        outside.write("third");
      },
      "packetanotherthird", false);
  CHECK((inside.flags() & O_NONBLOCK) == 0);
}

// kqueue refuses each direction by itself, and callbacks may run between.
TEST_CASE("what was refused once does not end what follows on that number", "[R2][readiness]") {
  Read bad;
  Read good;
  World world;
  int ends[2];
  REQUIRE(plain_pair(ends, false));
  const Raw far(ends[1]);
  const int number = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 200);
  ::close(number);
  bad.then = [&] {
    REQUIRE(::dup2(ends[0], number) == number);
    world.submit(good.from({number, proa::DescriptorKind::socket}));
  };
  world.submit(bad.from({number, proa::DescriptorKind::socket}));
  world.run_until("the bad one has ended", [&] { return bad.done(); });
  CHECK(bad.error() == std::errc::bad_file_descriptor);
  for (int i = 0; i < 3; ++i) world.turn();
  far.write("hello");
  world.run_until("the good one has ended", [&] { return good.done(); });
  CHECK(!good.error());
  CHECK(good.text() == "hello");
  ::close(number);
  ::close(ends[0]);
}

}  // namespace
