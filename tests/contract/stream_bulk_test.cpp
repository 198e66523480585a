// Much input on one stream: one call may receive it into several blocks, and the handler may do in
// each on_read() what it may do in any.
#include <algorithm>
#include <list>
#include <memory>

#include "contract/filter_rig.hpp"
#include "contract/stream_rig.hpp"
#include "support/faults.hpp"
#include "support/ledger.hpp"

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

// With the blocks of these tests, which are of 4096 bytes with their header.
TEST_CASE("blocks that came together are answered by one send", "[R5][R8]") {
  Streams streams;
  World world;
  const auto& features = world->backend().features;
  if (over_uring() && std::count(features.begin(), features.end(), "multishot limit") == 0) {
    return skip("here a receive brings one block", true);
  }
  auto [stream, far] = line(streams, world);
  Stream& reader = stream;
  stream.read = [&reader](Buffer& data) { reader.write(std::move(data)); };
  wait_open(world, stream);
  const std::string three_blocks = pattern(7, 9000);
  // A readiness backend offers more blocks when one was filled.
  std::size_t sent = 0;
  for (int i = over_uring() ? 2 : 0; i < 3; ++i) {
    wait_received(world, far, sent);
    far.send(three_blocks);
    far.turn();
    sent += three_blocks.size();
  }
  const Ledger ledger;
  world.run_until("it was sent back", [&] {
    return reader.received_bytes == sent && reader.writes.size() == reader.reads;
  });
  if (over_uring()) {
    CHECK(ledger.submitted().number <= 3);  // the receive, its guard, and the send
  } else {
    CHECK(ledger.count(Call::send) + ledger.count(Call::sendmsg) == 1);
  }
  wait_received(world, far, sent);
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

TEST_CASE("a RecvBuffers brings one buffer at a time, unless it scatters", "[R5][R12]") {
  Recording<proa::RecvBuffers> receiving;
  World world;
  const Connection pair = world.pair(any_link());
  const bool scatters = GENERATE(false, true);
  receiving.request.prepare(pair.descriptor());
  receiving.request.set_scatters(scatters);
  std::string all;
  std::size_t several = 0;
  receiving.then = [&] {
    proa::RecvBuffers& request = receiving.request;
    const std::size_t before = all.size();
    all += request.buffer().text();
    several += request.has_further();
    while (const Buffer further = request.take_further()) all += further.text();
    CHECK(all.size() - before == receiving.bytes());
  };
  world.submit(receiving.request);
  pair.far.send_pattern(3, much);
  pair.far.half_close();
  world.run_until("the end", [&] { return receiving.done(); });
  CHECK(!receiving.error());
  CHECK(all.size() == much);
  CHECK(first_difference(3, all, 0) == no_difference);
  if (!scatters) CHECK(several == 0);
}

// A receive that may bring several buffers, and what it has brought.
struct Scattering {
  explicit Scattering(const Connection& pair, bool scatters) {
    receiving.request.prepare(pair.descriptor());
    receiving.request.set_scatters(scatters);
    receiving.then = [this] {
      proa::RecvBuffers& request = receiving.request;
      const std::size_t before = all.size();
      all += request.buffer().text();
      several += request.has_further();
      if (throws > 0 && request.has_further()) throw --throws;
      while (const Buffer further = request.take_further()) all += further.text();
      CHECK(all.size() - before == receiving.bytes());
    };
  }
  Recording<proa::RecvBuffers> receiving;
  std::string all;
  std::size_t several = 0;
  int throws = 0;
};

TEST_CASE("a receive that does not scatter gets one buffer behind one that did", "[R5][R12]") {
  std::list<Scattering> receives;
  World world;
  const Connection pair = world.pair(any_link());
  Scattering& first = receives.emplace_back(pair, true);
  world.submit(first.receiving.request);
  pair.far.send_pattern(3, much);
  world.run_until("half of it", [&] { return first.all.size() > much / 2; });
  world->cancel(first.receiving.request);
  world.run_until("it ended", [&] { return first.receiving.done(); });
  Scattering& second = receives.emplace_back(pair, false);
  world.submit(second.receiving.request);
  pair.far.half_close();
  world.run_until("the end", [&] { return second.receiving.done(); });
  CHECK(second.several == 0);
  CHECK(first.all.size() + second.all.size() == much);
  CHECK(first_difference(3, first.all + second.all, 0) == no_difference);
}

TEST_CASE("a callback that throws leaves nothing of its result to the next one", "[R5]") {
  std::list<Scattering> receives;
  World world;
  const Connection pair = world.pair(any_link());
  Scattering& scattering = receives.emplace_back(pair, true);
  scattering.throws = 5;
  world.submit(scattering.receiving.request);
  pair.far.send_pattern(3, much);
  pair.far.half_close();
  const proa::TimePoint until = world.in(hang);
  while (!scattering.receiving.done() && world.system().now() < until) {
    try {
      world.turn();
    } catch (int) {
    }
  }
  CHECK(scattering.receiving.done());
  CHECK(!scattering.receiving.error());
}

// What it is given comes out changed, so that bytes that pass it by show.
class Turned : public proa::StreamFilter {
 public:
  explicit Turned(std::size_t& last) : last_(last) {}

 private:
  void on_received(Buffer data) noexcept override {
    last_ += data.size();
    for (std::size_t i = 0; i < data.size(); ++i) data.data()[i] ^= 0x55;
    give(std::move(data));
    if (ends_ && last_ > much / 2) give_end();
  }
  void on_written(Buffer data) noexcept override { send(std::move(data)); }
  std::size_t& last_;

 protected:
  bool ends_ = false;
};
class Ending : public Turned {
 public:
  explicit Ending(std::size_t& last) : Turned(last) { ends_ = true; }
};

TEST_CASE("much input through a filter, and on_read() throws", "[R5][filter]") {
  std::size_t seen = 0;
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world, any_link());
  stream.set_filter(std::make_unique<Turned>(seen));
  std::size_t at = 0, wrong = 0, reads = 0;
  stream.read = [&](Buffer& data) {
    std::string turned(data.text());
    for (char& each : turned) each ^= 0x55;
    wrong += first_difference(7, turned, at) != no_difference;
    at += data.size();
    if (++reads % 3 == 0) throw reads;
  };
  far.send_pattern(7, much);
  far.half_close();
  const proa::TimePoint until = world.in(hang);
  while (!stream.is_closed() && world.system().now() < until) {
    try {
      world.turn();
    } catch (std::size_t) {
    }
  }
  CHECK(at == much);
  CHECK(wrong == 0);
}

TEST_CASE("a filter that has given the end gets nothing of the receive behind it", "[R5][filter]") {
  std::size_t seen = 0;
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world, any_link());
  stream.set_filter(std::make_unique<Ending>(seen));
  stream.ended = [] {};
  far.send_pattern(7, much);
  world.run_until("the end", [&, &s = stream] { return s.saw("end"); });
  const std::size_t then = seen;
  CHECK(stream.received_bytes == then);
  turns(world, 20);
  CHECK(seen == then);
}

TEST_CASE("no on_read() follows stop() in the same run", "[R1]") {
  Streams streams;
  World world;
  auto [stream, far] = busy_line(streams, world, any_link());
  std::size_t reads = 0;
  stream.read = [&](Buffer&) {
    ++reads;
    world->stop();
  };
  const proa::TimePoint until = world.in(hang);
  while (stream.received_bytes < much && world.system().now() < until) {
    far.turn();
    reads = 0;
    world->run_once(1ms);
    if (reads > 1) break;
  }
  CHECK(reads <= 1);
  CHECK(stream.received_bytes == much);
  CHECK(stream.difference == no_difference);
}

}  // namespace
