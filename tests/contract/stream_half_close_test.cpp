// half_close(): our side ends, reading goes on.
#include <unistd.h>

#include <utility>
#include <vector>

#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Bytes;
using proa::Error;

constexpr std::size_t mib = std::size_t{1} << 20;

TEST_CASE("half_close() sends what is queued, then the end; reading goes on", "[T12][T14]") {
  Streams streams;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  auto [stream, far] = line(streams, world, kind);
  far.expect_pattern(1);
  const int when = GENERATE(0, 1, 2);
  if (when > 0) wait_open(world, stream);
  if (when == 2) stream.written = [&s = stream](std::size_t) { s.half_close(); };
  stream.write(Bytes(pattern(1, mib)));
  if (when < 2) stream.half_close();
  wait_ended(world, far);
  CHECK(far.received_bytes() == mib);
  CHECK(far.difference() == no_difference);
  stream.half_close();
  far.send("the answer");
  world.run_until("it was read", [&s = stream] { return s.received == "the answer"; });
  CHECK(stream.is_open());

  SECTION("the peer's end closes it, by the default on_end()") {
    far.half_close();
    wait_closed(world, stream);
    CHECK(stream.count("end") == 1);
    CHECK(!stream.error);
  }
  SECTION("finish() behind it") {
    stream.finish();
    turns(world, 5);
    CHECK(stream.is_open());
    far.send("nobody reads this");
    far.half_close();
    wait_closed(world, stream);
    CHECK(stream.received == "the answer");
    CHECK(!stream.error);
  }
  SECTION("a write behind it is refused") {
    stream.failed = [](std::error_code) {};
    stream.write("too late");
    world.run_until("it was told", [&s = stream] { return s.saw("error"); });
    CHECK(stream.error == Error::closing);
    far.send("!");
    world.run_until("it still reads", [&s = stream] { return s.received == "the answer!"; });
  }
}

TEST_CASE("R8: output that is stuck behind the peer's end lets the loop sleep", "[R8][T12]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world, GENERATE(Link::tcp4, Link::path));
  stream.ended = [] {};
  far.read(false);
  far.expect_pattern(1);
  stream.set_watermarks({4 * mib, mib, 16 * mib});
  stream.write(Bytes(pattern(1, 16 * mib)));
  far.half_close();
  world.run_until("the end came", [&s = stream] { return s.saw("end"); });
  std::size_t before = 0;
  world.run_until("the kernel takes no more", [&, &s = stream] {
    return std::exchange(before, s.unsent()) == s.unsent() && s.unsent() > 0;
  });
  // A kernel without multishot polls says at once that the peer has ended, whenever it is asked for
  // room: the backend asks it every 5 ms there.
  const std::uint64_t rounds = world->counters().rounds;
  world->run_once(500ms);
  CHECK(world->counters().rounds - rounds <= (configuration() == "uring-5.11" ? 300 : 30));
  far.read(true);
  wait_received(world, far, 16 * mib);
  CHECK(far.difference() == no_difference);
  CHECK(!stream.error);
}

TEST_CASE("half_close() behind the peer's end", "[T12]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  stream.ended = [] {};
  far.half_close();
  world.run_until("the end came", [&s = stream] { return s.saw("end"); });
  stream.write("last");
  stream.half_close();
  wait_ended(world, far);
  CHECK(far.received() == "last");
  CHECK(stream.is_open());
  stream.finish();
  wait_closed(world, stream);
  CHECK(!stream.error);
}

TEST_CASE("half_close() while connecting, and of a stream that is closed", "[T14]") {
  Streams streams;
  World world;
  proa::Socket& listener = world.listen();
  Stream& client = streams.add(*world);
  client.connect(listener.local_address());
  SECTION("with something to send") { client.write("x"); }
  SECTION("with nothing") {}
  client.half_close();
  proa::Descriptor accepted;
  world.run_until("a connection came", [&] {
    return world.system().accept(listener.descriptor(), accepted, nullptr) == 0;
  });
  Peer& far = world.peer(proa::Socket(world.system(), accepted));
  wait_ended(world, far);
  far.send("hello");
  world.run_until("it was read", [&] { return client.received == "hello"; });
  CHECK(client.events.front() == "open");
  client.close();
  client.half_close();
  wait_closed(world, client);
  CHECK(!client.error);
}

// Each way in which a write is refused; the error that tells it.
std::error_condition refuse_a_write(Stream& stream) {
  const auto code = [](Error error) { return std::error_code(error).default_error_condition(); };
  SECTION("above the limit") {
    stream.set_watermarks({1, 1, stream.queued() + 1});
    stream.write(Bytes(std::string(2, 'x')));
    return code(Error::write_limit);
  }
  SECTION("without a block") {
    stream.write(proa::Buffer());
    return std::errc::no_buffer_space;
  }
  SECTION("of no memory") {
    stream.write(Bytes(nullptr, 10));
    return code(Error::bad_length);
  }
  SECTION("of no file") {
    stream.send_file({}, 0, 1);
    return std::errc::bad_file_descriptor;
  }
  return {};
}

TEST_CASE("half_close() behind a refused write sends what was before it, then the end",
          "[R5][T12]") {
  Streams streams;
  World world;
  auto [stream, far] = narrow_line(streams, world, GENERATE(Link::tcp4, Link::path));
  const std::size_t size = GENERATE(std::size_t{0}, 4 * mib);
  const bool told_before = GENERATE(false, true);
  const bool finishes = GENERATE(false, true);
  std::vector<std::error_code> errors;
  stream.failed = [&](std::error_code error) { errors.push_back(error); };
  wait_open(world, stream);
  far.expect_pattern(1);
  if (size > 0) stream.write(Bytes(pattern(1, size)));
  const std::error_condition refused = refuse_a_write(stream);
  if (told_before) world.run_until("it was told", [&] { return !errors.empty(); });
  stream.write("behind the gap");
  stream.half_close();
  if (finishes) stream.finish();
  wait_ended(world, far);
  CHECK(far.received_bytes() == size);
  CHECK(far.difference() == no_difference);
  world.run_until("it was told", [&] { return !errors.empty(); });
  CHECK(stream.is_open());
  if (!finishes) {
    // Reading goes on, and the writing has an end as behind any half_close().
    stream.write("too late");
    far.send("the answer");
    world.run_until("it was read",
                    [&, &s = stream] { return s.received == "the answer" && errors.size() == 2; });
    CHECK(errors.back() == Error::closing);
  }
  far.half_close();
  wait_closed(world, stream);
  REQUIRE(errors.size() == (finishes ? 1 : 2));
  CHECK(errors[0] == refused);
}

TEST_CASE("half_close() behind a write that was refused before connect() ends the output",
          "[R5][T14]") {
  Streams streams;
  World world;
  proa::Socket& listener = world.listen();
  Stream& client = streams.add(*world);
  std::vector<std::error_code> errors;
  client.failed = [&](std::error_code error) { errors.push_back(error); };
  const bool some = GENERATE(true, false);
  const int when = GENERATE(0, 1, 2);  // half_close() before the error was told, behind, connected
  if (some) client.write("before");
  refuse_a_write(client);
  if (when == 0) client.half_close();
  if (when < 2 && GENERATE(true, false)) {
    world.run_until("both were told", [&] { return errors.size() >= 2; });
  }
  if (when == 1) client.half_close();
  client.connect(listener.local_address());
  if (when == 2) client.half_close();
  proa::Descriptor accepted;
  world.run_until("a connection came", [&] {
    return world.system().accept(listener.descriptor(), accepted, nullptr) == 0;
  });
  Peer& far = world.peer(proa::Socket(world.system(), accepted));
  wait_ended(world, far);
  CHECK(far.received() == (some ? "before" : ""));
  far.send("hello");
  world.run_until("it was read", [&] { return client.received == "hello"; });
  CHECK(client.is_open());
  client.close();
  wait_closed(world, client);
}

TEST_CASE("half_close() of a pipe has nothing to shut, but ends the writing", "[T14]") {
  Streams streams;
  World world;
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  std::error_code error;
  proa::Socket in = proa::Socket::borrow(*world, ends[1], error);
  REQUIRE(!error);
  Stream& stream = streams.add(*world, std::move(in));
  stream.opened = [] {};
  stream.failed = [](std::error_code) {};
  stream.write("through the pipe");
  stream.half_close();
  world.run_until("it was written", [&] { return stream.writes.size() == 1; });
  stream.write("too late");
  world.run_until("it was told", [&] { return stream.saw("error"); });
  CHECK(stream.error == Error::closing);
  char bytes[64];
  CHECK(::read(ends[0], bytes, sizeof bytes) == 16);
  stream.finish();
  wait_closed(world, stream);
  ::close(ends[0]);
  CHECK(::close(ends[1]) == 0);  // it was only borrowed
}

TEST_CASE("without pause_reading a long queue does not stop the reading", "[T33]") {
  Streams streams;
  World world;
  auto [stream, far] = narrow_line(streams, world);
  wait_open(world, stream);
  far.read(false);
  proa::Watermarks marks;
  marks.high = 16384;
  marks.low = 4096;
  bool at_once = GENERATE(true, false);
  marks.pause_reading = !at_once;
  stream.set_watermarks(marks);
  stream.write(Bytes(std::string(4 * mib, 'x')));
  if (!at_once) {
    far.send("heard, ");
    world.run_until("it is held", [&s = stream] { return s.received == "heard, "; });
    far.send("held, ");
    turns(world, 10);
    CHECK(stream.received == "heard, ");
    marks.pause_reading = false;
    stream.set_watermarks(marks);
  }
  far.send("read");
  const std::string expected = at_once ? "read" : "heard, held, read";
  world.run_until("it was read", [&, &s = stream] { return s.received == expected; });
  CHECK(stream.queued() > marks.high);
  CHECK(!stream.saw("drained"));
  far.read(true);
  world.run_until("it was drained", [&s = stream] { return s.saw("drained"); });
  CHECK(stream.count("drained") == 1);
}

// Two ends of a relay: what one reads the other writes, and is held back by the other.
struct Relay {
  Stream* from;
  Stream* to;
  proa::Watermarks marks{65536, 16384, std::size_t{1} << 20, false};
  void start() {
    to->set_watermarks(marks);
    from->read = [this](proa::Buffer& data) {
      to->write(std::move(data));
      if (to->queued() > marks.high) from->stop_reading();
    };
    to->drained = [this] { from->start_reading(); };
    from->ended = [this] { to->half_close(); };
  }
};

TEST_CASE("two relays that face each other do not wait for one another", "[T33]") {
  // left - a b - c d - right, flooded from both sides by peers that read late.
  Streams streams;
  World world;
  auto [a, left] = narrow_line(streams, world, Link::path);
  auto [b, middle] = narrow_line(streams, world, Link::path);
  auto [d, right] = narrow_line(streams, world, Link::path);
  Stream& c = streams.add(*world, std::move(middle.socket()));
  Relay relays[] = {{&a, &b}, {&b, &a}, {&c, &d}, {&d, &c}};
  for (Relay& relay : relays) relay.start();
  constexpr std::size_t size = 4 * mib;
  Peer* const ends[] = {&left, &right};
  for (std::uint32_t i = 0; i < 2; ++i) {
    ends[i]->read(false);
    ends[i]->send_pattern(i + 1, size);
    ends[i]->expect_pattern(2 - i);
    ends[i]->half_close();
  }
  turns(world, 100);
  for (Stream& stream : streams.all()) CHECK(stream.queued() < 400000);
  for (Peer* const end : ends) end->read(true);
  for (Peer* const end : ends) {
    wait_ended(world, *end);
    CHECK(end->received_bytes() == size);
    CHECK(end->difference() == no_difference);
  }
}

}  // namespace
