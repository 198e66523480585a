// A filter that makes much of little: what it gives waits for the handler within bounds.
#include <proa/stream_filter.hpp>

#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;

constexpr std::size_t block_size = 1024, factor = 100;
// What may wait for the handler: the bound of the stream, and what one block has become.
constexpr std::size_t most_waiting = (std::size_t{64} << 10) + factor * block_size;

// Gives a hundred blocks for each, as a decompressor may.
class Expanding : public proa::StreamFilter {
 public:
  explicit Expanding(std::size_t& given) : given_(given) {}
  bool wants = false;

 private:
  bool wants_input() const noexcept override { return wants; }
  void on_received(Buffer data) noexcept override {
    for (std::size_t i = 0; i < factor; ++i) {
      Buffer block = proactor().take_buffer();
      block.append(data.bytes());
      given_ += block.size();
      give(std::move(block));
    }
  }
  void on_written(Buffer data) noexcept override { send(std::move(data)); }

  std::size_t& given_;
};

TEST_CASE("what a filter makes of the input waits for the handler within bounds", "[filter]") {
  constexpr std::size_t sent = 100 * block_size;
  proa::Options with = options();
  with.buffer_size = block_size;
  with.buffers = 16384;
  std::size_t given = 0;  // by the filter, which is destroyed before on_closed()
  Streams streams;
  World world(with);
  auto [stream, far] = line(streams, world, GENERATE(Link::tcp4, Link::path));
  auto made = std::make_unique<Expanding>(given);
  Expanding& filter = *made;
  stream.set_filter(std::move(made));
  std::size_t waiting = 0;
  const auto look = [&, s = &stream] { waiting = std::max(waiting, given - s->received_bytes); };
  std::size_t expected = factor * sent;
  Events events{"open", "read", "end", "closed"};
  stream.read = [&](Buffer&) { look(); };
  SECTION("that reads") {
    far.send_pattern(1, sent);
    far.half_close();
  }
  SECTION("that stops and starts") {
    stream.read = [&, s = &stream](Buffer&) {
      look();
      s->stop_reading();
      s->start_reading();
    };
    far.send_pattern(1, sent);
    far.half_close();
  }
  SECTION("that has stopped, while the filter wants input") {
    filter.wants = true;
    stream.opened = [] {};
    far.send_pattern(1, sent);
    far.half_close();
    world.run_until("much waits", [&] { return given >= most_waiting / 2; });
    turns(world, 20);
    look();
    CHECK(!stream.saw("read"));
    stream.start_reading();
  }
  SECTION("that stops for a while") {
    far.send_pattern(1, sent);
    world.run_until("it reads", [&, s = &stream] { return s->saw("read"); });
    stream.stop_reading();
    turns(world, 5);
    stream.start_reading();
    far.half_close();
  }
  SECTION("and then an error is due") {
    far.send_pattern(1, sent);
    world.run_until("it reads", [&, s = &stream] { return s->saw("read"); });
    far.reset();
    events[2] = "error";
  }
  stream.closed = [&] { expected = std::min(expected, given); };
  world.run_until("it is closed", [&, s = &stream] {
    look();
    return s->is_closed();
  });
  CHECK(stream.received_bytes == expected);
  if (stream.saw("end")) events[2] = "end";  // a UNIX socket may tell a reset as an end
  CHECK(stream.events == events);
  CHECK(waiting <= most_waiting);
}

// Gives each byte in a buffer of its own: in a block of its own, or as a part of what has come.
class Cutting : public proa::StreamFilter {
 public:
  explicit Cutting(bool shares) : shares_(shares) {}

 private:
  void on_received(Buffer data) noexcept override {
    for (; data.size() > 0; data.remove_prefix(1)) {
      Buffer part = shares_ ? data.share() : proactor().take_buffer();
      shares_ ? part.truncate(1) : (void)part.append(proa::Bytes(data.text().substr(0, 1)));
      give(std::move(part));
    }
  }
  void on_written(Buffer data) noexcept override { send(std::move(data)); }

  bool shares_;
};

TEST_CASE("each buffer that a filter gives is an on_read(), also when many wait", "[filter]") {
  const bool shares = GENERATE(false, true);
  constexpr std::size_t sent = 3000;
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  stream.set_filter(std::make_unique<Cutting>(shares));
  std::size_t longest = 0;
  stream.read = [&](Buffer& data) { longest = std::max(longest, data.size()); };
  stream.stop_reading();
  far.send_pattern(1, sent);
  for (int i = 0; i < 20; ++i) world.turn();
  stream.expect_pattern(1);
  stream.start_reading();
  world.run_until("all has come", [&, &s = stream] { return s.received_bytes == sent; });
  CHECK(stream.reads == sent);
  CHECK(longest == 1);
  CHECK(stream.difference == no_difference);
}

}  // namespace
