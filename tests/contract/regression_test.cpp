// Bugs that were found and mended, one test each.
#include <poll.h>

#include <proa/timer_handler.hpp>

#include "stream_rig.hpp"
#include "support/faults.hpp"

namespace {

using namespace proa_test;

// The error that came with the cancel of stop_reading() was taken for that cancel, and the next
// receive said: a clean end.
TEST_CASE("a reset is not turned into a clean end by stop_reading()", "[R4][T11]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  wait_open(world, stream);
  bool stopped = false;
  stream.read = [&, &s = stream](proa::Buffer&) {
    s.stop_reading();
    stopped = true;
  };
  turns(world, 3);
  REQUIRE(world.system().send(far.descriptor(), {"hello", 5}) == 5);
  far.reset();
  world.run_until("it stopped reading", [&] { return stopped; });
  turns(world, 5);
  stream.read = nullptr;
  stream.start_reading();
  wait_closed(world, stream);
  CHECK(stream.saw("error"));
  CHECK_FALSE(stream.saw("end"));
}

TEST_CASE("requests that wait behind one another end in their order at close()", "[R5][R6]") {
  Streams streams;
  Read one;
  Read two;
  Read three;
  std::string order;
  one.then = [&] { order += '1'; };
  two.then = [&] { order += '2'; };
  three.then = [&] { order += '3'; };
  World world;
  auto [stream, far] = line(streams, world);
  stream.opened = [] {};
  wait_open(world, stream);
  for (Read* const read : {&one, &two, &three}) world.submit(read->from(stream.descriptor()));
  turns(world, 3);
  stream.close();
  wait_closed(world, stream);
  CHECK(order == "123");
}

struct Again : proa::TimerHandler {
  using TimerHandler::TimerHandler;
  void on_timer(std::uint64_t) override {}
  void on_closed() override {
    ++closed;
    start(1s);
  }
  int closed = 0;
};

TEST_CASE("a handler that starts again in on_closed() does not keep shutdown() going",
          "[R6][C06]") {
  World world;
  Again again(*world);
  again.start(1h);
  CHECK(world->shutdown(hang) == 0);
  CHECK(again.closed == 1);
  CHECK_FALSE(again.is_open());
}

// Blocks of another proactor's pool are neither counted nor shared here.
TEST_CASE("a buffer may be written to a stream of another proactor", "[R3]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  wait_open(world, stream);
  auto other = make_proactor();
  proa::Buffer foreign = other->take_buffer();
  REQUIRE(foreign.append({"from elsewhere", 14}) == 14);
  stream.write(std::move(foreign));
  stream.write("; and more");
  wait_received(world, far, 24);
  for (int i = 0; i < 100; ++i) {
    const std::size_t before = stream.received_bytes;
    far.send(std::string(2000, 'y'));
    world.run_until("it still receives",
                    [&, &s = stream] { return s.received_bytes >= before + 2000; });
  }
}

TEST_CASE("receiving goes on when memory that could not be had is there again", "[R11]") {
  Streams streams;
  Timing limit;
  World world;
  Faults faults;
  faults.fail(Call::map, -ENOMEM, 1, 4);
  auto [stream, far] = line(streams, world);
  REQUIRE(world.system().send(far.descriptor(), {"hello", 5}) == 5);
  stream.read = [&](proa::Buffer&) { world->stop(); };
  limit.then = [&] { world->stop(); };
  world.submit(limit.request, world.in(hang));
  world->run();
  CHECK(stream.received == "hello");
  CHECK(faults.injected() == 4);
}

/// A foreign loop that trusts native_handle() and next_deadline(): true when `holds` came true
/// without the loop having to give up on them.
bool served(World& world, const std::function<bool()>& holds) {
  const proa::TimePoint limit = world.in(hang);
  while (!holds()) {
    const proa::TimePoint until = std::min(world->next_deadline(), limit);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - world.system().now());
    pollfd wanted{world->native_handle(), POLLIN, 0};
    ::poll(&wanted, 1, static_cast<int>(std::max<long>(left.count(), 0)));
    if (world.system().now() >= limit) return holds();
    world->poll();
  }
  return true;
}

TEST_CASE("a foreign loop is told of what was done outside poll()", "[embedding]") {
  proa::Options with = options();
  with.embedded = true;
  Streams streams;
  Read read;
  World world(with);
  const Connection raw = world.pair();
  auto [stream, far] = line(streams, world);
  world->poll();
  REQUIRE(served(world, [&s = stream] { return s.saw("open"); }));
  SECTION("submit") {
    world.submit(read.from(raw.descriptor()));
    REQUIRE(world.system().send(raw.far.descriptor(), {"x", 1}) == 1);
    CHECK(served(world, [&] { return read.done(); }));
  }
  SECTION("cancel") {
    world.submit(read.from(raw.descriptor()));
    world->poll();
    world->cancel(read.request);
    CHECK(served(world, [&] { return read.done(); }));
  }
  SECTION("close") {
    stream.close();
    CHECK(served(world, [&s = stream] { return s.is_closed(); }));
  }
  SECTION("start_reading") {
    stream.stop_reading();
    world->poll();
    REQUIRE(world.system().send(far.descriptor(), {"x", 1}) == 1);
    stream.start_reading();
    CHECK(served(world, [&s = stream] { return s.received == "x"; }));
  }
  if (!stream.is_closed()) {
    stream.close();
    CHECK(served(world, [&s = stream] { return s.is_closed(); }));
  }
}

}  // namespace
