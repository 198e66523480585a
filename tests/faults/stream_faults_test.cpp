// Streams while system calls are interrupted, refused and short, and while memory runs out.
#include <memory>

#include "contract/stream_rig.hpp"
#include "support/allocations.hpp"
#include "support/faults.hpp"

namespace {

using namespace proa_test;
using proa::Bytes;

TEST_CASE("a stream's bytes are the same through EINTR, EAGAIN and short transfers", "[R11]") {
  Streams streams;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  World world;
  Faults faults;
  auto [stream, far] = line(streams, world, kind);
  auto [stopping, other] = line(streams, world, kind);
  std::size_t size = 100000;
  SECTION("short") {
    faults.shorten(97);
    size = 20000;
  }
  SECTION("denied and interrupted") {
    faults.deny(0.4);
    faults.interrupt(0.4);
  }
  SECTION("everything") {
    faults.shorten(333);
    faults.deny(0.3);
    faults.interrupt(0.3);
    size = 30000;
  }
  stream.echoes = stopping.echoes = true;
  stopping.set_watermarks({8192, 2048, 1000000});
  stopping.read = [&s = stopping](proa::Buffer&) { s.stop_reading(); };
  for (Peer* const peer : {&far, &other}) {
    peer->expect_pattern(1);
    peer->send_pattern(1, size);
    peer->half_close();
  }
  world.run_until(
      "both saw the end",
      [&, &s = stopping, &f = far, &o = other] {
        if (s.is_open() && !s.closing()) s.start_reading();
        return f.ended() && o.ended();
      },
      20s);
  for (Peer* const peer : {&far, &other}) {
    CHECK(peer->received_bytes() == size);
    CHECK(peer->difference() == no_difference);
  }
  CHECK(!stream.error);
  CHECK(!stopping.error);
  CHECK(faults.injected() > 20);
  faults.clear();
}

// Notes without allocating.
struct Plain : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  Plain(proa::Proactor& proactor, proa::Socket socket)
      : StreamHandler(proactor, std::move(socket)) {}
  void on_read(proa::Buffer& data) override {
    received += data.size();
    write(std::move(data));
  }
  void on_error(std::error_code code) override {
    error = code;
    close();
  }
  void on_closed() override { closed = true; }
  std::size_t received = 0;
  std::error_code error;
  bool closed = false;
};

TEST_CASE("any allocation of a stream's life may fail: it works or says so", "[R2]") {
  const bool persistent = GENERATE(false, true);
  bool failed = true;
  for (std::uint64_t nth = 1; failed && nth < 100; ++nth) {
    CAPTURE(nth, persistent);
    std::unique_ptr<Plain> plain;
    std::unique_ptr<Plain> client;
    World world;
    const Connection pair = world.pair();
    proa::Socket& listener = world.listen();
    const proa::Address address = listener.local_address();
    pair.far.send("hello");
    pair.far.turn();
    plain = std::make_unique<Plain>(*world, std::move(pair.near));
    client = std::make_unique<Plain>(*world);
    {
      FailingAllocation failing(nth, persistent);
      const Bytes pieces[] = {"a ", "gathered ", "write"};
      plain->set_read_timeout(10s);
      plain->set_watermarks({4096, 1024, 1000000});
      plain->writev(pieces, 3);
      client->connect(address, world.in(hang));
      client->write("from the client");
      for (int i = 0; i < 10; ++i) world->run_once(0ms);
      failed = failing.stop();
    }
    world.run_until("it works or has ended", [&] {
      return plain->closed || pair.far.received() == "a gathered writehello" ||
             pair.far.received() == "helloa gathered write";
    });
    if (plain->closed) CHECK(plain->error);
    world.run_until("the client works or has ended",
                    [&] { return client->closed || client->unsent() == 0; });
    if (client->closed) CHECK(client->error);
  }
  CHECK(!failed);
}

// Does not close because of an error.
struct Finishing : Plain {
  using Plain::Plain;
  void on_error(std::error_code code) override { error = code; }
};

TEST_CASE("a send that memory is short for is told, and goes out when there is some again",
          "[R2]") {
  World world;
  const Connection pair = world.pair();
  const auto stream = std::make_unique<Finishing>(*world, std::move(pair.near));
  for (int i = 0; i < 10; ++i) world->run_once(0ms);
  stream->write("late, and all of it");
  stream->finish();
  {
    FailingAllocation failing(1, true);
    for (int i = 0; i < 10; ++i) world->run_once(0ms);
    REQUIRE(failing.stop());
  }
  world.run_until("it has ended", [&] { return stream->closed; });
  CHECK(stream->error == std::errc::not_enough_memory);
  world.run_until("the peer has it", [&] { return pair.far.ended(); });
  CHECK(pair.far.received() == "late, and all of it");
}

TEST_CASE("an error of the system ends the stream once, with its name", "[R2]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  if (over_uring()) return;  // there the kernel itself would have to fail
  wait_open(world, stream);
  turns(world, 3);
  Faults faults;
  SECTION("of receiving") {
    far.send("x");
    far.turn();
    faults.fail(Call::recv, -EIO);
    for (int i = 0; i < 20 && !stream.is_closed(); ++i) world->run_once(10ms);
  }
  SECTION("of sending") {
    faults.fail(Call::send, -EIO);
    stream.write("x");
    for (int i = 0; i < 20 && !stream.is_closed(); ++i) world->run_once(10ms);
  }
  CHECK(stream.error == std::errc::io_error);
  CHECK(stream.count("error") == 1);
  CHECK(stream.is_closed());
}

}  // namespace
