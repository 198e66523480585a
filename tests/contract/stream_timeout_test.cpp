// A stream's timeouts: their own error, never early, not while nobody wants to read.
#include <thread>

#include "contract/stream_rig.hpp"
#include "support/patient_clock.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::Duration;
using proa::Error;
using proa::TimePoint;

// When something was last done that the timeout counts from, noted before the library can look at
// the clock, and when the timeout was told.
struct Clocked {
  explicit Clocked(World& made, Stream& watched) : world(made), stream(watched) {
    stream.failed = [this](std::error_code) {
      told = world.system().now();
      stream.close();
    };
    last = world.system().now();
  }
  World& world;
  Stream& stream;
  TimePoint last;
  TimePoint told;
};

TEST_CASE("a read timeout is an error of its own, and never early", "[R7]") {
  Streams streams;
  const PatientClock clock;
  World world;
  auto [stream, far] = line(streams, world);
  Clocked clocked(world, stream);
  const Duration limit = 200ms;
  SECTION("nothing comes") { stream.set_read_timeout(limit); }
  SECTION("it was set in on_open") {
    stream.opened = [&s = stream, limit] {
      s.start_reading();
      s.set_read_timeout(limit);
    };
  }
  SECTION("bytes come for a while") {
    stream.set_read_timeout(limit);
    for (int i = 0; i < 8; ++i) {
      clocked.last = world.system().now();
      far.send("x");
      pass(world, 40ms);
      CHECK(!stream.saw("error"));
    }
  }
  SECTION("it is made longer") {
    stream.set_read_timeout(1ms);
    stream.set_read_timeout(limit);
  }
  wait_closed(world, stream);
  CHECK(stream.error == Error::deadline);
  CHECK(stream.error == std::errc::timed_out);
  CHECK(stream.count("error") == 1);
  CHECK(clocked.told - clocked.last >= limit);
}

TEST_CASE("a read timeout can be taken back", "[R7]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  stream.set_read_timeout(10ms);
  stream.set_read_timeout(Duration::max());
  pass(world, 40ms);
  CHECK(stream.events == Events{"open"});
}

TEST_CASE("a read timeout does not run while nobody reads", "[R7]") {
  Streams streams;
  const PatientClock clock;
  World world;
  auto [stream, far] = line(streams, world);
  Clocked clocked(world, stream);
  SECTION("stopped") {
    stream.set_read_timeout(20ms);
    stream.opened = [] {};
    pass(world, 70ms);
    CHECK(stream.events == Events{"open"});
    clocked.last = world.system().now();
    stream.start_reading();
    wait_closed(world, stream);
  }
  SECTION("paused by the high mark") {
    far.read(false);
    stream.set_watermarks({4096, 1024, std::size_t{64} << 20});
    stream.write(proa::Bytes(pattern(1, 8 << 20)));
    far.send("!");
    world.run_until("it is held", [&s = stream] { return s.saw("read"); });
    stream.set_read_timeout(20ms);
    pass(world, 70ms);
    CHECK(stream.events == Events{"open", "read"});
    clocked.last = world.system().now();
    far.read(true);
    wait_closed(world, stream);
    CHECK(stream.saw("drained"));
  }
  CHECK(stream.error == Error::deadline);
  CHECK(clocked.told - clocked.last >= 20ms);
}

TEST_CASE("a timeout that is not positive is an error, told once, and changes nothing", "[R7]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  stream.failed = [](std::error_code) {};
  wait_open(world, stream);
  const Duration limit = GENERATE(Duration(0), Duration(-1), Duration::min());
  const bool read = GENERATE(true, false);
  read ? stream.set_read_timeout(limit) : stream.set_idle_timeout(limit);
  CHECK(!stream.saw("error"));
  pass(world, 20ms);
  CHECK(stream.events == Events{"open", "error"});
  CHECK(stream.error == std::errc::invalid_argument);
  stream.set_read_timeout(5ms);
  read ? stream.set_read_timeout(limit) : stream.set_idle_timeout(limit);
  world.run_until("both were told", [&s = stream] { return s.count("error") >= 3; });
  CHECK(stream.error == Error::deadline);
}

TEST_CASE("timeouts that are set before connect() run from there on", "[R7]") {
  Streams streams;
  World world;
  Stream& stream = streams.add(*world);
  stream.set_read_timeout(10ms);
  stream.set_idle_timeout(hang);
  pass(world, 30ms);
  CHECK(stream.events.empty());
  CHECK(!stream.is_open());  // it keeps nothing going
  stream.connect(world.listen().local_address());
  wait_closed(world, stream);
  CHECK(stream.events == Events{"open", "error", "closed"});
  CHECK(stream.error == Error::deadline);
}

TEST_CASE("an idle timeout of a stream whose connect() failed is no other error", "[R7]") {
  Streams streams;
  World world;
  Stream& stream = streams.add(*world);
  std::vector<std::error_code> errors;
  stream.failed = [&](std::error_code error) { errors.push_back(error); };
  proa::Socket& listener = world.listen();
  const proa::Address nobody = listener.local_address();
  listener.close();
  stream.connect(nobody);
  world.run_until("it was told", [&] { return errors.size() == 1; });
  CHECK(errors[0] == std::errc::connection_refused);
  stream.set_idle_timeout(1ms);
  world.run_until("it was told again", [&] { return errors.size() == 3; });
  CHECK(errors[1] == Error::deadline);
  CHECK(errors[2] == Error::deadline);
}

TEST_CASE("finish() at any moment of a timeout hears the peer's end", "[R7][T13]") {
  Streams streams;
  proa::Options with = options();
  with.linger = hang;
  World world(with);
  auto [stream, far] = line(streams, world);
  stream.failed = [](std::error_code) {};
  wait_open(world, stream);
  turns(world, 3);
  stream.set_idle_timeout(1ms);
  const int rounds = GENERATE(0, 1, 2, 3, 4, 5, 6);
  for (int i = 0; i < rounds; ++i) world->run_once(1ms);
  stream.finish();
  wait_ended(world, far);
  far.half_close();
  wait_closed(world, stream);
}

TEST_CASE("a read timeout is not for what has ended", "[R7]") {
  Streams streams;
  const PatientClock clock;
  World world;
  auto [stream, far] = line(streams, world);
  stream.ended = [] {};
  stream.set_read_timeout(20ms);
  far.half_close();
  world.run_until("the end came", [&s = stream] { return s.saw("end"); });
  pass(world, 60ms);
  CHECK(stream.events == Events{"open", "end"});
}

TEST_CASE("a slow loop does not make a read timeout early", "[R7]") {
  // Another handler blocks in the round in which bytes arrive: their time is that of on_read().
  Streams streams;
  World world;
  auto [blocker, slow_far] = line(streams, world);
  auto [stream, far] = line(streams, world);
  Clocked clocked(world, stream);
  world.run_until("both are open",
                  [&b = blocker, &s = stream] { return b.saw("open") && s.saw("open"); });
  bool read = false;
  stream.read = [&](Buffer&) { read = true; };
  blocker.read = [&](Buffer&) {
    std::this_thread::sleep_for(60ms);
    if (!read) clocked.last = world.system().now();
  };
  stream.set_read_timeout(100ms);
  slow_far.send("x");
  far.send("x");
  slow_far.turn();
  far.turn();
  wait_closed(world, stream);
  CHECK(clocked.told - clocked.last >= 100ms);
}

TEST_CASE("bytes that were held are no silence", "[R7]") {
  // Slow to take what had been kept for it: the timeout is not for that.
  Streams streams;
  const PatientClock clock;
  World world;
  auto [stream, far] = line(streams, world);
  stream.read = [&s = stream, &world](Buffer&) {
    for (const TimePoint until = world.in(8ms); world.system().now() < until;) continue;
    s.stop_reading();
    s.start_reading();
  };
  wait_open(world, stream);
  stream.set_read_timeout(200ms);
  far.send_pattern(1, 40000);
  world.run_until("all came", [&s = stream] { return s.received_bytes == 40000; });
  CHECK(stream.events == Events{"open", "read"});
}

TEST_CASE("an idle timeout runs while nothing moves in either direction", "[R7]") {
  Streams streams;
  const PatientClock clock;
  World world;
  auto [stream, far] = line(streams, world);
  Clocked clocked(world, stream);
  const Duration limit = 200ms;
  stream.set_idle_timeout(limit);
  SECTION("not even at first") {}
  SECTION("reading stopped") {
    stream.opened = [] {};
  }
  SECTION("bytes are sent for a while") {
    for (int i = 0; i < 8; ++i) {
      clocked.last = world.system().now();
      stream.write("x");
      pass(world, 40ms);
      CHECK(!stream.saw("error"));
    }
  }
  SECTION("bytes come for a while") {
    for (int i = 0; i < 8; ++i) {
      clocked.last = world.system().now();
      far.send("x");
      pass(world, 40ms);
      CHECK(!stream.saw("error"));
    }
  }
  wait_closed(world, stream);
  CHECK(stream.error == Error::deadline);
  CHECK(clocked.told - clocked.last >= limit);
}

TEST_CASE("a handler that stays after a timeout is told again", "[R7]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  stream.failed = [&s = stream](std::error_code) {
    if (s.count("error") == 3) s.close();
  };
  const TimePoint began = world.system().now();
  stream.set_read_timeout(10ms);
  wait_closed(world, stream);
  CHECK(world.system().now() - began >= 30ms);
}

TEST_CASE("behind finish() the linger time alone bounds what is waited for", "[R7][T13]") {
  Streams streams;
  proa::Options with = options();
  with.linger = 100ms;
  World world(with);
  auto [stream, far] = narrow_line(streams, world);
  far.read(false);
  stream.failed = [](std::error_code) {};
  wait_open(world, stream);
  const bool set_before = GENERATE(true, false);
  stream.write(proa::Bytes(std::string(std::size_t{4} << 20, 'x')));
  if (set_before) stream.set_idle_timeout(1ms);
  stream.finish();
  if (!set_before) stream.set_idle_timeout(1ms);
  wait_closed(world, stream);
  CHECK(!stream.saw("error"));
}

}  // namespace
