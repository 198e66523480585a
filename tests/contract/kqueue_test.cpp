// What only kqueue can get wrong about descriptors: changes that wait for the next kevent(2), and
// that the kernel then refuses one of.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <list>
#include <optional>
#include <vector>

#include "raw.hpp"
#include "support/plain.hpp"

namespace {

using namespace proa_test;

// Numbers of no descriptor.
int closed_number() {
  const int number = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 900);
  REQUIRE(number >= 0);
  ::close(number);
  return number;
}

struct Lines {
  std::vector<Connection> all;
  std::list<Read> reads;

  void open(World& world, std::size_t number) {
    for (std::size_t i = 0; i < number; ++i) all.push_back(world.pair(Link::path));
  }
  void receive(World& world, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      world.submit(reads.emplace_back().from(all[i].descriptor()));
    }
  }
  void check(World& world) {
    for (std::size_t i = 0; i < all.size(); ++i) all[i].far.send(std::to_string(i));
    std::size_t i = 0;
    for (Read& read : reads) {
      world.run_until("the line's bytes came", [&] { return read.done(); });
      CHECK(read.text() == std::to_string(i++));
    }
  }
};

TEST_CASE("a change that is refused is an error of its own operation alone", "[R2][kqueue]") {
  if (!over_kqueue()) return;
  Lines lines;
  Read bad;
  World world;
  // With the next kevent(2), or, where no more changes fit, by a call of their own.
  const std::size_t before = GENERATE(0u, 1u, 127u, 128u, 150u);
  lines.open(world, before + 3);
  lines.receive(world, 0, before);
  world.submit(bad.from({closed_number(), proa::DescriptorKind::socket}));
  lines.receive(world, before, before + 3);
  world.run_until("the bad one has ended", [&] { return bad.done(); });
  CHECK(bad.error() == std::errc::bad_file_descriptor);
  CHECK(bad.results.size() == 1);
  lines.check(world);
}

TEST_CASE("a foreign loop does not sleep before changes are made", "[embedding][kqueue]") {
  if (!over_kqueue()) return;
  Accepting accept;
  proa::Options embedded = options();
  embedded.embedded = true;
  World world(embedded);
  proa::Socket& listener = world.listen();
  accept.request.prepare(listener.descriptor());
  world.submit(accept.request);
  for (int i = 0; world->next_deadline() <= world.system().now(); ++i) {
    REQUIRE(i < 10);
    world->poll();
  }
  Peer& peer = world.peer();
  peer.connect(listener.local_address());
  pollfd handle = {world->native_handle(), POLLIN, 0};
  REQUIRE(::poll(&handle, 1, 10000) == 1);
  while (!accept.done() && world->poll() > 0) {
  }
  CHECK(accept.done());
  CHECK(!accept.error());
  accept.request.socket().close();
}

TEST_CASE("changes that wait die with their descriptor", "[R2][kqueue]") {
  if (!over_kqueue()) return;
  Read first;
  Read read;
  World world;
  const Connection line = world.pair(Link::path);
  proa::Socket near = std::move(world.pair(Link::path).near);
  int ends[2];
  REQUIRE(plain_pipe(ends));
  const Raw reading_end(ends[0]);
  const Raw writing_end(ends[1]);
  const int number = near.descriptor().number;
  // All of this happens within one round, before the next kevent(2) takes the changes along.
  std::optional<Raw> foreign;
  first.then = [&] {
    world.submit(read.from(near.descriptor()));
    world->cancel(read.request);
  };
  read.then = [&] {
    near.close();
    foreign.emplace(::dup2(reading_end.number, number));
    writing_end.write("of no concern");
  };
  line.far.send("now");
  world.submit(first.from(line.descriptor()));
  world.run_until("it was cancelled", [&] { return read.done(); });
  const proa::KeepAlive idle(*world);
  world->run_once(20ms);
  CHECK(world->counters().stale_events == 0);
}

TEST_CASE("a descriptor that was released wakes nobody", "[R2][kqueue]") {
  if (!over_kqueue()) return;
  Read read;
  World world;
  const Connection line = world.pair(Link::path);
  line.far.send("first");
  world.submit(read.from(line.descriptor()));
  world.run_until("it was read", [&] { return read.done(); });
  const proa::Descriptor released = line.near.release();
  const std::uint64_t stale = world->counters().stale_events;
  line.far.send("second");
  line.far.turn();
  const proa::KeepAlive idle(*world);
  world->run_once(20ms);
  CHECK(world->counters().stale_events == stale);
  proa::Socket& again = world.own(proa::Socket(world.system(), released));
  world.submit(read.from(again.descriptor()));
  world.run_until("it was read", [&] { return read.results.size() == 2; });
  CHECK(read.text() == "second");
}

}  // namespace
