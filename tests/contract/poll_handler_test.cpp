// PollHandler: a library reads and writes its own descriptors inside run().
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <proa/poll_handler.hpp>
#include <string>

#include "contract/fairness_rig.hpp"
#include "raw.hpp"

namespace {

using namespace proa_test;
using proa::Direction;
using proa::Error;

struct Line {
  Line() : Line(made()) {}
  explicit Line(std::array<int, 2> ends) : near(ends[0]), far(ends[1]) {}
  static std::array<int, 2> made() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
    return ends;
  }
  Raw near;
  Raw far;
};

struct Watcher : proa::PollHandler {
  using PollHandler::PollHandler;
  ~Watcher() override = default;
  void on_ready(const proa::Poll& ready) override {
    CHECK(ready.ready());
    ++(ready.direction() == Direction::in ? inputs : outputs);
    hung_up = ready.hung_up();
    if (then) then();
  }
  void on_error(std::error_code error) override { errors.push_back(error); }
  void on_closed() override { closed = true; }

  std::size_t inputs = 0;
  std::size_t outputs = 0;
  bool hung_up = false;
  bool closed = false;
  std::vector<std::error_code> errors;
  std::function<void()> then;
};

void close(World& world, Watcher& watcher) {
  watcher.then = nullptr;
  watcher.close();
  world.run_until("it is closed", [&] { return watcher.closed; });
  watcher.closed = false;
}

char read_one(const Raw& from) {
  char byte = '?';
  REQUIRE(::read(from.number, &byte, 1) == 1);
  return byte;
}

TEST_CASE("a PollHandler tells as long as there is something to read", "[poll][R12]") {
  const Line line;
  World world;
  Watcher watcher(*world);
  std::string got;
  watcher.then = [&] { got += read_one(line.near); };
  REQUIRE(!watcher.open(line.near.number));
  watcher.watch_input(true);
  world.turn();
  CHECK(watcher.inputs == 0);
  line.far.write("abc");
  world.run_until("all was read", [&] { return got.size() == 3; });
  CHECK(got == "abc");
  world.turn();
  line.far.write("d");
  world.run_until("one more was read", [&] { return got == "abcd"; });
  CHECK(watcher.inputs == 4);
  close(world, watcher);
}

TEST_CASE("a PollHandler watches what it is told to", "[poll][R12]") {
  const Line line;
  World world;
  Watcher watcher(*world);
  REQUIRE(!watcher.open(line.near.number));
  line.far.write("x");
  world.turn();
  CHECK(watcher.inputs + watcher.outputs == 0);
  watcher.watch_output(true);
  world.run_until("there is room, again and again", [&] { return watcher.outputs > 3; });
  CHECK(watcher.inputs == 0);
  watcher.watch_output(false);
  watcher.watch_input(true);
  const std::size_t outputs = watcher.outputs;
  world.run_until("there is input, again and again", [&] { return watcher.inputs > 3; });
  CHECK(watcher.outputs == outputs);
  // Off and on before anything has come to an end.
  watcher.watch_input(false);
  watcher.watch_input(true);
  const std::size_t inputs = watcher.inputs;
  world.run_until("there is input still", [&] { return watcher.inputs > inputs; });
  watcher.watch_output(true);
  world.run_until("both are told", [&] { return watcher.outputs > outputs + 3; });
  close(world, watcher);
}

TEST_CASE("a PollHandler tells of a peer that is gone", "[poll][R12]") {
  World world;
  Line line;
  Watcher watcher(*world);
  REQUIRE(!watcher.open(line.near.number));
  watcher.watch_input(true);
  world.turn();
  { const Raw gone(std::move(line.far)); }
  world.run_until("it was told", [&] { return watcher.inputs > 0; });
  CHECK(watcher.hung_up);
  close(world, watcher);
}

// As libraries do: the descriptor is closed with the handler, and its number is used at once.
TEST_CASE("the descriptor of a PollHandler is closed by its owner at any time", "[poll][R3][R6]") {
  World world;
  std::list<Watcher> watchers;
  int number = -1;
  for (int i = 0; i < 20; ++i) {
    Watcher& watcher = watchers.emplace_back(*world);
    std::array<int, 2> ends = Line::made();
    if (number >= 0) CHECK(ends[0] == number);
    number = ends[0];
    bool told = false;
    watcher.then = [&] {
      told = true;
      watcher.close();
      ::close(ends[0]);
    };
    REQUIRE(!watcher.open(ends[0]));
    watcher.watch_input(true);
    watcher.watch_output(i % 2 == 0);
    if (i % 2 != 0) world.turn();
    REQUIRE(::write(ends[1], "x", 1) == 1);
    world.run_until("it was told", [&] { return told; });
    ::close(ends[1]);
  }
  world.run_until("all are closed", [&] {
    return std::all_of(watchers.begin(), watchers.end(), [](auto& each) { return each.closed; });
  });
}

TEST_CASE("a PollHandler that was closed opens again, in on_closed() too", "[poll][R6]") {
  const Line line;
  World world;
  Watcher watcher(*world);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(!watcher.open(line.near.number));
    CHECK(watcher.open(line.near.number) == std::errc::device_or_resource_busy);
    watcher.watch_output(true);
    const std::size_t before = watcher.outputs;
    world.run_until("there is room", [&] { return watcher.outputs > before; });
    watcher.close();
    CHECK(watcher.open(line.near.number) == Error::closing);
    const std::size_t outputs = watcher.outputs;
    world.run_until("it is closed", [&] { return watcher.closed; });
    CHECK(watcher.outputs == outputs);
    watcher.closed = false;
  }
}

TEST_CASE("a PollHandler says what cannot be duplicated", "[poll][R11]") {
  const Line line;
  World world;
  Watcher watcher(*world);
  CHECK(watcher.open(-1) == std::errc::bad_file_descriptor);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit few = before;
  few.rlim_cur = 3;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  const std::error_code error = watcher.open(line.near.number);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(error == std::errc::too_many_files_open);
  CHECK(!watcher.is_open());
  CHECK(!watcher.open(line.near.number));
  close(world, watcher);
}

struct Other {
  void ready(const proa::Result&) {}
  proa::On<proa::Poll, &Other::ready> poll{*this, Direction::in, true};
};

TEST_CASE("a PollHandler says that its direction is somebody else's", "[poll][R11]") {
  const Line line;
  World world;
  Watcher watcher(*world);
  REQUIRE(!watcher.open(line.near.number));
  Other other;
  other.poll.prepare(watcher.descriptor());
  world.submit(other.poll);
  watcher.watch_input(true);
  world.run_until("it was told", [&] { return !watcher.errors.empty(); });
  CHECK(watcher.errors.front() == Error::reading_is_on);
  world->cancel(other.poll);
  close(world, watcher);
}

TEST_CASE("an exception of on_ready() leaves run(), and the PollHandler goes on", "[poll][C07]") {
  const Line line;
  World world;
  Watcher watcher(*world);
  watcher.then = [] { throw 1; };
  REQUIRE(!watcher.open(line.near.number));
  watcher.watch_input(true);
  line.far.write("x");
  for (std::size_t i = 1; i <= 2; ++i) {
    int thrown = 0;
    while (thrown == 0) {
      try {
        world.turn();
      } catch (int what) {
        thrown = what;
      }
    }
    CHECK(watcher.inputs == i);
  }
  close(world, watcher);
}

TEST_CASE("M04: descriptors that stay ready starve no stream", "[poll][R8][M04]") {
  constexpr std::size_t together = 300;
  Source source;
  std::list<Watcher> watchers;
  Streams streams;
  const Line line;
  World world;
  auto [stream, far] = proa_test::line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  for (std::size_t i = 0; i < together; ++i) {
    Watcher& watcher = watchers.emplace_back(*world);
    watcher.then = [&] { ++source.turns; };
    REQUIRE(!watcher.open(line.near.number));
    watcher.watch_output(true);
  }
  CHECK(most_turns(world, source, far) <= 3 * together);
  for (Watcher& watcher : watchers) watcher.close();
  world.run_until("all are closed", [&] {
    return std::all_of(watchers.begin(), watchers.end(), [](auto& each) { return each.closed; });
  });
}

}  // namespace
