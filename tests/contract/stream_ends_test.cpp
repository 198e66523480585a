// finish(): the gentle end. The peer gets all that was written, then the end; and there is a limit
// to how long that may take.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include "contract/stream_rig.hpp"
#include "support/patient_clock.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::Bytes;
using proa::Duration;

constexpr std::size_t mib = std::size_t{1} << 20;

TEST_CASE("T13: finish() sends what is queued, then the end", "[T13]") {
  Streams streams;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  auto [stream, far] = line(streams, world, kind);
  far.expect_pattern(1);
  stream.set_watermarks({2 * mib, mib, 4 * mib});
  SECTION("at once, before on_open") {
    stream.write(Bytes(pattern(1, mib)));
    stream.finish();
  }
  SECTION("in on_open") {
    stream.opened = [&s = stream] {
      s.write(Bytes(pattern(1, mib)));
      s.finish();
    };
  }
  SECTION("twice (T14)") {
    stream.write(Bytes(pattern(1, mib)));
    stream.finish();
    stream.finish();
    stream.written = [&s = stream](std::size_t) { s.finish(); };
  }
  SECTION("while reading is stopped") {
    stream.opened = [] {};
    stream.write(Bytes(pattern(1, mib)));
    wait_open(world, stream);
    stream.finish();
  }
  SECTION("while the peer goes on sending, which nobody reads any more") {
    wait_open(world, stream);
    stream.write(Bytes(pattern(1, mib)));
    stream.finish();
    far.send_pattern(2, 4 * mib);
  }
  wait_ended(world, far);
  CHECK(far.error() == 0);
  CHECK(far.received_bytes() == mib);
  CHECK(far.difference() == no_difference);
  world.run_until("the peer has sent all", [&f = far] { return f.sent(); });
  CHECK(!stream.is_closed());  // it waits for the peer's end
  far.half_close();
  wait_closed(world, stream);
  CHECK(stream.events == Events{"open", "write", "closed"});
  CHECK(stream.writes == std::vector<std::size_t>{mib});
  CHECK(stream.received.empty());
}

TEST_CASE("finish() with nothing to send", "[T13]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  SECTION("before on_open") { stream.finish(); }
  SECTION("later") {
    wait_open(world, stream);
    stream.finish();
  }
  SECTION("behind the peer's end") {
    stream.ended = [] {};
    far.half_close();
    world.run_until("the end came", [&s = stream] { return s.saw("end"); });
    stream.finish();
  }
  wait_ended(world, far);
  far.half_close();
  wait_closed(world, stream);
  CHECK(far.error() == 0);
  CHECK(!stream.error);
}

TEST_CASE("finish() of a stream that never connected closes it", "[T13]") {
  Streams streams;
  World world;
  Stream& stream = streams.add(*world);
  stream.finish();
  CHECK(stream.events.empty());
  wait_closed(world, stream);
  CHECK(stream.events == Events{"closed"});
}

TEST_CASE("1 MiB echoed to a peer that half-closes and reads slowly arrives whole", "[T13]") {
  Streams streams;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  auto [stream, far] = line(streams, world, kind);
  stream.echoes = true;
  far.expect_pattern(3);
  far.send_pattern(3, mib);
  far.half_close();
  far.read_slowly(3001);
  world.run_until("the peer saw the end", [&f = far] { return f.ended() || f.error() != 0; });
  CHECK(far.error() == 0);
  CHECK(far.received_bytes() == mib);
  CHECK(far.difference() == no_difference);
  wait_closed(world, stream);
  CHECK(!stream.error);
}

TEST_CASE("what finish() waits for is bounded by the linger time", "[T13]") {
  Streams streams;
  proa::Options with = options();
  with.linger = 50ms;
  World world(with);
  auto [stream, far] = narrow_line(streams, world);
  wait_open(world, stream);
  far.read(false);
  SECTION("a peer that never reads") {
    stream.write(Bytes(std::string(8 * mib, 'x')));
    turns(world, 10);
  }
  SECTION("a peer that never ends") {}
  SECTION("a peer that sends all the time and never reads") {
    stream.write(Bytes(std::string(8 * mib, 'x')));
    far.send_pattern(1, 64 * mib);
    turns(world, 10);
  }
  SECTION("with a handler that shrugs at its idle timeout") {
    stream.failed = [](std::error_code) {};
    stream.set_idle_timeout(10ms);
  }
  const proa::TimePoint began = world.system().now();
  stream.finish();
  wait_closed(world, stream);
  const Duration took = world.system().now() - began;
  CHECK(took >= 50ms);
}

TEST_CASE("the linger time begins again with every byte that is taken", "[T13]") {
  Streams streams;
  proa::Options with = options();
  with.linger = 500ms;
  const PatientClock clock;
  World world(with);
  auto [stream, far] = narrow_line(streams, world, Link::path);
  far.expect_pattern(4);
  stream.write(Bytes(pattern(4, mib)));
  stream.finish();
  far.read_slowly(16384);
  const proa::TimePoint began = world.system().now();
  while (!far.ended()) {
    far.read(true);
    far.turn();
    far.read(false);
    pass(world, 10ms);
    if (far.error() != 0) FAIL("the stream was cut");
  }
  CHECK(world.system().now() - began > 550ms);
  CHECK(far.received_bytes() == mib);
  CHECK(far.difference() == no_difference);
}

TEST_CASE("the peer's end while finish() is sending closes behind the last byte", "[T13]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  far.expect_pattern(5);
  stream.write(Bytes(pattern(5, 4 * mib)));
  stream.finish();
  far.half_close();
  wait_ended(world, far);
  wait_closed(world, stream);
  CHECK(far.received_bytes() == 4 * mib);
  CHECK(far.difference() == no_difference);
}

TEST_CASE("a send that fails first does not take the peer's last words", "[R2][T11]") {
  Streams streams;
  proa::Options with = options();
  with.linger = 20ms;
  World world(with);
  auto [stream, far] = line(streams, world);
  const std::size_t size = 64 * 1024;
  stream.expect_pattern(3);
  far.send_pattern(3, size);
  while (!far.sent()) far.turn();
  far.reset();
  bool wants_more = true;
  std::size_t expected = size;
  stream.opened = [&s = stream] {
    s.start_reading();
    s.write(Bytes("too late"));
  };
  SECTION("all of them are read") {}
  SECTION("unless they are not wanted any more, also not within the linger time") {
    stream.read = [&s = stream, &wants_more](proa::Buffer&) {
      if (std::exchange(wants_more, false)) s.stop_reading();
    };
    expected = 0;
  }
  SECTION("finish() drops them") {
    stream.read = [&s = stream](proa::Buffer&) { s.finish(); };
    expected = 0;
  }
  wait_closed(world, stream);
  CHECK(stream.difference == no_difference);
  CHECK(stream.received_bytes >= expected);
  CHECK(stream.count("closed") == 1);
  if (expected == size) {
    CHECK(stream.received_bytes == size);
    CHECK(stream.events == Events{"open", "read", "error", "closed"});
  }
}

// More than io_uring reads in one go, and the end has come before the first of it is read. What is
// read before that makes uring keep enough blocks ready.
TEST_CASE("a connection that was reset under a send has an error, and no end", "[R2][T11]") {
  constexpr std::size_t many = 32;
  constexpr std::size_t offered = 200000;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> made(std::tmpfile(), &std::fclose);
  REQUIRE(::ftruncate(::fileno(made.get()), 64 * mib) == 0);
  Streams streams;
  World world;
  std::vector<Stream*> all;
  std::vector<Peer*> peers;
  for (std::size_t i = 0; i < many; ++i) {
    auto [stream, far] = line(streams, world);
    far.read(false);
    all.push_back(&stream);
    peers.push_back(&far);
    wait_open(world, stream);
    stream.send_file({::fileno(made.get()), proa::DescriptorKind::file}, 0, 64 * mib);
  }
  turns(world, 20);
  for (Peer* const far : peers) {
    far->send_pattern(2, offered);
    far->turn();
    far->reset();
  }
  world.run_until("all are closed", [&] {
    return std::none_of(all.begin(), all.end(), [](Stream* each) { return each->is_open(); });
  });
  for (Stream* const each : all) {
    CHECK_FALSE(each->saw("end"));
    CHECK(each->count("error") == 1);
  }
}

TEST_CASE("an end that came behind much input is told", "[R2][R12]") {
  Streams streams;
  proa::Options with = options();
  with.buffer_size = 1024;
  with.buffers = 1024;
  World world(with);
  const Link kind = GENERATE(Link::tcp4, Link::path);
  auto [stream, far] = line(streams, world, kind);
  const std::size_t before = 512 * 1024;
  const std::size_t size = 48 * 1024;
  stream.expect_pattern(6);
  far.send_pattern(6, before);
  world.run_until("the first came", [&s = stream] { return s.received_bytes == before; });
  stream.stop_reading();
  turns(world, 3);
  Events expected = {"open", "read", "end", "closed"};
  bool closes = true;
  SECTION("the peer sends no more") { closes = false; }
  SECTION("the peer is gone") {}
  SECTION("the peer has not read all") {
    far.read(false);
    stream.write(Bytes("unread"));
    stream.written = [&s = stream](std::size_t) { s.events.pop_back(); };
    world.run_until("it was sent", [&s = stream] { return s.writes.size() == 1; });
    expected = {"open", "read", "error", "closed"};
  }
  far.send_pattern(6, size);
  world.run_until("all is sent", [&f = far] { return f.sent(); });
  world.run_until("all has arrived", [&s = stream] {
    int there = 0;
    REQUIRE(::ioctl(s.descriptor().number, FIONREAD, &there) == 0);
    return static_cast<std::size_t>(there) == size;
  });
  closes ? far.close() : far.half_close();
  far.turn();
  stream.start_reading();
  wait_closed(world, stream);
  CHECK(stream.received_bytes == before + size);
  CHECK(stream.difference == no_difference);
  CHECK(stream.events == expected);
}

TEST_CASE("an end that comes closely behind input is told", "[R2][R12]") {
  Streams streams;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  auto [stream, far] = line(streams, world, kind);
  wait_open(world, stream);
  bool reset = false;
  SECTION("behind the first of it") {}
  SECTION("later") {
    far.send("a");
    world.run_until("it came", [&s = stream] { return s.received_bytes == 1; });
  }
  SECTION("a reset") { reset = kind == Link::tcp4; }
  world->poll();
  far.send("z");
  while (!far.sent()) far.turn();
  reset ? far.reset() : far.close();
  wait_closed(world, stream);
  CHECK(stream.received.back() == 'z');
  CHECK(stream.events.size() == 4);
  CHECK(stream.saw(reset ? "error" : "end"));
}

TEST_CASE("behind on_closed() the peer sees the end, though the loop goes on no more", "[R6]") {
  Streams streams;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  auto [stream, far] = line(streams, world, kind);
  far.send("a");
  world.run_until("it came", [&s = stream] { return s.received_bytes == 1; });
  world->poll();
  stream.close();
  while (!stream.is_closed()) world->run_once(hang);
  for (const proa::TimePoint limit = world.in(hang);
       !far.ended() && world.system().now() < limit;) {
    far.turn();
  }
  CHECK(far.ended());
}

TEST_CASE("streams that have read are closed through a queue of one entry", "[R6][R11]") {
  Streams streams;
  proa::Options with = options();
  with.uring_entries = 1;
  World world(with);
  for (int i = 0; i < 8; ++i) line(streams, world).far.send("a");
  const auto all = [&](bool (*holds)(const Stream&)) {
    return std::all_of(streams.all().begin(), streams.all().end(), holds);
  };
  world.run_until("all have read",
                  [&] { return all([](const Stream& s) { return s.received_bytes == 1; }); });
  turns(world, 3);
  for (Stream& stream : streams.all()) stream.close();
  world.run_until("all are closed",
                  [&] { return all([](const Stream& s) { return s.is_closed(); }); });
}

}  // namespace
