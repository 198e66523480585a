// StreamHandler reading: everything, in order, whatever stops and starts in between; the end and
// errors come behind the last byte.
#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;

TEST_CASE("a stream reads all that comes, and the end behind it", "[R2][R5]") {
  Streams streams;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::tcp6, Link::path, Link::abstract);
  auto [stream, far] = line(streams, world, kind);
  stream.expect_pattern(1);
  constexpr std::size_t size = std::size_t{1} << 20;
  far.send_pattern(1, size);
  far.half_close();
  CHECK(stream.events.empty());
  wait_closed(world, stream);
  CHECK(stream.received_bytes == size);
  CHECK(stream.difference == no_difference);
  CHECK(stream.events == Events{"open", "read", "end", "closed"});
  CHECK(!stream.error);
}

TEST_CASE("on_open comes before all else, also when reading was started at once", "[R1]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  far.send("early");
  far.half_close();
  far.turn();
  stream.start_reading();
  stream.write("me too");
  CHECK(stream.events.empty());
  stream.opened = [] {};
  wait_closed(world, stream);
  CHECK(stream.events.front() == "open");
  CHECK(stream.received == "early");
  CHECK(far.received() == "me too");
}

TEST_CASE("T36: stopping and starting loses no byte and swaps none", "[R5][T36]") {
  Streams streams;
  proa::Options with = options();
  with.buffer_size = 1024;
  World world(with);
  auto [stream, far] = line(streams, world);
  stream.expect_pattern(2);
  std::size_t size = 300000;

  SECTION("stopped in every callback, started a while later") {
    stream.read = [&s = stream](Buffer&) { s.stop_reading(); };
    far.send_pattern(2, size);
    far.half_close();
    std::size_t seen = 0;
    world.run_until(
        "it is closed",
        [&, &s = stream, &f = far] {
          CHECK(s.reads <= seen + 1);
          if (s.reads > seen && s.reads % 3 != 0) {
            // Nothing comes while it is stopped.
            const std::size_t before = s.reads;
            world.turn();
            CHECK(s.reads == before);
          }
          seen = s.reads;
          if (!s.closing() && s.saw("open")) s.start_reading();
          f.turn();
          return s.is_closed();
        },
        20s);
  }
  SECTION("stopped and started again in the same callback") {
    stream.read = [&s = stream](Buffer&) {
      s.stop_reading();
      s.start_reading();
    };
    far.send_pattern(2, size);
    far.half_close();
    wait_closed(world, stream);
  }
  SECTION("stopped and started at random moments") {
    size = 2000000;
    far.send_pattern(2, size);
    far.half_close();
    std::uint32_t dice = 1;
    world.run_until(
        "it is closed",
        [&, &s = stream] {
          dice = dice * 1664525 + 1013904223;
          if (!s.closing() && s.saw("open"))
            (dice >> 30) == 0 ? s.stop_reading() : s.start_reading();
          return s.is_closed();
        },
        20s);
  }
  CHECK(stream.received_bytes == size);
  CHECK(stream.difference == no_difference);
  CHECK(stream.count("end") == 1);
  CHECK(!stream.error);
}

TEST_CASE("what arrives while reading is stopped waits, and the end behind it", "[R5]") {
  Streams streams;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  auto [stream, far] = line(streams, world, kind);
  wait_open(world, stream);
  far.send("one");
  world.run_until("the first came", [&s = stream] { return s.received == "one"; });
  stream.stop_reading();
  far.send("two");
  far.half_close();
  turns(world, 20);
  CHECK(stream.events == Events{"open", "read"});
  CHECK(stream.received == "one");
  stream.start_reading();
  CHECK(stream.received == "one");
  wait_closed(world, stream);
  CHECK(stream.received == "onetwo");
  CHECK(stream.events == Events{"open", "read", "end", "closed"});
}

TEST_CASE("an end that was held back comes with start_reading, once", "[R2]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  stream.ended = [] {};
  stream.opened = [] {};
  far.half_close();
  turns(world, 10);
  CHECK(stream.events == Events{"open"});
  stream.start_reading();
  world.run_until("the end came", [&s = stream] { return s.saw("end"); });
  stream.stop_reading();
  stream.start_reading();
  turns(world, 10);
  CHECK(stream.events == Events{"open", "end"});
  CHECK(stream.is_open());
}

TEST_CASE("T12: after the end the stream still writes", "[R2][T12]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  stream.ended = [&s = stream] { s.write("good bye, "); };
  far.half_close();
  world.run_until("it arrived", [&f = far] { return f.received() == "good bye, "; });
  CHECK(stream.is_open());
  stream.write("really");
  world.run_until("it arrived", [&f = far] { return f.received() == "good bye, really"; });
  stream.finish();
  wait_closed(world, stream);
  wait_ended(world, far);
  CHECK(stream.count("end") == 1);
}

TEST_CASE("T15: both ends shut down at once, and both are told", "[T15]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  wait_open(world, stream);
  stream.write("last");
  stream.finish();
  far.half_close();
  far.turn();
  wait_closed(world, stream);
  wait_ended(world, far);
  CHECK(far.received() == "last");
  CHECK(far.error() == 0);
  CHECK(!stream.error);
}

TEST_CASE("T17: the peer is gone before we do anything", "[T17]") {
  Streams streams;
  World world;
  const bool resets = GENERATE(false, true);
  auto [stream, far] = line(streams, world);
  resets ? far.reset() : far.close();
  stream.write("hello?");
  wait_closed(world, stream);
  CHECK(stream.count("end") + stream.count("error") == 1);
  if (stream.error) {
    CHECK((stream.error == std::errc::connection_reset || stream.error == std::errc::broken_pipe));
  }
}

constexpr std::size_t pattern_size = 30000;

// The far end has a pattern to send, which the stream checks.
Line line_with_pattern(Streams& streams, World& world) {
  const Line made = line(streams, world);
  made.stream.expect_pattern(3);
  made.far.send_pattern(3, pattern_size);
  return made;
}

// Which of the two is the system's choice (docs/BACKENDS.md).
TEST_CASE("T11: a reset behind the end eats nothing, and one of them is told", "[R2][T11]") {
  Streams streams;
  World world;
  auto [stream, far] = line_with_pattern(streams, world);
  far.half_close();
  while (!far.sent()) far.turn();
  far.turn();
  far.reset();
  wait_closed(world, stream);
  CHECK(stream.received_bytes == pattern_size);
  CHECK(stream.difference == no_difference);
  CHECK(stream.count("end") + stream.count("error") == 1);
  if (stream.saw("error")) CHECK(stream.error == std::errc::connection_reset);
}

TEST_CASE("T11: a reset does not eat the data before it, and is told once", "[R2][T11]") {
  Streams streams;
  World world;
  auto [stream, far] = line_with_pattern(streams, world);
  bool closes = true;

  SECTION("while reading is on") {}
  SECTION("while reading is stopped, with what was received kept") {
    wait_open(world, stream);
    stream.stop_reading();
  }
  SECTION("by a handler that stays") {
    closes = false;
    stream.failed = [](std::error_code) {};
  }
  while (!far.sent()) far.turn();
  far.reset();
  turns(world, 10);
  stream.start_reading();
  world.run_until("the reset came", [&s = stream] { return s.saw("error"); });
  turns(world, 5);
  CHECK(stream.received_bytes == pattern_size);
  CHECK(stream.difference == no_difference);
  CHECK(stream.error == std::errc::connection_reset);
  Events expected{"open", "read", "error"};
  if (closes) expected.push_back("closed");
  CHECK(stream.events == expected);
  if (closes) return;
  // Nothing works any more, and nothing more is said.
  stream.start_reading();
  stream.write("too late");
  turns(world, 5);
  CHECK(stream.events == expected);
}

TEST_CASE("T28: urgent bytes cause no spin, no end, and lose no others", "[R11][T28]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  far.send("before");
  world.run_until("the first came", [&s = stream] { return s.received == "before"; });
  CHECK(far.urgent('!') == 1);
  turns(world, 10);
  // An idle stream sleeps: a few rounds, not thousands.
  const std::uint64_t waits = world->counters().waits;
  world->run_once(50ms);
  CHECK(world->counters().waits - waits <= 3);
  far.send("behind");
  world.run_until("the rest came", [&s = stream] { return s.received == "beforebehind"; });
  CHECK(far.urgent('?') == 1);
  far.send("last");
  far.half_close();
  wait_closed(world, stream);
  CHECK(stream.received == "beforebehindlast");
  CHECK(stream.events == Events{"open", "read", "end", "closed"});
}

TEST_CASE("a buffer that was not moved away is not kept", "[R3]") {
  // 64 buffers in all, and far more than that is read.
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  stream.expect_pattern(4);
  far.send_pattern(4, 4000000);
  world.run_until("all came", [&s = stream] { return s.received_bytes == 4000000; });
  CHECK(stream.difference == no_difference);
}

}  // namespace
