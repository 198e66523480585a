// Exceptions of a handler leave run(), and the next run() goes on where it stopped.
#include <stdexcept>

#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::Bytes;

struct Thrown : std::runtime_error {
  Thrown() : runtime_error("thrown by a handler") {}
};

// Turns the proactor and one peer, and counts the exceptions that come out.
struct Hand {
  World& world;
  Peer& far;
  template <class Condition>
  int until(const std::string& what, Condition holds) {
    const auto limit = std::chrono::steady_clock::now() + hang;
    int thrown = 0;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > limit) FAIL("waited in vain until " << what);
      try {
        world->run_once(1ms);
      } catch (const Thrown&) {
        ++thrown;
      }
      far.turn();
    }
    return thrown;
  }
};

TEST_CASE("C07: what on_open throws leaves run(), and nothing is lost", "[C07]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  Hand hand{world, far};
  stream.opened = [&s = stream] {
    s.start_reading();
    throw Thrown();
  };
  far.send("hello");
  CHECK(hand.until("it was read", [&s = stream] { return s.received == "hello"; }) == 1);
  CHECK(stream.count("open") == 1);
}

TEST_CASE("C07: what on_read throws, every time", "[C07]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  Hand hand{world, far};
  stream.expect_pattern(1);
  stream.read = [](Buffer&) { throw Thrown(); };
  SECTION("as it comes") {}
  SECTION("from what was held") {
    wait_open(world, stream);
    stream.stop_reading();
    far.send_pattern(1, 50000);
    turns(world, 5);
    stream.start_reading();
  }
  if (far.sent()) far.send_pattern(1, 50000);
  far.half_close();
  const int thrown = hand.until("it is closed", [&s = stream] { return s.is_closed(); });
  CHECK(stream.received_bytes % 50000 == 0);
  CHECK(stream.received_bytes > 0);
  CHECK(stream.difference == no_difference);
  CHECK(thrown == static_cast<int>(stream.reads));
  CHECK(stream.count("end") == 1);
}

TEST_CASE("C07: what on_write and on_drained throw", "[C07]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  Hand hand{world, far};
  far.expect_pattern(2);
  stream.set_watermarks({10000, 5000, 10000000});
  stream.written = [](std::size_t) { throw Thrown(); };
  stream.drained = [] { throw Thrown(); };
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < 40; ++i) {
    stream.write(Bytes(pattern(2, 3000, i * 3000)));
    sizes.push_back(3000);
  }
  stream.write(Bytes("", 0));
  sizes.push_back(0);
  stream.finish();
  const int thrown = hand.until("the peer saw the end", [&f = far] { return f.ended(); });
  CHECK(far.received_bytes() == 120000);
  CHECK(far.difference() == no_difference);
  CHECK(stream.writes == sizes);
  CHECK(stream.count("drained") == 1);
  CHECK(thrown == 42);
}

TEST_CASE("C07: what on_end, on_error and on_closed throw", "[C07]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  Hand hand{world, far};
  stream.closed = [] { throw Thrown(); };
  int expected = 2;
  SECTION("on_end") {
    stream.ended = [&s = stream] {
      s.finish();
      throw Thrown();
    };
    far.half_close();
  }
  SECTION("on_error") {
    stream.failed = [&s = stream](std::error_code) {
      s.close();
      throw Thrown();
    };
    far.reset();
  }
  SECTION("on_closed alone") {
    stream.opened = [&s = stream] { s.close(); };
    expected = 1;
  }
  CHECK(hand.until("it is closed", [&s = stream] { return s.is_closed(); }) == expected);
  CHECK(stream.count("closed") == 1);
  CHECK(!stream.is_open());
}

TEST_CASE("C07: one handler's exception does not cost others their callbacks", "[C07]") {
  Streams streams;
  World world;
  std::vector<Peer*> peers;
  for (int i = 0; i < 20; ++i) {
    auto [stream, far] = line(streams, world, Link::path);
    far.send("x");
    peers.push_back(&far);
    if (i % 2 == 0) stream.read = [](Buffer&) { throw Thrown(); };
  }
  Hand hand{world, *peers.front()};
  turns(world, 1);
  for (Peer* const peer : peers) peer->turn();
  const int thrown = hand.until("all have read", [&] {
    return std::all_of(streams.all().begin(), streams.all().end(),
                       [](const Stream& stream) { return stream.received == "x"; });
  });
  CHECK(thrown == 10);
}

// Its constructor throws behind what the base has begun.
struct Unborn : proa::StreamHandler {
  Unborn(proa::Proactor& proactor, proa::Socket socket, int how)
      : StreamHandler(proactor, std::move(socket)) {
    if (how > 0) set_read_timeout(1s);
    if (how > 1) start_reading();
    if (how > 2) write("hello");
    if (how == 4) finish();
    if (how > 4) close();
    throw Thrown();
  }
  void on_read(Buffer&) override {}
};

TEST_CASE("a derived constructor that throws leaves nothing behind", "[R6]") {
  World world;
  const int how = GENERATE(0, 1, 2, 3, 4, 5);
  Connection pair = world.pair();
  CHECK_THROWS_AS(Unborn(*world, std::move(pair.near), how), Thrown);
  CHECK(world->run() == 0);  // nothing is open
  wait_ended(world, pair.far);
  CHECK(pair.far.received().empty());
}

}  // namespace
