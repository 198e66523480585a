// What a callback writes leaves when the callback has returned, and what the kernel takes at once
// is told then: on a fresh stack, once, and in turn with everything else.
#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;

TEST_CASE("on_write() comes on a fresh stack, however often it writes again", "[R1][R8]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world, any_link());
  Stream& writer = stream;
  int depth = 0, deepest = 0;
  std::size_t left = 1000;
  const auto once = [&] {
    deepest = std::max(deepest, ++depth);
    if (left > 0) {
      --left;
      writer.write("x");
    }
    --depth;
  };
  stream.opened = [&] {
    writer.start_reading();
    once();
  };
  stream.written = [&](std::size_t bytes) {
    CHECK(bytes == 1);
    once();
  };
  wait_received(world, far, 1000);
  world.run_until("all is told", [&] { return writer.writes.size() == 1000; });
  CHECK(deepest == 1);
}

TEST_CASE("stop() in the callback that wrote: the bytes leave, and are told in the next run",
          "[R1]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world, any_link());
  wait_open(world, stream);
  Stream& writer = stream;
  stream.read = [&](Buffer&) {
    writer.write("answer");
    world->stop();
  };
  far.send("question");
  while (!far.sent()) far.turn();
  while (writer.reads == 0) world->run_once(hang);
  CHECK(writer.writes.empty());
  const proa::TimePoint until = world.in(hang);
  while (far.received_bytes() < 6 && world.system().now() < until) {
    far.turn();
    // A backend that sends when it waits has the bytes by then.
    if (std::string(world->backend().name) != "uring") continue;
    world->run_once(proa::Duration::zero());
  }
  CHECK(far.received() == "answer");
  world.run_until("it is told", [&] { return !writer.writes.empty(); });
  turns(world, 5);
  CHECK(writer.writes == std::vector<std::size_t>{6});
}

TEST_CASE("what one callback writes to many streams is told to each, whatever they do",
          "[R1][R6]") {
  Streams streams;
  World world;
  const Link link = any_link();
  struct Throws {};
  constexpr std::size_t number = 5;
  std::vector<Line> lines;
  for (std::size_t i = 0; i < number; ++i) {
    lines.push_back(line(streams, world, link));
    wait_open(world, lines.back().stream);
  }
  lines[0].stream.read = [&](Buffer&) {
    for (Line& each : lines) each.stream.write("to all");
  };
  int thrown = 0, throwing = 0;
  SECTION("nothing") {}
  SECTION("the first one throws") {
    lines[0].stream.written = [&](std::size_t) { throw Throws(); };
    throwing = 1;
  }
  SECTION("each throws") {
    for (Line& each : lines) each.stream.written = [&](std::size_t) { throw Throws(); };
    throwing = number;
  }
  SECTION("each finishes") {
    for (Line& each : lines) each.stream.written = [&](std::size_t) { each.stream.finish(); };
  }
  SECTION("the first one ends its output") {
    lines[0].stream.written = [&](std::size_t) { lines[0].stream.half_close(); };
  }
  lines[0].far.send("go");
  const auto all_told = [&] {
    return std::all_of(lines.begin(), lines.end(), [](const Line& each) {
      return each.stream.writes.size() == 1 && each.far.received() == "to all";
    });
  };
  const proa::TimePoint until = world.in(hang);
  while (!all_told() && world.system().now() < until) {
    try {
      world.turn();
    } catch (const Throws&) {
      ++thrown;
    }
  }
  CHECK(all_told());
  CHECK(thrown == throwing);
  turns(world, 5);
  for (const Line& each : lines) CHECK(each.stream.writes.size() == 1);
}

TEST_CASE("a stream that is closed in the on_write() of another one is told nothing more", "[R6]") {
  Streams streams;
  World world;
  const Link link = any_link();
  auto [first, far] = line(streams, world, link);
  auto [second, other] = line(streams, world, link);
  wait_open(world, first);
  wait_open(world, second);
  Stream& one = first;
  Stream& two = second;
  bool closes = false;
  one.read = [&](Buffer&) {
    one.write("a");
    two.write("b");
  };
  one.written = [&](std::size_t) {
    closes = true;
    two.close();
  };
  two.written = [&](std::size_t) { CHECK(!closes); };
  far.send("go");
  wait_closed(world, two);
  CHECK(two.count("closed") == 1);
}

TEST_CASE(
    "what an on_write() writes leaves, whoever made the first write, and whatever stops the run",
    "[R1]") {
  Timing timing;
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world, any_link());
  wait_open(world, stream);
  turns(world, 5);
  Stream& writer = stream;
  const bool stops = GENERATE(false, true);
  writer.written = [&](std::size_t) {
    if (writer.writes.size() > 1) return;
    writer.write("second");
    if (stops) world->stop();
  };
  SECTION("a post") {
    REQUIRE(world->post([&] { writer.write("first "); }));
  }
  SECTION("a timer") {
    timing.then = [&] { writer.write("first "); };
    world.submit(timing.request, world.system().now());
  }
  while (writer.writes.empty()) world->run_once(hang);
  // On uring the write of an on_write() leaves when the loop enters the kernel next.
  if (std::string(world->backend().name) == "uring") world->run_once(proa::Duration::zero());
  const proa::TimePoint until = world.in(hang);
  while (far.received_bytes() < 12 && world.system().now() < until) far.turn();
  CHECK(far.received() == "first second");
  world.run_until("both are told", [&] { return writer.writes.size() == 2; });
}

TEST_CASE("M04: many streams that write in on_write() leave a post its turn", "[R8][M04]") {
  Streams streams;
  World world;
  constexpr std::size_t number = 300;
  std::vector<Stream*> writers;
  for (std::size_t i = 0; i < number; ++i) {
    writers.push_back(&line(streams, world, Link::path).stream);
  }
  for (Stream* each : writers) wait_open(world, *each);
  std::size_t since = 0, most = 0, posts = 0;
  const bool write_again = GENERATE(false, true);
  for (Stream* each : writers) {
    each->written = [&, each](std::size_t) {
      ++since;
      each->writes.clear();
      if (write_again && posts < 200) each->write("x");
    };
  }
  std::function<void()> again = [&] {
    most = std::max(most, std::exchange(since, 0));
    if (!write_again || posts == 0) {
      for (Stream* each : writers) each->write("x");
    }
    if (++posts < 200) CHECK(world->post([&] { again(); }));
  };
  REQUIRE(world->post([&] { again(); }));
  world.run_until("the posts have run", [&] { return posts == 200; });
  // A round's budget is 32, and each of its turns may tell a few dozen.
  CHECK(most < number);
  turns(world, 20);
}

}  // namespace
