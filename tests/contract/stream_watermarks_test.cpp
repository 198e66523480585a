// Watermarks: a slow reader holds the stream back, memory stays bounded, nothing is lost; and what
// counts is memory held, not payload.
#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::Bytes;
using proa::Watermarks;

constexpr std::size_t kib = 1024;

// An echo whose peer sends without reading: goes on until neither end has anything to do. Then the
// queue holds the input back, and has not fallen to the low mark since it passed the high one. (TCP
// itself may rest for a while, with a window that was closed.)
void stall(World& world, Stream& stream, Peer& far, std::size_t low) {
  far.read(false);
  world.run_until("it has come to rest", [&] {
    const std::size_t before = stream.received_bytes;
    turns(world, 20);
    return stream.queued() > low && stream.received_bytes == before;
  });
}

// One on_read() more, with a queue that is filled already: from here on reading is held.
void hold(World& world, Stream& stream, Peer& far) {
  const std::size_t before = stream.reads;
  far.send("!");
  world.run_until("it is held", [&] { return stream.reads > before; });
}

TEST_CASE("T33: above the high mark reading pauses, at the low mark it goes on", "[T33]") {
  Streams streams;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  auto [stream, far] = narrow_line(streams, world, kind);
  const Watermarks marks{64 * kib, 16 * kib, std::size_t{1} << 20};
  stream.set_watermarks(marks);
  stream.echoes = true;
  std::size_t at_drained = 0;
  stream.drained = [&, &s = stream] { at_drained = std::max(at_drained, s.queued()); };
  const std::size_t size = std::size_t{kind == Link::path ? 2u : 8u} << 20;
  far.send_pattern(6, size);
  far.expect_pattern(6);
  // It takes what the kernel has room for on the peer's side, and no more.
  stall(world, stream, far, marks.low);
  CHECK(!far.sent());
  CHECK(stream.received_bytes < size);
  // One pass of the kernel over what it had for us already comes on top.
  CHECK(stream.most_queued <= marks.high + 64 * 4 * kib);
  const std::size_t drained_before = stream.count("drained");

  far.read(true);
  wait_received(world, far, size);
  CHECK(far.difference() == no_difference);
  CHECK(stream.count("drained") > drained_before);
  CHECK(at_drained <= marks.low);
  CHECK(!stream.error);
}

TEST_CASE("on_drained comes once for each time the high mark was passed", "[T33]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  stream.set_watermarks({64 * kib, 16 * kib, std::size_t{64} << 20});
  wait_open(world, stream);
  const std::string bytes = pattern(1, std::size_t{8} << 20);
  for (std::size_t times = 1; times <= 3; ++times) {
    stream.write(Bytes(std::string_view(bytes).substr(0, 60 * kib)));
    CHECK(stream.queued() <= 64 * kib);
    world.run_until("it was sent", [&s = stream] { return s.queued() == 0; });
    CHECK(stream.count("drained") == times - 1);
    stream.write(Bytes(bytes));
    CHECK(stream.queued() >= bytes.size());
    world.run_until("it was sent", [&s = stream] { return s.queued() == 0; });
    CHECK(stream.count("drained") == times);
  }
}

TEST_CASE("the low mark at zero, and marks that move while the stream is paused", "[T33]") {
  Streams streams;
  World world;
  auto [stream, far] = narrow_line(streams, world);
  stream.echoes = true;
  SECTION("zero") { stream.set_watermarks({0, 0, std::size_t{1} << 20}); }
  SECTION("raised") {
    stream.set_watermarks({4 * kib, kib, std::size_t{4} << 20});
    far.send_pattern(1, std::size_t{2} << 20);
    stall(world, stream, far, kib);
    stream.set_watermarks({std::size_t{1} << 20, 512 * kib, std::size_t{4} << 20});
  }
  SECTION("lowered") {
    far.send_pattern(1, std::size_t{2} << 20);
    stall(world, stream, far, Watermarks().low);
    stream.set_watermarks({4 * kib, kib, std::size_t{4} << 20});
  }
  far.send_pattern(1, 100000);
  far.expect_pattern(1);
  far.read(true);
  far.half_close();
  wait_ended(world, far);
  CHECK(far.difference() == no_difference);
  CHECK(far.received_bytes() == stream.received_bytes);
  CHECK(stream.received_bytes >= 100000);
  CHECK(!stream.error);
}

TEST_CASE("start_reading() does not undo the pause, stop_reading() outlives it", "[T33]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  stream.set_watermarks({16 * kib, 4 * kib, std::size_t{64} << 20});
  wait_open(world, stream);
  far.read(false);
  stream.write(Bytes(std::string(std::size_t{8} << 20, 'x')));
  hold(world, stream, far);
  far.send("ping");
  turns(world, 5);
  SECTION("start") {
    stream.start_reading();
    turns(world, 10);
    CHECK(stream.received == "!");
    far.read(true);
    world.run_until("it reads again", [&s = stream] { return s.received == "!ping"; });
  }
  SECTION("stop") {
    stream.stop_reading();
    far.read(true);
    world.run_until("it was drained", [&s = stream] { return s.saw("drained"); });
    turns(world, 10);
    CHECK(stream.received == "!");
    stream.start_reading();
    world.run_until("it reads again", [&s = stream] { return s.received == "!ping"; });
  }
}

TEST_CASE("marks that are raised above the queue end the pause, and tell it", "[T33]") {
  Streams streams;
  World world;
  auto [stream, far] = narrow_line(streams, world, Link::path);
  stream.set_watermarks({16 * kib, 0, std::size_t{64} << 20});
  wait_open(world, stream);
  far.read(false);
  const std::size_t size = std::size_t{1} << 20;
  stream.write(Bytes(pattern(1, size)));
  hold(world, stream, far);
  far.send("ping");
  turns(world, 10);
  CHECK(stream.received == "!");
  const std::size_t queued = stream.queued();
  bool drains = true;
  SECTION("to where the queue is low") {
    stream.set_watermarks({4 * queued, queued, std::size_t{64} << 20});
  }
  SECTION("twice, and told once") {
    stream.set_watermarks({4 * queued, 2 * queued, std::size_t{64} << 20});
    stream.set_watermarks({4 * queued, queued, std::size_t{64} << 20});
  }
  SECTION("but not where it is between the two") {
    stream.set_watermarks({4 * queued, queued - 1, std::size_t{64} << 20});
    drains = false;
  }
  CHECK(!stream.saw("drained"));
  if (drains) {
    world.run_until("it reads again", [&s = stream] { return s.received == "!ping"; });
    CHECK(stream.queued() == queued);
  } else {
    turns(world, 10);
    CHECK(stream.received == "!");
  }
  CHECK(stream.count("drained") == (drains ? 1 : 0));
  far.expect_pattern(1);
  far.read(true);
  wait_received(world, far, size);
  world.run_until("it reads again", [&s = stream] { return s.received == "!ping"; });
  CHECK(stream.count("drained") == 1);
  CHECK(far.difference() == no_difference);
}

TEST_CASE("marks that are set behind a failed send take nothing of the peer's last words",
          "[R2][T11][T33]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world, Link::path);
  constexpr std::size_t size = 100000;
  far.read(false);
  far.send_pattern(5, size);
  while (!far.sent()) far.turn();
  far.close();
  stream.expect_pattern(5);
  stream.opened = [&s = stream] {
    s.start_reading();
    s.write(Bytes(std::string(256 * kib, 'x')));
  };
  stream.read = [&s = stream](Buffer&) { s.set_watermarks({kib, 0, std::size_t{1} << 20}); };
  wait_closed(world, stream);
  CHECK(stream.received_bytes == size);
  CHECK(stream.difference == no_difference);
  CHECK(stream.events == Events{"open", "read", "error", "closed"});
}

TEST_CASE("a queue that is filled again each time it falls does not keep the peer unheard",
          "[R8][T33]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  stream.set_watermarks({64 * kib, 16 * kib, std::size_t{64} << 20});
  const std::string news(256 * kib, 'x');
  bool ends = false;
  stream.opened = stream.drained = [&, &s = stream] {
    s.start_reading();
    if (!ends) s.write(Bytes(news));
  };
  stream.read = [&](Buffer&) { ends = true; };
  world.run_until("it has begun", [&s = stream] { return s.count("drained") > 2; });
  far.send("stop");
  world.run_until("the peer was heard", [&] { return ends; });
}

TEST_CASE("what is not sent yet, seen in on_write()", "[T33]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  std::vector<std::size_t> left;
  stream.written = [&, &s = stream](std::size_t) { left.push_back(s.unsent()); };
  stream.opened = [&s = stream] {
    for (int i = 0; i < 3; ++i) s.write("0123456789");
    CHECK(s.unsent() == 30);
  };
  wait_received(world, far, 30);
  world.run_until("all was told", [&] { return left.size() == 3; });
  CHECK(left == std::vector<std::size_t>{0, 0, 0});
}

TEST_CASE("queued() counts the blocks that are held", "[T33]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  const std::size_t block = world->take_buffer().capacity();
  REQUIRE(block > 3000);
  CHECK(stream.queued() == 0);
  stream.write("x");
  CHECK(stream.queued() == block);
  CHECK(stream.unsent() == 1);
  for (int i = 1; i < 1000; ++i) stream.write("x");
  CHECK(stream.queued() == block);
  CHECK(stream.unsent() == 1000);
  for (int i = 0; i < 3; ++i) {
    Buffer buffer = world->take_buffer();
    buffer.append(Bytes(std::string(block / 2, 'y')));
    stream.write(std::move(buffer));
  }
  CHECK(stream.queued() == 4 * block);
  world.run_until("all was sent", [&s = stream] { return s.queued() == 0; });
  CHECK(stream.writes.size() == 1003);
}

TEST_CASE("a thousand small echoes do not pin a thousand blocks", "[T33]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  far.expect_pattern(9);
  const std::size_t block = world->take_buffer().capacity();
  wait_open(world, stream);
  constexpr std::size_t payload = 256;
  for (std::size_t i = 0; i < 1000; ++i) {
    Buffer buffer = world->take_buffer();  // as if it had been received
    buffer.append(Bytes(pattern(9, payload, i * payload)));
    stream.write(std::move(buffer));
  }
  CHECK(stream.unsent() == 1000 * payload);
  CHECK(stream.queued() <= 1000 * payload + 1000 * payload / 4 + 2 * block);
  wait_received(world, far, 1000 * payload);
  CHECK(far.difference() == no_difference);
  world.run_until("each write is told", [&s = stream] { return s.writes.size() == 1000; });
  CHECK(stream.writes == std::vector<std::size_t>(1000, payload));
}

TEST_CASE("one payload, shared, to a hundred streams", "[R3]") {
  Streams streams;
  World world;
  std::vector<Peer*> peers;
  for (int i = 0; i < 100; ++i) {
    auto [stream, far] = line(streams, world, Link::path);
    far.expect_pattern(11);
    peers.push_back(&far);
  }
  Buffer news = world->take_buffer();
  const std::size_t size = news.append(Bytes(pattern(11, 3000)));
  REQUIRE(size == 3000);
  for (Stream& stream : streams.all()) {
    Buffer copy = news.share();
    CHECK(copy.data() == news.data());
    CHECK(copy.append("x") == 0);
    stream.write(std::move(copy));
    stream.write(Bytes(pattern(11, 500, size)));
  }
  news.reset();
  world.run_until("all have it", [&] {
    return std::all_of(peers.begin(), peers.end(),
                       [&](Peer* peer) { return peer->received_bytes() == size + 500; });
  });
  for (Peer* const peer : peers) CHECK(peer->difference() == no_difference);
}

TEST_CASE("a slow reader of one stream takes no receive buffers from the others", "[R8][T33]") {
  // What is queued for it is many times the pool's maximum for receiving.
  Streams streams;
  World world;
  auto [slow, slow_far] = line(streams, world);
  auto [stream, far] = line(streams, world);
  slow_far.read(false);
  slow.write(Bytes(std::string(std::size_t{16} << 20, 'x')));
  turns(world, 10);
  CHECK(slow.queued() > std::size_t{4} << 20);
  stream.echoes = true;
  far.expect_pattern(12);
  far.send_pattern(12, 500000);
  wait_received(world, far, 500000);
  CHECK(far.difference() == no_difference);
  CHECK(world->counters().buffers_missed == 0);
}

}  // namespace
