// What the kernel has for a stream comes before what is overdue, and before the news that a send
// failed or that the server drains.
#include <proa/server.hpp>
#include <thread>

#include "contract/stream_rig.hpp"
#include "support/leaping_clock.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::Bytes;
using proa::Duration;
using proa::Error;

// As if the process had been stopped: time passes, and what the peers do meanwhile is in the
// kernel.
void stand_still(Duration time) { std::this_thread::sleep_for(time); }

proa::Options with_budget(std::size_t budget) {
  proa::Options with = options();
  with.round_budget = budget;
  return with;
}

TEST_CASE("a loop that stood still tells no stream of a timeout whose bytes are there", "[R7]") {
  // More of them than one wait returns, and than a round delivers.
  Streams streams;
  World world(with_budget(GENERATE(std::size_t{8}, std::size_t{512})));
  const bool idle = GENERATE(false, true);
  std::vector<Peer*> peers;
  constexpr std::size_t number = 300;
  for (std::size_t i = 0; i < number; ++i) {
    auto [stream, far] = line(streams, world, Link::path);
    stream.failed = [](std::error_code) {};
    peers.push_back(&far);
  }
  world.run_until("all are open", [&] {
    return std::all_of(streams.all().begin(), streams.all().end(),
                       [](const Stream& stream) { return stream.saw("open"); });
  });
  turns(world, 3);
  // Every tenth one is silent.
  for (std::size_t i = 0; i < number; ++i) {
    if (i % 10 != 0) peers[i]->send("data");
    peers[i]->turn();
  }
  for (Stream& stream : streams.all()) {
    idle ? stream.set_idle_timeout(1ms) : stream.set_read_timeout(1ms);
  }
  stand_still(3ms);
  world.run_until("all were told something", [&] {
    return std::all_of(streams.all().begin(), streams.all().end(),
                       [](const Stream& stream) { return stream.events.size() > 1; });
  });
  std::size_t i = 0;
  std::size_t wrong = 0;
  for (Stream& stream : streams.all()) {
    const bool silent = i++ % 10 == 0;
    wrong += stream.events[1] != (silent ? "error" : "read");
  }
  CHECK(wrong == 0);
}

TEST_CASE("an end that is in the kernel is no silence either", "[R7]") {
  Streams streams;
  World world;
  const bool resets = GENERATE(false, true);
  auto [stream, far] = line(streams, world);
  wait_open(world, stream);
  turns(world, 3);
  stream.ended = [&s = stream] { s.close(); };
  resets ? far.reset() : far.close();
  stream.set_read_timeout(1ms);
  stand_still(3ms);
  wait_closed(world, stream);
  CHECK(stream.events == Events{"open", resets ? "error" : "end", "closed"});
  CHECK(stream.error != Error::deadline);
}

TEST_CASE("a send that the kernel has room for is not idle", "[R7]") {
  Streams streams;
  World world;
  auto [stream, far] = narrow_line(streams, world, Link::path);
  wait_open(world, stream);
  far.read(false);
  stream.write(Bytes(pattern(1, std::size_t{1} << 20)));
  turns(world, 10);
  const std::size_t before = stream.unsent();
  REQUIRE(before > 0);
  std::size_t at_error = 0;
  stream.failed = [&, &s = stream](std::error_code) {
    if (at_error == 0) at_error = s.unsent();
    s.set_idle_timeout(Duration::max());
  };
  far.read(true);
  far.turn();  // there is room now, and the loop has not seen it
  stream.set_idle_timeout(1ms);
  stand_still(3ms);
  world.run_until("all was sent", [&s = stream] { return s.unsent() == 0; });
  CHECK(at_error < before);
}

// A stream whose peer has read nothing of much, and then some of it: the kernel has room, but too
// little to report that.
struct Slow {
  explicit Slow(World& world, Streams& streams) : made(line(streams, world, Link::path)) {
    auto& [stream, far] = made;
    wait_open(world, stream);
    far.read(false);
    stream.write(Bytes(pattern(1, size)));
    turns(world, 10);
    before = stream.unsent();
    REQUIRE(before > 0);
  }
  void read_some() {
    Peer& far = made.far;
    far.read_slowly(40000);
    far.read(true);
    far.turn();
    far.read(false);
  }
  static constexpr std::size_t size = std::size_t{1} << 20;
  Line made;
  std::size_t before = 0;
};

TEST_CASE("a send that the kernel has little room for is not idle", "[R7]") {
  Streams streams;
  World world;
  Slow slow(world, streams);
  Stream& stream = slow.made.stream;
  std::size_t at_error = 0;
  stream.failed = [&](std::error_code) {
    if (at_error == 0) at_error = stream.unsent();
    stream.set_idle_timeout(Duration::max());
  };
  slow.read_some();
  stream.set_idle_timeout(1ms);
  stand_still(3ms);
  world.run_until("a timeout was told", [&] { return at_error != 0; });
  CHECK(at_error < slow.before);
}

TEST_CASE("the linger time ends no send that the kernel has little room for", "[R7][T13]") {
  Streams streams;
  LeapingClock clock;
  proa::Options with = options();
  with.linger = hang;
  World world(with);
  Slow slow(world, streams);
  Peer& far = slow.made.far;
  slow.made.stream.finish();
  turns(world, 1);
  slow.read_some();
  clock.leap(2 * hang);
  turns(world, 5);
  far.read(true);
  wait_ended(world, far);
  CHECK(far.received_bytes() == Slow::size);
}

TEST_CASE("a read timeout without a buffer to read into waits for one", "[R7][R11]") {
  Streams streams;
  proa::Options with = options();
  with.buffers = 2;
  std::vector<Buffer> kept;
  World world(with);
  auto [holder, holder_far] = line(streams, world, Link::path);
  auto [stream, far] = line(streams, world, Link::path);
  holder.read = [&](Buffer& data) { kept.push_back(std::move(data)); };
  stream.failed = [](std::error_code) {};
  for (std::size_t i = 1; i <= with.buffers; ++i) {
    holder_far.send("x");
    world.run_until("it is kept", [&] { return kept.size() == i; });
  }
  far.send("data");
  far.turn();
  stream.set_read_timeout(1ms);
  const std::uint64_t waits = world->counters().waits;
  const proa::TimePoint until = world.in(50ms);
  while (world.system().now() < until) world->run_once(50ms);
  CHECK(!stream.saw("error"));
  CHECK(world->counters().waits - waits <= 30);  // it does not spin
  kept.clear();
  world.run_until("it was read", [&s = stream] { return s.received == "data"; });
  CHECK(stream.events == Events{"open", "read"});
}

// A stream that does not read, whose peer has sent and is gone, and whose next send fails.
Stream& severed(World& world, Streams& streams, std::size_t size) {
  const Link kind = GENERATE(Link::tcp4, Link::path);
  auto [stream, far] = line(streams, world, kind);
  far.read(false);
  far.send_pattern(3, size);
  stream.expect_pattern(3);
  stream.opened = [] {};
  wait_open(world, stream);
  stream.write("unread");
  world.run_until("it was sent", [&s = stream] { return s.saw("write"); });
  while (!far.sent()) far.turn();
  kind == Link::tcp4 ? far.reset() : far.close();
  stream.events.clear();
  stream.write("too late");
  return stream;
}

constexpr std::size_t answer = 60000;

TEST_CASE("a send that fails while reading is stopped takes nothing of what had come",
          "[R2][T11]") {
  Streams streams;
  World world;
  Stream& stream = severed(world, streams, answer);
  turns(world, 10);
  CHECK(stream.events.empty());  // the error waits
  bool stops = false;
  SECTION("start_reading() gives it out, the error follows") {}
  SECTION("stopped again on the way") { stops = true; }
  stream.read = [&](Buffer&) {
    if (std::exchange(stops, false)) stream.stop_reading();
  };
  stream.start_reading();
  world.run_until("some was read", [&] { return stream.reads > 0; });
  turns(world, 3);
  stream.start_reading();
  wait_closed(world, stream);
  CHECK(stream.received_bytes == answer);
  CHECK(stream.difference == no_difference);
  CHECK(stream.events == Events{"read", "error", "closed"});
}

TEST_CASE("a handler that does not read is told after the linger time", "[R2][T11]") {
  Streams streams;
  proa::Options with = options();
  with.linger = 20ms;
  World world(with);
  Stream& stream = severed(world, streams, answer);
  SECTION("and closes") {
    wait_closed(world, stream);
    CHECK(stream.events == Events{"error", "closed"});
  }
  SECTION("and reads then: the error comes again behind the last byte") {
    stream.failed = [&](std::error_code) {
      stream.count("error") == 1 ? stream.start_reading() : stream.close();
    };
    wait_closed(world, stream);
    CHECK(stream.received_bytes == answer);
    CHECK(stream.difference == no_difference);
    CHECK(stream.events == Events{"error", "read", "error", "closed"});
  }
  SECTION("and reads later, and stops on the way") {
    stream.failed = [](std::error_code) {};
    world.run_until("it was told", [&] { return stream.saw("error"); });
    turns(world, 5);
    CHECK(stream.events == Events{"error"});
    stream.read = [&](Buffer&) { stream.stop_reading(); };
    world.run_until("it was told again", [&] {
      stream.start_reading();
      return stream.count("error") == 2;
    });
    turns(world, 5);
    CHECK(stream.received_bytes == answer);
    CHECK(stream.events == Events{"error", "read", "error"});
  }
}

TEST_CASE("a send that failed is told after the linger time although no buffer is free",
          "[R2][R11]") {
  Streams streams;
  proa::Options with = options();
  with.linger = 20ms;
  with.buffers = 2;
  std::vector<Buffer> kept;
  World world(with);
  auto [holder, holder_far] = line(streams, world, Link::path);
  holder.read = [&](Buffer& data) { kept.push_back(std::move(data)); };
  for (std::size_t i = 1; i <= with.buffers; ++i) {
    holder_far.send("x");
    world.run_until("it is kept", [&] { return kept.size() == i; });
  }
  Stream& stream = severed(world, streams, answer);
  const bool reads = GENERATE(false, true);
  if (reads) stream.start_reading();
  wait_closed(world, stream);
  // What had come is received beyond the number of the pool's blocks.
  CHECK(stream.received_bytes == (reads ? answer : 0));
  CHECK(stream.events == (reads ? Events{"read", "error", "closed"} : Events{"error", "closed"}));
  kept.clear();
}

TEST_CASE("what had come before a failed send is read, with few buffers and no linger time",
          "[R7][R11]") {
  Streams streams;
  proa::Options with = options();
  with.linger = 0ms;
  with.buffers = GENERATE(std::size_t{2}, std::size_t{16});
  std::vector<Buffer> kept;  // all that the pool has, by the first streams
  World world(with);
  std::vector<std::pair<Stream*, Peer*>> lines;
  for (int i = 0; i < 40; ++i) {
    auto [stream, far] = line(streams, world);
    wait_open(world, stream);
    stream.read = [&](Buffer& data) { kept.push_back(std::move(data)); };
    lines.emplace_back(&stream, &far);
  }
  turns(world, 3);
  for (const auto& [stream, far] : lines) {
    far->send("hello");
    far->turn();
    far->reset();
  }
  for (const auto& [stream, far] : lines) stream->write("too late");
  for (const auto& [stream, far] : lines) {
    wait_closed(world, *stream);
    CHECK(stream->received == "hello");
    CHECK(stream->events == Events{"open", "read", "error", "closed"});
  }
  kept.clear();
}

TEST_CASE("a send that fails while reading is stopped, with nothing to read, is told at once",
          "[R2]") {
  Streams streams;
  World world;
  Stream& stream = severed(world, streams, 0);
  wait_closed(world, stream, 4s);  // not only after the linger time
  CHECK(stream.events == Events{"error", "closed"});
}

// Streams of a server, each of whose peers has sent something that nobody has read.
struct Served {
  Served(Streams& streams, World& made, std::size_t number)
      : world(made), server(*made, [&streams, &made](proa::Socket socket, const proa::Address&) {
          Stream& stream = streams.add(*made, std::move(socket));
          stream.echoes = true;
          return &stream;
        }) {
    REQUIRE(!server.listen("127.0.0.1:0"));
    for (std::size_t i = 0; i < number; ++i) {
      peers.push_back(&world.peer());
      peers.back()->connect(server.addresses().front());
      peers.back()->send("1");
    }
    world.run_until("all are served", [&] {
      return std::all_of(peers.begin(), peers.end(),
                         [](Peer* peer) { return peer->received() == "1"; });
    });
    turns(world, 3);
  }
  World& world;
  proa::Server<Stream> server;
  std::vector<Peer*> peers;
};

TEST_CASE("a drain hears what had come, on every stream", "[R7]") {
  Streams streams;
  proa::Options with = with_budget(GENERATE(std::size_t{8}, std::size_t{512}));
  with.buffers = GENERATE(std::size_t{2}, std::size_t{16}, std::size_t{4096});
  if (with.buffers < 4096) with.linger = 0ms;
  World world(with);
  Served served(streams, world, 60);
  bool ends = false;
  SECTION("bytes") {}
  SECTION("bytes, and the end behind them") { ends = true; }
  for (Peer* const peer : served.peers) {
    peer->send("2345");
    if (ends) peer->half_close();
    peer->turn();
    peer->turn();
  }
  bool drained = false;
  served.server.drain(hang, [&] { drained = true; });
  world.run_until("all was answered", [&] {
    return std::all_of(served.peers.begin(), served.peers.end(),
                       [](Peer* peer) { return peer->ended() || peer->error() != 0; });
  });
  std::size_t answered = 0;
  for (Peer* const peer : served.peers) {
    answered += peer->received() == "12345";
    peer->half_close();
  }
  CHECK(answered == served.peers.size());
  world.run_until("it has drained", [&] { return drained; });
  for (Stream& stream : streams.all()) CHECK(stream.saw("end") == ends);
}

TEST_CASE("a peer that never stops sending does not put a drain off for ever", "[R8]") {
  Streams streams;
  World world;
  Served served(streams, world, 1);
  Peer& peer = *served.peers.front();
  streams.all().front().echoes = false;
  peer.send_pattern(1, std::size_t{4} << 30);
  turns(world, 10);
  const std::size_t before = streams.all().front().received_bytes;
  served.server.drain(hang);
  world.run_until("the stream finishes", [&] { return peer.ended() || peer.error() != 0; });
  // What had come, which the kernel's buffer bounds, and not what came meanwhile.
  CHECK(streams.all().front().received_bytes - before <= std::size_t{8} << 20);
  peer.close();
}

TEST_CASE("a drain does not wait for a stream that does not read", "[R7]") {
  Streams streams;
  World world;
  Served served(streams, world, 2);
  for (Stream& stream : streams.all()) stream.stop_reading();
  for (Peer* const peer : served.peers) peer->send("2345");
  turns(world, 3);
  served.server.drain(hang);
  for (Peer* const peer : served.peers) wait_ended(world, *peer);
  for (Stream& stream : streams.all()) CHECK(stream.received == "1");
  for (Peer* const peer : served.peers) peer->close();
}

TEST_CASE("a drain reads what had come although the stream's own output is long", "[R7][T33]") {
  Streams streams;
  World world;
  Served served(streams, world, 1);
  Stream& stream = streams.all().front();
  Peer& peer = *served.peers.front();
  peer.read(false);
  stream.set_watermarks({16384, 4096, std::size_t{64} << 20});
  stream.write(Bytes(pattern(1, std::size_t{8} << 20)));
  peer.send("2345");
  turns(world, 10);
  CHECK(stream.received == "1");  // it is held
  served.server.drain(hang);
  world.run_until("all was heard", [&] { return stream.received == "12345"; });
  peer.read(true);
  wait_ended(world, peer);
  CHECK(peer.received().size() == 1 + (std::size_t{8} << 20) + 4);
  peer.close();
}

}  // namespace
