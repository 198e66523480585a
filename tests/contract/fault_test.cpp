// Faults below the library that a correct program must not notice (R11), and those it is told of
// once.
#include <cerrno>

#include "support/faults.hpp"
#include "support/patterns.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

// Echoes through one buffer of its own: what it receives it sends back, until the end.
struct Echo {
  explicit Echo(World*& in) : world(in) {
    read.then = [this] {
      error = read.error();
      if (error || read.bytes() == 0) {
        ended = true;
        return;
      }
      world->submit(send.to(line, read.text()));
    };
    send.then = [this] {
      error = send.error();
      ended = bool(error);
      if (!ended) world->submit(read.from(line));
    };
  }
  void start(proa::Descriptor descriptor) {
    line = descriptor;
    world->submit(read.from(line));
  }
  World*& world;
  proa::Descriptor line;
  Read read{1500};
  Sending send;
  std::error_code error;
  bool ended = false;
};

// Streams 200 KB through it, whatever the faults are.
void check_echo(World& world, Echo& echo, Faults& faults, Link kind) {
  constexpr std::size_t size = 200000;
  const Connection line = world.pair(kind);
  line.far.send_pattern(1, size);
  line.far.half_close();
  line.far.expect_pattern(1);
  echo.start(line.descriptor());
  world.run_until("all came back", [&] { return line.far.received_bytes() == size; });
  world.run_until("the end came", [&] { return echo.ended; });
  CHECK(!echo.error);
  CHECK(line.far.difference() == no_difference);
  CHECK(faults.injected() > 50);
  faults.clear();
}

TEST_CASE("a stream is the same through short transfers", "[R11]") {
  World* in = nullptr;
  Echo echo(in);
  World world;
  in = &world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  Faults faults;
  faults.shorten(GENERATE(std::size_t{97}, std::size_t{1000}));
  check_echo(world, echo, faults, kind);
}

TEST_CASE("a stream is the same through storms of EINTR and EAGAIN", "[R11][S02]") {
  World* in = nullptr;
  Echo echo(in);
  World world;
  in = &world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  Faults faults(GENERATE(1u, 2u));
  faults.interrupt(0.3);
  faults.deny(0.3);
  faults.shorten(600);
  check_echo(world, echo, faults, kind);
  CHECK(world->counters().retries + world->counters().rearmed > 0);
}

TEST_CASE("continuous receiving goes on through the storms", "[R11]") {
  Recording<proa::RecvBuffers> stream;
  std::size_t total = 0;
  std::size_t broken = no_difference;
  World world;
  const Connection line = world.pair();
  Faults faults(3);
  faults.interrupt(0.3);
  faults.deny(0.3);
  constexpr std::size_t size = 300000;
  stream.then = [&] {
    if (broken == no_difference)
      broken = first_difference(1, stream.request.buffer().text(), total);
    total += stream.bytes();
  };
  stream.request.prepare(line.descriptor());
  world.submit(stream.request);
  for (std::size_t i = 0; i < 30; ++i) {
    line.far.send_pattern(1, size / 30);
    world.run_until("they came", [&] { return total == (i + 1) * size / 30; });
  }
  line.far.half_close();
  world.run_until("the end came", [&] { return stream.done(); });
  CHECK(!stream.error());
  CHECK(broken == no_difference);
  CHECK(faults.injected() > 0);
}

TEST_CASE("accepting goes on through the storms, and past connections that died", "[R11]") {
  Accepting accept(true);
  std::size_t accepted = 0;
  World world;
  proa::Socket& listener = world.listen();
  accept.then = [&] {
    if (!accept.error()) ++accepted;
    accept.request.socket().close();
  };
  accept.request.prepare(listener.descriptor());
  Faults faults(4);
  faults.interrupt(0.3);
  faults.deny(0.3);
  for (const int died : {ECONNABORTED, EPROTO}) {
    faults.fail(Call::accept, -died, 1);
    if (!accept.request.pending()) world.submit(accept.request);
    const std::size_t before = accepted;
    for (int i = 0; i < 20; ++i) world.peer().connect(listener.local_address());
    world.run_until("all were accepted", [&] { return accepted == before + 20; });
    CHECK(accept.request.pending());
  }
  CHECK(faults.injected() > 0);
}

TEST_CASE("an error of the system completes the operation once; the next one works", "[R2]") {
  Read read;
  Sending send;
  World world;
  const Connection line = world.pair();
  const int error = GENERATE(ENOMEM, ENOBUFS, EIO);
  Faults faults;
  faults.fail(Call::recv, -error);
  faults.fail(Call::send, -error);
  line.far.send("data");
  line.far.turn();
  world.submit(read.from(line.descriptor()));
  world.submit(send.to(line.descriptor(), "data"));
  world.run_until("both completed", [&] { return read.done() && send.done(); });
  CHECK(read.error() == std::error_code(error, std::system_category()));
  CHECK(send.error() == std::error_code(error, std::system_category()));
  CHECK(read.results.size() == 1);
  CHECK(send.results.size() == 1);
  faults.clear();
  world.submit(read.from(line.descriptor()));
  world.submit(send.to(line.descriptor(), "data"));
  world.run_until("the next ones completed",
                  [&] { return read.results.size() == 2 && send.results.size() == 2; });
  CHECK(read.text() == "data");
  CHECK(!send.error());
}

TEST_CASE("a call that waits may fail for a while", "[R11][B07]") {
  Read read;
  World world;
  const Connection line = world.pair();
  world.submit(read.from(line.descriptor()));
  line.far.send("data");
  line.far.turn();
  Faults faults;
  const int error = GENERATE(EINTR, EAGAIN, EBUSY);
  if (over_uring()) {
    faults.fail(Call::uring_submit_and_wait, -error, 1, 20);
  } else {
    faults.fail(over_epoll() ? Call::epoll_wait : Call::kevent, -EINTR, 1, 20);
  }
  world.run_until("the receive completed", [&] { return read.done(); });
  CHECK(read.text() == "data");
  CHECK(faults.injected() > 0);
}

TEST_CASE("a descriptor that cannot be watched is an error of its operation", "[R2]") {
  if (over_uring()) return;  // it watches nothing
  Read read;
  World world;
  const Connection line = world.pair();
  Faults faults;
  faults.fail(over_epoll() ? Call::epoll_ctl : Call::kevent, -ENOSPC);
  world.submit(read.from(line.descriptor()));
  world.run_until("the receive completed", [&] { return read.done(); });
  CHECK(read.error() == std::errc::no_space_on_device);
  world.submit(read.from(line.descriptor()));
  line.far.send("data");
  world.run_until("the next one completed", [&] { return read.results.size() == 2; });
  CHECK(read.text() == "data");
}

}  // namespace
