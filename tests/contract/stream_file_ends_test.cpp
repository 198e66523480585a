// Streams that end, are left by their peer, throw or time out in the middle of a file.
#include "contract/file_rig.hpp"
#include "contract/stream_rig.hpp"
#include "support/allocations.hpp"
#include "support/patient_clock.hpp"

namespace {

using namespace proa_test;
using proa::Error;

constexpr std::size_t mib = std::size_t{1} << 20;

TEST_CASE("finish() and half_close() send the file that is queued first", "[file]") {
  const Folder folder;
  Streams streams;
  World world;
  constexpr std::size_t size = 3 * mib;
  const proa::File file = open_file(world, folder.file("a", pattern(5, size)));
  auto [stream, far] = narrow_line(streams, world, any_link());
  far.expect_pattern(5);
  far.read_slowly(100000);
  wait_open(world, stream);
  stream.send_file(file.descriptor(), 0, size - 3);
  stream.send_file(file.descriptor(), size - 3, 3);
  SECTION("finish() at once") { stream.finish(); }
  SECTION("finish() half-way") {
    wait_received(world, far, size / 2);
    stream.finish();
  }
  SECTION("half_close() at once") { stream.half_close(); }
  SECTION("half_close(), then finish()") {
    stream.half_close();
    wait_received(world, far, size / 2);
    stream.finish();
  }
  wait_ended(world, far);
  CHECK(far.received_bytes() == size);
  CHECK(far.difference() == no_difference);
  CHECK(stream.writes == std::vector<std::size_t>{size - 3, 3});
  far.close();
  wait_closed(world, stream);
  CHECK(!stream.error);
}

TEST_CASE("close() in the middle of a file: only on_closed() follows", "[file][R6]") {
  const Folder folder;
  Streams streams;
  World world;
  const proa::File file = open_file(world, folder.file("a", pattern(6, 8 * mib)));
  auto [stream, far] = narrow_line(streams, world, any_link());
  wait_open(world, stream);
  stream.send_file(file.descriptor(), 0, 8 * mib);
  stream.write("never");
  SECTION("at once") {}
  SECTION("one turn later") { world.turn(); }
  SECTION("while the peer does not read") {
    far.read(false);
    pass(world, 30ms);
  }
  SECTION("half-way") { wait_received(world, far, 2 * mib); }
  stream.close();
  const Events before = stream.events;
  wait_closed(world, stream);
  CHECK(stream.events.size() == before.size() + 1);
  CHECK(stream.writes.empty());
  far.read(true);
  wait_ended(world, far);
  CHECK(far.received_bytes() < 8 * mib);
}

TEST_CASE("a peer that goes away in the middle of a file: one error, no signal",
          "[file][T10][R11]") {
  const Folder folder;
  Streams streams;
  World world;
  const proa::File file = open_file(world, folder.file("a", pattern(7, 8 * mib)));
  const Link kind = any_link();
  const bool reads = GENERATE(true, false);
  auto [stream, far] = narrow_line(streams, world, kind);
  wait_open(world, stream);
  if (!reads) stream.stop_reading();
  stream.ended = [] {};
  stream.send_file(file.descriptor(), 0, 8 * mib);
  stream.write("never");
  wait_received(world, far, mib);
  kind == Link::tcp4 ? far.reset() : far.close();
  wait_closed(world, stream);
  CHECK(stream.count("error") == 1);
  INFO(stream.error.message());
  CHECK((stream.error == std::errc::broken_pipe || stream.error == std::errc::connection_reset));
  CHECK(stream.writes.empty());
  // The next one on a worker that met EPIPE is well.
  auto [second, second_far] = line(streams, world, kind);
  wait_open(world, second);
  second.send_file(file.descriptor(), 0, 8 * mib);
  wait_received(world, second_far, 8 * mib);
  // The peer may have the last byte before the worker has come back.
  world.run_until("it was told", [&s = second] { return s.writes.size() == 1; });
  CHECK(!second.error);
}

TEST_CASE("an exception from on_write behind a file loses nothing", "[file][C07]") {
  const Folder folder;
  Streams streams;
  World world;
  const proa::File file = open_file(world, folder.file("a", pattern(8, 2 * mib)));
  auto [stream, far] = line(streams, world);
  far.expect_pattern(8);
  wait_open(world, stream);
  int thrown = 0;
  stream.written = [&](std::size_t) {
    if (++thrown % 2 == 1) throw thrown;
  };
  for (std::size_t i = 0; i < 4; ++i) stream.send_file(file.descriptor(), i * mib / 2, mib / 2);
  int caught = 0;
  const proa::TimePoint limit = world.in(hang);
  while (stream.writes.size() < 4 && world.system().now() < limit) {
    try {
      world.turn();
    } catch (int) {
      ++caught;
    }
  }
  wait_received(world, far, 2 * mib);
  CHECK(caught == 2);
  CHECK(far.difference() == no_difference);
}

// Its end is input, and is there whenever the kernel is asked for room.
TEST_CASE("a peer that sends no more and reads late keeps nobody busy", "[file][R8]") {
  constexpr std::size_t size = 8 * mib;
  const bool bytes = GENERATE(false, true);
  const Folder folder;
  Streams streams;
  World world;
  const std::string content = pattern(5, size);
  const proa::File file = open_file(world, folder.file("a", content));
  auto [stream, far] = narrow_line(streams, world, any_link());
  far.expect_pattern(5);
  far.read(false);
  wait_open(world, stream);
  Stream& sender = stream;
  sender.ended = [] {};
  far.half_close();
  world.run_until("the end is told", [&] { return sender.saw("end"); });
  if (bytes) {
    sender.write(proa::Bytes(content));
  } else {
    sender.send_file(file.descriptor(), 0, size);
  }
  pass(world, 50ms);
  const std::uint64_t waits = world->counters().waits;
  const std::uint64_t retries = world->counters().retries;
  pass(world, 50ms);
  CHECK(world->counters().retries - retries <= 50);
  CHECK(world->counters().waits - waits <= 1000);
  far.read(true);
  wait_received(world, far, size);
  CHECK(far.difference() == no_difference);
  sender.close();
  wait_closed(world, sender);
}

TEST_CASE("a file that moves slowly is not taken for a stall, one that stops is", "[file][R7]") {
  const Folder folder;
  Streams streams;
  proa::Options with = options();
  with.linger = 200ms;
  const PatientClock clock;
  World world(with);
  constexpr std::size_t size = 6 * mib;
  const proa::File file = open_file(world, folder.file("a", pattern(9, size)));
  auto [stream, far] = narrow_line(streams, world);
  wait_open(world, stream);
  const bool stalls = GENERATE(false, true);
  far.read(false);
  stream.send_file(file.descriptor(), 0, size);
  const bool finishes = GENERATE(false, true);
  if (finishes) {
    stream.finish();
  } else {
    stream.set_idle_timeout(200ms);
  }
  if (stalls) {
    wait_closed(world, stream);
    CHECK(stream.writes.empty());
    CHECK(stream.saw("error") == !finishes);
    if (!finishes) CHECK(stream.error == Error::deadline);
    return;
  }
  // One part of it lasts longer than the limit.
  far.expect_pattern(9);
  std::size_t allowed = 0;
  for (int step = 0; step < 8; ++step) {
    allowed += 400000;
    far.read(true);
    far.read_slowly(50000);
    world.run_until("the peer took its share",
                    [&, &f = far] { return f.received_bytes() >= std::min(allowed, size); });
    far.read(false);
    pass(world, 80ms);
    REQUIRE(!stream.is_closed());
    REQUIRE(!stream.saw("error"));
  }
  far.read(true);
  far.read_slowly(mib);
  wait_received(world, far, size);
  world.run_until("it was told", [&s = stream] { return !s.writes.empty(); });
  CHECK(far.difference() == no_difference);
  CHECK(!stream.saw("error"));
}

TEST_CASE("C06: the end of the proactor in the middle of files", "[file][C06][R2]") {
  const Folder folder;
  Streams streams;
  World world;
  const proa::File from = open_file(world, folder.file("a", pattern(11, 8 * mib)));
  const proa::File to = open_file(world, folder.file("b", ""));
  auto [stream, far] = narrow_line(streams, world, any_link());
  wait_open(world, stream);
  far.read(false);
  far.send_pattern(12, 4 * mib);
  stream.send_file(from.descriptor(), 0, 8 * mib);
  stream.send_file(from.descriptor(), 0, 8 * mib);
  stream.receive_file(to.descriptor(), 0, 8 * mib);
  turns(world, GENERATE(0, 1, 5, 50));
  CHECK(world->shutdown(hang) == 0);
  CHECK(stream.events == Events{"open", "closed"});
  CHECK(first_difference(12, contents(folder.path("b"))) == no_difference);
}

TEST_CASE("memory that is short is told, and nothing follows in place of the file", "[file]") {
  const Folder folder;
  Streams streams;
  World world;
  const proa::File file = open_file(world, folder.file("a", "0123456789"));
  auto [stream, far] = line(streams, world);
  wait_open(world, stream);
  stream.failed = [&s = stream](std::error_code) {
    s.write("never");
    s.close();
  };
  const bool sends = GENERATE(true, false);
  {
    const FailingAllocation none(1, true);
    sends ? stream.send_file(file.descriptor(), 0, 10)
          : stream.receive_file(file.descriptor(), 0, 10);
  }
  stream.write("never");
  wait_closed(world, stream);
  CHECK(stream.error == std::errc::not_enough_memory);
  CHECK(stream.count("error") == 1);
  wait_ended(world, far);
  if (sends) CHECK(far.received().empty());
}

}  // namespace
