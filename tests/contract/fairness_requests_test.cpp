// Requests that their callbacks submit again, and requests that end again and again, take their
// turn behind all others (R8).
#include <fcntl.h>

#include <algorithm>
#include <list>
#include <utility>
#include <vector>

#include "contract/endpoint_rig.hpp"
#include "contract/fairness_rig.hpp"
#include "contract/raw.hpp"
#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::Transport;

TEST_CASE("M04: a request that is submitted again in its callback starves no stream",
          "[datagram][R8][M04]") {
  struct Flood {
    std::size_t together, size;
  };
  const Flood flood = GENERATE(Flood{0, 1}, Flood{1, 1}, Flood{64, 1}, Flood{64, 16000});
  CAPTURE(flood.together, flood.size);
  const std::string payload(flood.size, 'x');
  Source source;
  Sending send;
  proa::DatagramQueue queue;
  Recording<proa::SendDatagrams> datagrams;
  Streams streams;
  proa::Options with = options();
  with.buffer_size = flood.size + 4096;
  World world(with);
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  std::error_code error;
  proa::Socket& sink =
      world.own(proa::Socket::open(*world, Address::Family::ipv4, Transport::datagram, error));
  REQUIRE(!error);
  REQUIRE(!sink.bind(Address::loopback(0)));
  proa::Socket& from =
      world.own(proa::Socket::open(*world, Address::Family::ipv4, Transport::datagram, error));
  REQUIRE(!error);
  const Address to = sink.local_address();
  if (flood.together == 0) {
    REQUIRE(world.system().connect(from.descriptor(), to) == 0);
    source.next = [&] { world.submit(send.to(from.descriptor(), "x")); };
    send.then = [&] {
      send.results.clear();
      source.again();
    };
  } else {
    source.next = [&] {
      while (queue.count() < flood.together) {
        proa::Buffer datagram = world->take_buffer();
        datagram.append(proa::Bytes(payload));
        REQUIRE(datagram.size() == payload.size());
        REQUIRE(queue.push(std::move(datagram), to, 0));
      }
      datagrams.request.prepare(from.descriptor(), queue);
      world.submit(datagrams.request);
    };
    datagrams.then = [&] {
      source.turns += datagrams.bytes() * (1 + payload.size() / 4096) - 1;
      for (std::size_t i = 0; i < datagrams.bytes(); ++i) queue.pop();
      datagrams.results.clear();
      source.again();
    };
  }
  source.next();
  CHECK(most_turns(world, source, far, [] {}) <= most_per_echo_in_line);
  source.stopped = true;
  world.run_until("it has ended",
                  [&] { return !send.request.pending() && !datagrams.request.pending(); });
  queue.clear();  // its blocks belong to the pool
}

TEST_CASE("M04: requests of one descriptor that end, again and again, starve no stream",
          "[R8][M04]") {
  constexpr std::size_t together = 1000;
  const bool late = GENERATE(true, false);
  CAPTURE(late);
  Source source;
  std::list<Read> reads;
  std::vector<Read*> to_cancel;
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  const Connection silent = world.pair(Link::path);
  for (std::size_t i = 0; i < together; ++i) {
    Read& each = reads.emplace_back(1);
    go_on(source, each, [&, from = silent.descriptor()] {
      world.submit(each.from(from), late ? world->now() : proa::never);
      if (!late) to_cancel.push_back(&each);
    });
  }
  const auto cancel = [&] {
    for (Read* const each : std::exchange(to_cancel, {})) world->cancel(each->request);
  };
  CHECK(most_turns(world, source, far, cancel) <= most_per_echo);
  source.stopped = true;
  world.run_until("all have ended", [&] {
    cancel();
    return all_ended(reads);
  });
}

TEST_CASE("M04: sends of many pieces that are submitted again starve no stream", "[R8][M04]") {
  // Of the pieces all move something, or nearly none does.
  std::vector<proa::Bytes> pieces(1000, proa::Bytes("x", 1));
  const bool empty = GENERATE(false, true);
  CAPTURE(empty);
  if (empty) std::fill(pieces.begin() + 1, pieces.end(), proa::Bytes("x", 0));
  Source source;
  Streams streams;
  std::list<Sending> sends;
  World world;
  std::list<Raw> sinks;
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  for (int i = 0; i < 100; ++i) {
    const Raw& sink = sinks.emplace_back(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    Sending& send = sends.emplace_back();
    go_on(source, send, [&world, &send, &pieces, to = borrow(world, sink).descriptor()] {
      send.request.prepare(to, pieces.data(), pieces.size());
      world.submit(send.request);
    });
  }
  CHECK(most_turns(world, source, far) <= most_per_echo / 8);
  source.stopped = true;
  world.run_until("all have ended", [&] {
    return std::none_of(sends.begin(), sends.end(),
                        [](const Sending& send) { return send.request.pending(); });
  });
}

}  // namespace
