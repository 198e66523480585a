// Receiving continuously into lent buffers, and sending a chain of them.
#include <algorithm>
#include <list>
#include <vector>

#include "support/patterns.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

// Takes what comes, and keeps it or not.
struct Stream : Recording<proa::RecvBuffers> {
  Stream() {
    then = [this] {
      proa::Buffer& buffer = request.buffer();
      intact = intact && buffer.size() == bytes();
      if (keep_first > 0 && bytes() > 0) {
        --keep_first;
        total += bytes();
        kept.push_back(std::move(buffer));
        return;
      }
      intact = intact && first_difference(seed, buffer.text(), total) == no_difference;
      total += bytes();
    };
  }
  proa::RecvBuffers& from(proa::Descriptor descriptor) {
    request.prepare(descriptor);
    return request;
  }
  std::uint32_t seed = 1;
  std::size_t total = 0;
  std::size_t keep_first = 0;
  bool intact = true;
  std::list<proa::Buffer> kept;
};

TEST_CASE("continuous receiving delivers a stream, then its end once", "[R2]") {
  Stream stream;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::tcp6, Link::path);
  const Connection line = world.pair(kind);
  line.far.send_pattern(1, std::size_t{3} << 20);
  line.far.half_close();
  world.submit(stream.from(line.descriptor()));
  world.run_until("the end came", [&] { return stream.done(); });
  CHECK(!stream.error());
  CHECK(stream.bytes() == 0);
  CHECK(stream.total == std::size_t{3} << 20);
  CHECK(stream.intact);
  std::size_t ends = 0;
  for (const auto& result : stream.results) ends += result.bytes == 0;
  CHECK(ends == 1);
}

// A receive that has read all input is guarded against missing the end. With the release 6.16, one
// that has filled a block is ended, and begun again. Here both come in one round.
TEST_CASE("an end that comes closely behind full blocks is told", "[R2]") {
  Stream other;
  Stream stream;
  proa::Options with = options();
  if (configuration() == "uring") with.uring_release = GENERATE("", "6.16");
  CAPTURE(with.uring_release);
  World world(with);
  const Connection beside = world.pair(Link::path);
  const Connection line = world.pair(GENERATE(Link::path, Link::tcp4));
  world.submit(other.from(beside.descriptor()));
  world.submit(stream.from(line.descriptor()));
  line.far.send("x");
  world.run_until("the first byte came", [&] { return stream.total == 1; });
  turns(world, 3);
  beside.far.send("y");
  beside.far.turn();
  const std::size_t size = std::size_t{64} << 10;
  line.far.send(std::string(size, 'z'));
  line.far.turn();
  other.then = [&] { world->stop(); };  // what came of the stream is not told yet
  world->run_once(100ms);
  other.then = nullptr;
  line.far.half_close();
  line.far.turn();  // before the loop looks again
  world.run_until("the end came", [&] { return stream.done(); });
  CHECK(!stream.error());
  CHECK(stream.total == 1 + size);
  world->cancel(other.request);
  world.run_until("the other one has ended", [&] { return other.done(); });
}

TEST_CASE("a receive whose buffer nobody takes keeps no block", "[R3][R11]") {
  constexpr std::size_t many = 4;
  proa::Options with = options();
  with.buffers = 2;
  std::list<Recording<proa::RecvBuffers>> receives;
  World world(with);
  std::vector<Connection> lines;
  for (std::size_t i = 0; i < many; ++i) {
    lines.push_back(world.pair(Link::path));
    auto& receive = receives.emplace_back();
    receive.request.prepare(lines.back().descriptor());
    world.submit(receive.request);
  }
  std::size_t i = 0;
  for (auto& receive : receives) {
    lines[i].far.send("x");
    lines[i++].far.turn();
    world.run_until("it came", [&] { return receive.results.size() == 1; });
  }
  for (const Connection& line : lines) line.far.close();
  world.run_until("all have ended", [&] {
    return std::all_of(receives.begin(), receives.end(),
                       [](const auto& each) { return each.done(); });
  });
}

TEST_CASE("input that waits fills whole blocks", "[R8]") {
  Stream stream;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  const Connection line = world.pair(kind);
  const std::size_t block = world->take_buffer().capacity();
  const std::size_t blocks = 8;
  line.far.send_pattern(1, blocks * block);
  world.run_until("it has been sent", [&] { return line.far.sent(); });
  world.submit(stream.from(line.descriptor()));
  world.run_until("it came", [&] { return stream.total == blocks * block; });
  CHECK(stream.results.size() == blocks);
  CHECK(stream.intact);
  world->cancel(stream.request);
  world.run_until("it has ended", [&] { return stream.done(); });
}

TEST_CASE("it can be cancelled and begun again: no byte is lost or doubled", "[R4][T36]") {
  Stream stream;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  const Connection line = world.pair(kind);
  constexpr std::size_t size = std::size_t{2} << 20;
  line.far.send_pattern(1, size);
  std::size_t ends = 0;
  while (stream.total < size) {
    world.submit(stream.from(line.descriptor()));
    for (unsigned i = 0; i < ends % 4; ++i) world.turn();
    world->cancel(stream.request);
    world.run_until("it ended", [&] { return !stream.request.pending(); });
    REQUIRE(stream.error() == std::errc::operation_canceled);
    REQUIRE(stream.bytes() == 0);
    REQUIRE(stream.intact);
    REQUIRE(++ends < 100000);
  }
  CHECK(ends > 10);
}

TEST_CASE("a reset ends it with an error, once", "[R2]") {
  Stream stream;
  World world;
  const Connection line = world.pair();
  world.submit(stream.from(line.descriptor()));
  world.turn();
  line.far.reset();
  world.run_until("it ended", [&] { return stream.done(); });
  CHECK(stream.error() == std::errc::connection_reset);
  CHECK(stream.results.size() == 1);
}

TEST_CASE("while it runs, a single receive is refused", "[R5]") {
  Stream stream;
  Read read;
  World world;
  const Connection line = world.pair();
  world.submit(stream.from(line.descriptor()));
  CHECK(world->submit(read.from(line.descriptor())) == proa::Error::reading_is_on);
  CHECK(world->submit(read.request) == std::errc::device_or_resource_busy);
  world->cancel(stream.request);
  world.run_until("it ended", [&] { return stream.done(); });
  world.submit(read.from(line.descriptor()));
  line.far.send("single again");
  world.run_until("the receive completed", [&] { return read.done(); });
  CHECK(read.text() == "single again");
}

TEST_CASE("B03: buffers that are kept make receiving wait, and nothing is lost", "[R11][B03]") {
  Stream stream;
  proa::Options few = options();
  few.buffers = 4;
  World world(few);
  const Connection line = world.pair();
  constexpr std::size_t size = std::size_t{1} << 20;
  stream.keep_first = 1000000;
  line.far.send_pattern(1, size);
  line.far.half_close();
  world.submit(stream.from(line.descriptor()));
  world.run_until("all buffers are kept", [&] { return world->counters().buffers_missed > 0; });
  for (int i = 0; i < 10; ++i) world.turn();
  const std::size_t held = stream.kept.size();
  CHECK(held <= 4);
  CHECK(stream.request.pending());

  std::size_t checked = 0;
  world.run_until("the end came", [&] {
    // What is given back lets it go on.
    while (!stream.kept.empty()) {
      REQUIRE(first_difference(1, stream.kept.front().text(), checked) == no_difference);
      checked += stream.kept.front().size();
      stream.kept.pop_front();
    }
    return stream.done();
  });
  CHECK(!stream.error());
  CHECK(checked == size);
}

TEST_CASE("B03: while one connection holds all buffers, another one waits, then goes on",
          "[R11][B03]") {
  Stream greedy;
  Stream modest;
  proa::Options few = options();
  few.buffers = 4;
  World world(few);
  const Connection first = world.pair();
  const Connection second = world.pair();
  greedy.keep_first = 1000000;
  first.far.send_pattern(1, std::size_t{64} << 10);
  world.submit(greedy.from(first.descriptor()));
  world.run_until("all buffers are kept", [&] { return world->counters().buffers_missed > 0; });
  world.submit(modest.from(second.descriptor()));
  second.far.send_pattern(1, 100);
  for (int i = 0; i < 10; ++i) world.turn();
  CHECK(modest.total == 0);
  CHECK(modest.results.empty());
  greedy.keep_first = 0;
  greedy.seed = 1;
  greedy.kept.clear();
  world.run_until("the other one was served", [&] { return modest.total == 100; });
  CHECK(modest.intact);
}

TEST_CASE("buffers keep their bytes while others come", "[R3]") {
  Stream stream;
  World world;
  const Connection line = world.pair();
  stream.keep_first = 20;
  world.submit(stream.from(line.descriptor()));
  for (std::size_t i = 0; i < 40; ++i) {
    line.far.send(pattern(1, 100, i * 100));
    world.run_until("they came", [&] { return stream.total == (i + 1) * 100; });
  }
  std::size_t at = 0;
  for (const proa::Buffer& buffer : stream.kept) {
    CHECK(first_difference(1, buffer.text(), at) == no_difference);
    at += buffer.size();
  }
  CHECK(stream.intact);
  stream.kept.clear();
}

TEST_CASE("B01: many more completions than the completion queue has room for", "[R11][B01]") {
  // 16 entries, hence room for 64 completions; 300 come before anybody looks.
  constexpr std::size_t number = 300;
  std::list<Read> reads;
  std::size_t delivered = 0;
  proa::Options small = options();
  small.uring_entries = 16;
  World world(small);
  std::list<Connection> lines;
  for (std::size_t i = 0; i < number; ++i) {
    lines.push_back(world.pair());
    Read& read = reads.emplace_back(8);
    read.then = [&] { ++delivered; };
    world.submit(read.from(lines.back().descriptor()));
  }
  world.turn();
  for (const Connection& line : lines) {
    line.far.send("x");
    line.far.turn();
  }
  world.run_until("all were delivered", [&] { return delivered == number; });
  for (const Read& read : reads) {
    CHECK(read.results.size() == 1);
    CHECK(read.text() == "x");
  }
}

}  // namespace
