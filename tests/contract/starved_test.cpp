// Receives that wait for a block stand in one line: first come, first served (R8), and what coming
// back costs follows the blocks, not those that wait (R11).
#include "contract/endpoint_rig.hpp"
#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Address;

proa::Options few(std::size_t buffers) {
  proa::Options with = options();
  with.buffers = buffers;
  with.buffer_size = 1024;
  return with;
}

// Streams whose peers always have more, and one that asks now and then.
TEST_CASE("M04: with few buffers, streams that always have more starve no quiet one",
          "[R8][R11][M04]") {
  constexpr std::size_t number = 8;
  Streams streams;
  World world(few(GENERATE(std::size_t{4}, std::size_t{64})));
  const Link link = GENERATE(Link::tcp4, Link::path);
  std::vector<Peer*> peers;
  std::size_t reads = 0;
  for (std::size_t i = 0; i < number; ++i) {
    auto [stream, far] = line(streams, world, link);
    stream.read = [&reads, s = &stream](proa::Buffer&) {
      ++reads;
      s->received.clear();
    };
    far.send_pattern(1, std::size_t{1} << 30);
    peers.push_back(&far);
  }
  auto [quiet, far] = line(streams, world, Link::path);
  quiet.echoes = true;
  wait_open(world, quiet);
  world.run_until("all buffers are in use", [&] { return reads > 1000; });
  for (std::size_t i = 1; i <= 20; ++i) {
    far.send("x");
    far.turn();
    const std::size_t before = reads;
    for (int rounds = 0; rounds < 200 && far.received_bytes() < i; ++rounds) {
      world->run_once(0ms);
      for (Peer* peer : peers) peer->turn();
      far.turn();
    }
    REQUIRE(far.received_bytes() == i);
    // What was received when the byte came, and twice each of the others.
    CHECK(reads - before <= 64 + 64 + 2 * number);
  }
  for (Peer* peer : peers) peer->close();
}

TEST_CASE("M04: with few buffers, floods of datagrams starve neither a stream nor a quiet socket",
          "[datagram][R8][R11][M04]") {
  Streams streams;
  Endpoints endpoints;
  World world(few(4));
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  Endpoint& quiet = endpoints.bound(world);
  quiet.receive = [&](proa::Buffer& data, const Address& from) {
    quiet.send(std::move(data), from);
  };
  Endpoint& client = endpoints.connected(world, quiet.address());
  std::size_t flooded = 0;
  for (int i = 0; i < 3; ++i) {
    Endpoint& flood = endpoints.bound(world);
    const Address own = flood.address();
    flood.receive = [&, own](proa::Buffer&, const Address&) {
      ++flooded;
      flood.received.clear();
      flood.sources.clear();
      flood.infos.clear();
      flood.send("flood", own);
    };
    flood.sent = [&](const proa::Result&) {
      flood.results.clear();
      flood.targets.clear();
    };
    for (int n = 0; n < 50; ++n) flood.send("flood", own);
  }
  world.run_until("the flood is on", [&] { return flooded > 500; });
  for (std::size_t i = 1; i <= 10; ++i) {
    far.send("x");
    far.turn();
    client.send("y");
    int rounds = 0;
    for (; rounds < 200 && (far.received_bytes() < i || client.received.size() < i); ++rounds) {
      world->run_once(0ms);
      far.turn();
    }
    CHECK(far.received_bytes() == i);
    CHECK(client.received.size() == i);
  }
}

TEST_CASE("starting again costs as many receives as blocks came back", "[R11]") {
  constexpr std::size_t number = 100;
  Streams streams;
  std::vector<proa::Buffer> kept;
  World world(few(8));
  for (std::size_t i = 0; i < number; ++i) {
    auto [stream, far] = line(streams, world);
    stream.read = [&](proa::Buffer& data) { kept.push_back(std::move(data)); };
    far.send_pattern(1, 100);
    wait_open(world, stream);
  }
  world.run_until("all buffers are kept", [&] { return kept.size() >= 4; });
  turns(world, 50);
  const std::uint64_t before = world->counters().rearmed + world->counters().retries;
  std::size_t came_back = 0;
  std::size_t received = kept.size();
  while (received < number) {
    REQUIRE(!kept.empty());
    kept.erase(kept.begin());
    ++came_back;
    const std::size_t left = kept.size();
    world.run_until("the next one has it", [&] { return kept.size() > left; });
    received += kept.size() - left;
  }
  CHECK(world->counters().rearmed + world->counters().retries - before <= 4 * came_back);
  kept.clear();
}

// A block that the last word of its kind came too late for: the others must not wait for the
// program.
TEST_CASE("B03: with some buffers kept, every stream gets one of the others in its turn",
          "[R8][R11]") {
  const std::size_t buffers = GENERATE(2u, 4u, 16u);
  const std::size_t number = GENERATE(3u, 8u, 40u);
  // Linux 5.19 receives datagrams into blocks of the pool alone: what is in the ring is for
  // streams.
  const bool datagrams = GENERATE(false, true) && configuration() != "uring-5.19";
  proa::Options with = few(buffers);
  with.round_budget = GENERATE(1u, 4u, 512u);
  std::vector<proa::Buffer> kept;
  std::size_t heard = 0;
  const auto hear = [&](proa::Buffer& buffer) {
    ++heard;
    if (kept.size() < buffers / 2) kept.push_back(std::move(buffer));
  };
  Streams streams;
  Endpoints endpoints;
  World world(with);
  std::vector<Peer*> peers;
  std::vector<Address> sockets;
  for (std::size_t i = 0; i < number; ++i) {
    if (datagrams && i % 2 == 1) {
      Endpoint& socket = endpoints.bound(world);
      socket.receive = [&](proa::Buffer& buffer, const Address&) { hear(buffer); };
      sockets.push_back(socket.address());
      continue;
    }
    auto [stream, far] = line(streams, world, Link::path);
    stream.read = hear;
    wait_open(world, stream);
    peers.push_back(&far);
  }
  for (int i = 0; i < 5; ++i) world.turn();
  for (Peer* peer : peers) {
    peer->send("x");
    peer->turn();
  }
  Endpoint& sender = endpoints.bound(world);
  for (const Address& to : sockets) sender.send("x", to);
  world.run_until("all were heard", [&] { return heard >= number; });
  kept.clear();
}

// What the kernel had received for them by then is kept, and must not take the last blocks.
TEST_CASE("streams that stopped reading do not keep another from receiving", "[R8][R11]") {
  const std::size_t buffers = GENERATE(4u, 16u, 64u);
  constexpr std::size_t size = std::size_t{64} << 10;
  const std::size_t number = 2 * buffers;
  Streams streams;
  World world(few(buffers));
  std::vector<Stream*> paused;
  std::vector<Peer*> peers;
  for (std::size_t i = 0; i < number; ++i) {
    auto [stream, far] = line(streams, world, Link::path);
    stream.expect_pattern(1);
    stream.read = [&s = stream](proa::Buffer&) { s.stop_reading(); };
    wait_open(world, stream);
    paused.push_back(&stream);
    peers.push_back(&far);
  }
  auto [stream, far] = line(streams, world, Link::path);
  for (Peer* const peer : peers) {
    peer->send_pattern(1, size);
    peer->turn();
  }
  world.run_until("all stopped", [&] {
    return std::all_of(paused.begin(), paused.end(), [](Stream* s) { return s->reads > 0; });
  });
  far.send("x");
  world.run_until("another hears its peer", [&s = stream] { return s.received == "x"; });
  for (Stream* const one : paused) {
    one->read = {};
    one->start_reading();
  }
  for (Stream* const one : paused) {
    world.run_until("it has all", [&] { return one->received_bytes == size; });
    CHECK(one->difference == no_difference);
  }
}

}  // namespace
