// Much input on one stream: one call may receive it into several blocks, and the handler may do in
// each on_read() what it may do in any.
#include <memory>

#include "contract/filter_rig.hpp"
#include "contract/stream_rig.hpp"
#include "support/faults.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;

constexpr std::size_t much = 3000000;

// A line that has brought much already: what comes next may come in several blocks.
Line busy_line(Streams& streams, World& world, Link link) {
  const Line made = line(streams, world, link);
  made.stream.expect_pattern(7);
  made.far.send_pattern(7, much);
  world.run_until("much has come", [&] { return made.stream.received_bytes > much / 2; });
  return made;
}

TEST_CASE("much input comes whole and in order, whatever is done in on_read()", "[R5][R8]") {
  Streams streams;
  World world;
  auto [stream, far] = busy_line(streams, world, any_link());
  far.half_close();
  Stream& reader = stream;

  SECTION("nothing") {}
  SECTION("reading stops and goes on") {
    stream.read = [&reader](Buffer&) {
      reader.stop_reading();
      reader.start_reading();
    };
  }
  SECTION("reading stops, and goes on later") {
    std::size_t stops = 0;
    stream.read = [&, count = std::size_t{0}](Buffer&) mutable {
      if (++count % 7 == 0) {
        ++stops;
        reader.stop_reading();
      }
    };
    // In each turn but those in which it has just stopped.
    std::size_t seen = 0;
    world.run_until("all has come", [&] {
      if (stops == seen) return reader.is_closed();
      seen = stops;
      const std::size_t reads = reader.reads;
      world.turn();
      CHECK(reader.reads == reads);  // no on_read() while reading is off
      reader.start_reading();
      return reader.is_closed();
    });
    CHECK(stops > 3);
  }
  SECTION("it is sent back") {
    far.expect_pattern(7);
    // What was read before is not sent.
    const std::size_t before = stream.received_bytes;
    std::size_t sent = 0;
    stream.read = [&, count = std::size_t{0}](Buffer& data) mutable {
      sent += data.size();
      reader.write(std::move(data));
    };
    world.run_until("all is back", [&, &f = far] { return f.received_bytes() >= much - before; });
    CHECK(sent == much - before);
  }
  wait_closed(world, stream);
  CHECK(stream.received_bytes == much);
  CHECK(stream.difference == no_difference);
  CHECK(stream.count("end") == 1);
}

TEST_CASE("much input, and the handler closes in an on_read()", "[R1][R6]") {
  Streams streams;
  World world;
  auto [stream, far] = busy_line(streams, world, any_link());
  Stream& reader = stream;
  const std::size_t reads = stream.reads;
  stream.read = [&reader](Buffer&) { reader.close(); };
  wait_closed(world, stream);
  CHECK(stream.reads == reads + 1);
  CHECK(stream.difference == no_difference);
}

TEST_CASE("much input, and on_read() throws", "[R1][R5]") {
  Streams streams;
  World world;
  auto [stream, far] = busy_line(streams, world, any_link());
  std::size_t thrown = 0;
  stream.read = [&](Buffer&) {
    if (++thrown < 20) throw thrown;
  };
  const proa::TimePoint until = world.in(hang);
  while (stream.received_bytes < much && world.system().now() < until) {
    try {
      world.turn();
    } catch (std::size_t) {
    }
  }
  CHECK(thrown >= 20);
  CHECK(stream.received_bytes == much);
  CHECK(stream.difference == no_difference);
}

TEST_CASE("much input through a filter, and with short transfers", "[R5]") {
  Streams streams;
  World world;
  Faults faults(GENERATE(1u, 2u));  // before the stream, so that an edge can be repeated
  auto [stream, far] = busy_line(streams, world, any_link());
  faults.deny(0.1);
  SECTION("of one byte more than a block") { faults.shorten(16257); }
  SECTION("of three blocks and a half") { faults.shorten(57000); }
  far.half_close();
  wait_closed(world, stream);
  CHECK(stream.received_bytes == much);
  CHECK(stream.difference == no_difference);
}

TEST_CASE("blocks of much input that are kept do not keep others from receiving", "[R8][R11]") {
  Streams streams;
  World world;
  auto [stream, far] = busy_line(streams, world, Link::tcp4);
  auto [other, friend_of_other] = line(streams, world, Link::tcp4);
  std::vector<Buffer> kept;
  stream.read = [&kept](Buffer& data) { kept.push_back(std::move(data)); };
  world.run_until("it waits", [&] { return world->counters().buffers_missed > 0; });
  CHECK(kept.size() <= 64);
  stream.read = {};
  kept.clear();
  friend_of_other.send("x");
  world.run_until("both go on", [&, &o = other, &s = stream] {
    return o.received == "x" && s.received_bytes == much;
  });
  CHECK(stream.difference == no_difference);
}

}  // namespace
