// What has room, and what has come, goes before the end of the linger time and of a drain's
// deadline, however long the loop stood still.
#include <proa/server.hpp>

#include "contract/stream_rig.hpp"
#include "support/leaping_clock.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::Bytes;
using proa::Duration;

constexpr std::size_t kib = 1024;

proa::Options patient(Duration linger) {
  proa::Options with = options();
  with.linger = linger;
  // More streams than a round delivers, and fewer.
  with.round_budget = GENERATE(std::size_t{8}, std::size_t{512});
  return with;
}

template <class All, class Holds>
bool all_of(const All& all, Holds holds) {
  return std::all_of(all.begin(), all.end(), holds);
}

bool over(const Peer* peer) { return peer->ended() || peer->error() != 0; }

TEST_CASE("the linger time ends no send that the kernel has room for", "[R7][T13]") {
  Streams streams;
  LeapingClock clock;
  World world(patient(hang));
  const Link link = any_link();
  constexpr std::size_t size = 512 * kib;
  std::vector<Peer*> peers;
  for (int i = 0; i < 20; ++i) {
    auto [stream, far] = narrow_line(streams, world, link);
    far.read(false);
    far.expect_pattern(1);
    stream.set_watermarks({size, 0, 2 * size});
    stream.write(Bytes(pattern(1, size)));
    stream.finish();
    peers.push_back(&far);
  }
  turns(world, 20);
  for (Peer* const peer : peers) {
    peer->read(true);
    peer->turn();
  }
  clock.leap(2 * hang);
  world.run_until("the peers saw the end", [&] { return all_of(peers, over); });
  for (Peer* const peer : peers) {
    CHECK(peer->received_bytes() == size);
    CHECK(peer->difference() == no_difference);
    peer->half_close();
  }
  world.run_until("all are closed", [&] {
    return all_of(streams.all(), [](const Stream& stream) { return stream.is_closed(); });
  });
}

TEST_CASE("the linger time does not take back what the peer has not read", "[R7][T13]") {
  Streams streams;
  LeapingClock clock;
  World world(patient(hang));
  constexpr std::size_t size = 50000;
  std::vector<Peer*> peers;
  for (int i = 0; i < 20; ++i) {
    auto [stream, far] = line(streams, world);
    far.read(false);
    far.expect_pattern(1);
    stream.write(Bytes(pattern(1, size)));
    stream.finish();
    peers.push_back(&far);
  }
  world.run_until("all was sent", [&] {
    return all_of(streams.all(), [](const Stream& stream) { return stream.saw("write"); });
  });
  turns(world, 5);
  // A stream that closed with this unread would reset the connection.
  for (Peer* const peer : peers) {
    peer->send(std::string(size, 'x'));
    peer->half_close();
    while (!peer->sent()) peer->turn();
    peer->turn();
  }
  clock.leap(2 * hang);
  world.run_until("all are closed", [&] {
    return all_of(streams.all(), [](const Stream& stream) { return stream.is_closed(); });
  });
  for (Peer* const peer : peers) peer->read(true);
  world.run_until("the peers saw the end", [&] { return all_of(peers, over); });
  for (Peer* const peer : peers) {
    CHECK(peer->error() == 0);
    CHECK(peer->received_bytes() == size);
    CHECK(peer->difference() == no_difference);
  }
}

TEST_CASE("without a linger time finish() sends what the kernel takes", "[R7][T13]") {
  Streams streams;
  World world(patient(GENERATE(Duration(0), Duration(1))));
  auto [stream, far] = line(streams, world, any_link());
  if (GENERATE(true, false)) wait_open(world, stream);
  stream.write("");
  stream.write("bye");
  stream.finish();
  wait_closed(world, stream);
  wait_ended(world, far);
  CHECK(far.received() == "bye");
  CHECK(far.error() == 0);
  CHECK(stream.writes == std::vector<std::size_t>{0, 3});
}

// Does not finish when its server drains.
class Staying : public Stream {
 public:
  using Stream::Stream;

 private:
  void on_drain() override { events.push_back("drain"); }
};

// A server, and a peer for each of its streams.
struct Draining {
  explicit Draining(const proa::Options& with)
      : world(with), server(*world, [this](proa::Socket socket, const Address&) {
          if (narrow) (void)socket.set_option(proa::SocketOption::send_buffer, 65536);
          Staying& stream = streams.emplace_back(*world, std::move(socket));
          stream.echoes = true;
          stream.opened = [this, &stream] {
            stream.start_reading();
            if (!greeting.empty()) stream.write(Bytes(greeting));
          };
          return &stream;
        }) {}
  void connect(std::size_t number) {
    proa::Socket& listening = world.listen(Link::path, 64);
    const Address address = listening.local_address();
    REQUIRE(!server.listen(std::move(listening)));
    for (std::size_t i = 0; i < number; ++i) {
      peers.push_back(&world.peer());
      peers.back()->connect(address);
      peers.back()->read(!narrow);
    }
  }
  void open(std::size_t number) {
    connect(number);
    world.run_until("all are open", [&] {
      return streams.size() == number &&
             all_of(streams, [](const Stream& stream) { return stream.saw("open"); });
    });
  }
  void begin(std::size_t number) {
    open(number);
    server.drain(hang, [&] { drained = true; });
    world.run_until("all know of the drain", [&] {
      return all_of(streams, [](const Stream& stream) { return stream.saw("drain"); });
    });
  }
  void end() {
    world.run_until("it has drained", [&] { return drained; });
    world.run_until("the peers saw the end", [&] { return all_of(peers, over); });
  }

  std::list<Staying> streams;
  LeapingClock clock;
  World world;
  proa::Server<Staying> server;
  std::vector<Peer*> peers;
  std::string greeting;
  bool narrow = false;  // little room in the kernel, and peers that do not read
  bool drained = false;
};

TEST_CASE("what had come by the deadline of a drain is heard, and answered", "[R7]") {
  Draining run(patient(hang));
  run.begin(40);
  for (Peer* const peer : run.peers) {
    peer->send("12345");
    peer->turn();
  }
  run.clock.leap(2 * hang);
  run.end();
  for (Peer* const peer : run.peers) {
    CHECK(peer->received() == "12345");
    CHECK(peer->error() == 0);
  }
}

TEST_CASE("a drain whose deadline came in a pause is told, although the input has ended", "[R7]") {
  proa::Options with = patient(hang);
  with.round_budget = GENERATE(1u, 4u, 512u);
  const std::size_t size = GENERATE(std::size_t{5}, std::size_t{20000});
  const int rounds = GENERATE(0, 1, 2, 3, 4);
  CAPTURE(with.round_budget, size, rounds);
  Draining run(with);
  run.open(20);
  for (Stream& stream : run.streams) stream.ended = [] {};
  for (Peer* const peer : run.peers) {
    peer->send(std::string(size, 'x'));
    peer->half_close();
    peer->turn();
  }
  run.server.drain(hang, [&] { run.drained = true; });
  for (int i = 0; i < rounds; ++i) run.world->run_once(proa::Duration(0));
  run.clock.leap(2 * hang);
  run.end();
  for (const Stream& stream : run.streams) {
    CHECK(stream.count("drain") == 1);
    CHECK(stream.received_bytes == size);
  }
}

TEST_CASE("what has room by the deadline of a drain goes out", "[R7]") {
  Draining run(patient(hang));
  run.narrow = true;
  run.greeting = pattern(1, 512 * kib);
  const bool finishes = GENERATE(false, true);
  run.begin(20);
  for (Peer* const peer : run.peers) peer->expect_pattern(1);
  if (finishes) {
    for (Stream& stream : run.streams) stream.finish();
  }
  turns(run.world, 10);
  for (Peer* const peer : run.peers) {
    peer->read(true);
    peer->turn();
  }
  run.clock.leap(2 * hang);
  run.end();
  for (Peer* const peer : run.peers) {
    CHECK(peer->received_bytes() == run.greeting.size());
    CHECK(peer->difference() == no_difference);
  }
}

TEST_CASE("connections that had come by the deadline of a drain are served", "[R7]") {
  Draining run(patient(hang));
  run.connect(40);
  for (Peer* const peer : run.peers) {
    peer->turn();
    REQUIRE(peer->connected());
    peer->send("12345");
    while (!peer->sent()) peer->turn();
  }
  run.server.drain(hang, [&] { run.drained = true; });
  run.clock.leap(2 * hang);
  run.end();
  CHECK(run.streams.size() == 40);
  for (Peer* const peer : run.peers) {
    CHECK(peer->received() == "12345");
    CHECK(peer->error() == 0);
  }
}

TEST_CASE("behind the deadline of a drain nobody is waited for", "[R7]") {
  Draining run(patient(hang));
  run.narrow = true;
  run.greeting = pattern(1, 2048 * kib);
  run.begin(2);
  SECTION("a peer that does not read") {}
  SECTION("a stream that does not read") {
    for (Stream& stream : run.streams) stream.stop_reading();
    for (Peer* const peer : run.peers) peer->send("unheard");
  }
  turns(run.world, 10);
  const proa::TimePoint before = run.world.in(2 * hang);
  run.clock.leap(2 * hang);
  run.world.run_until("it has drained", [&] { return run.drained; });
  CHECK(run.world.system().now() - before < hang / 2);
  CHECK(run.server.live() == 0);
  for (const Stream& stream : run.streams) CHECK(stream.is_closed());
}

}  // namespace
