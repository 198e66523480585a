// Cancel, close and deadlines: which of them names the error, and that nothing is lost (R4).
#include <list>

#include "support/patterns.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

TEST_CASE("a cancelled receive ends once, and loses nothing", "[R4]") {
  Read read;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  const Connection line = world.pair(kind);
  world.submit(read.from(line.descriptor()));
  SECTION("before the first turn") {}
  SECTION("while it is at the kernel") { world.turn(); }
  world->cancel(read.request);
  CHECK(read.results.empty());
  CHECK(read.request.pending());
  world->cancel(read.request);  // the second time has no effect
  world.run_until("the receive completed", [&] { return read.done(); });
  CHECK(read.error() == std::errc::operation_canceled);
  CHECK(read.bytes() == 0);
  line.far.send("for the next one");
  world.submit(read.from(line.descriptor()));
  world.run_until("the next one completed", [&] { return read.results.size() == 2; });
  CHECK(!read.error());
  CHECK(read.text() == "for the next one");
}

TEST_CASE("cancel of an idle request has no effect", "[R4]") {
  Read read;
  World world;
  const Connection line = world.pair();
  world->cancel(read.request);
  line.far.send("x");
  world.submit(read.from(line.descriptor()));
  world.run_until("the receive completed", [&] { return read.done(); });
  CHECK(!read.error());
  world->cancel(read.request);
  world.turn();
  CHECK(read.results.size() == 1);
}

TEST_CASE("a waiting request can be cancelled, those around it go on", "[R4][R5]") {
  Read first;
  Read second;
  Read third;
  World world;
  const Connection line = world.pair();
  for (Read* read : {&first, &second, &third}) {
    read->memory.resize(3);
    world.submit(read->from(line.descriptor()));
  }
  world->cancel(second.request);
  world.run_until("the second completed", [&] { return second.done(); });
  CHECK(second.error() == std::errc::operation_canceled);
  line.far.send("abcdef");
  world.run_until("the others completed", [&] { return first.done() && third.done(); });
  CHECK(first.text() == "abc");
  CHECK(third.text() == "def");
}

TEST_CASE("success that came first wins over a cancel", "[R4]") {
  Read read;
  Read trigger(1);
  World world;
  const Connection line = world.pair();
  const Connection other = world.pair();
  // Both have data: whichever is delivered first cancels the other, which has its data by then or
  // never gets it; what was not delivered must still be there.
  line.far.send("data");
  other.far.send("x");
  line.far.turn();
  other.far.turn();
  trigger.then = [&] { world->cancel(read.request); };
  world.submit(read.from(line.descriptor()));
  world.submit(trigger.from(other.descriptor()));
  world.run_until("both completed", [&] { return read.done() && trigger.done(); });
  if (read.error()) {
    CHECK(read.error() == std::errc::operation_canceled);
    CHECK(read.bytes() == 0);
    world.submit(read.from(line.descriptor()));
    world.run_until("the data came", [&] { return read.results.size() == 2; });
  }
  CHECK(!read.error());
  CHECK(read.text() == "data");
}

TEST_CASE("the first of deadline, cancel and shutdown names the error", "[R4]") {
  Read read;
  World world;
  const Connection line = world.pair();
  const proa::TimePoint past = world.in(1ms);
  SECTION("the cancel") {
    world.submit(read.from(line.descriptor()), past);
    world->cancel(read.request);
    world.run_until("it completed", [&] { return read.done(); });
    CHECK(read.error() == std::errc::operation_canceled);
  }
  SECTION("the deadline") {
    Timing later;
    world.submit(read.from(line.descriptor()), past);
    world.submit(later.request, past);
    later.then = [&] { world->cancel(read.request); };
    world.run_until("it completed", [&] { return read.done() && later.done(); });
    CHECK(read.error() == proa::Error::deadline);
  }
  SECTION("the shutdown") {
    world.submit(read.from(line.descriptor()), world.in(1h));
    world.turn();
    CHECK(world->shutdown(hang) == 0);
    CHECK(read.done());
    CHECK(read.error() == std::errc::operation_canceled);
  }
  CHECK(read.results.size() == 1);
}

TEST_CASE("a send that is cancelled half-way says how much went out", "[R4]") {
  // The peer does not read, so it cannot all go out.
  Sending send;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  const bool by_deadline = GENERATE(false, true);
  const Connection line = world.pair(kind);
  line.near.set_option(proa::SocketOption::send_buffer, 16 << 10);
  line.far.read(false);
  line.far.expect_pattern(7);
  const std::string bytes = pattern(7, std::size_t{16} << 20);
  world.submit(send.to(line.descriptor(), bytes), by_deadline ? world.in(50ms) : proa::never);
  for (int i = 0; i < 20; ++i) world.turn();
  if (!by_deadline) world->cancel(send.request);
  world.run_until("the send completed", [&] { return send.done(); });
  if (by_deadline) {
    CHECK(send.error() == proa::Error::deadline);
  } else {
    CHECK(send.error() == std::errc::operation_canceled);
  }
  CHECK(send.bytes() > 0);
  CHECK(send.bytes() < bytes.size());

  const std::size_t sent = send.bytes();
  world.submit(send.to(line.descriptor(), std::string_view(bytes).substr(sent, 1000)));
  line.far.read(true);
  world.run_until("the rest arrived", [&] { return line.far.received_bytes() >= sent + 1000; });
  world.run_until("the rest was sent", [&] { return send.results.size() == 2; });
  CHECK(line.far.received_bytes() == sent + 1000);
  CHECK(line.far.difference() == no_difference);
}

TEST_CASE("K04: many requests cancelled together complete, others are untouched", "[R4][K04]") {
  std::list<Read> reads;
  std::list<Sending> sends;
  Read other;
  World world;
  const Connection line = world.pair();
  const Connection bystander = world.pair();
  line.near.set_option(proa::SocketOption::send_buffer, 16 << 10);
  line.far.read(false);
  const std::string bytes = pattern(1, std::size_t{8} << 20);
  for (int i = 0; i < 4; ++i) {
    world.submit(reads.emplace_back().from(line.descriptor()));
    world.submit(sends.emplace_back().to(line.descriptor(), bytes));
  }
  world.submit(other.from(bystander.descriptor()));
  world.turn();
  for (Read& read : reads) world->cancel(read.request);
  for (Sending& send : sends) world->cancel(send.request);
  world.run_until("all completed", [&] {
    return std::all_of(reads.begin(), reads.end(), [](auto& r) { return r.done(); }) &&
           std::all_of(sends.begin(), sends.end(), [](auto& s) { return s.done(); });
  });
  for (Read& read : reads) CHECK(read.error() == std::errc::operation_canceled);
  for (Sending& send : sends) CHECK(send.error() == std::errc::operation_canceled);
  for (Read& read : reads) CHECK(read.results.size() == 1);
  CHECK(other.request.pending());
  bystander.far.send("untouched");
  world.run_until("the bystander got its bytes", [&] { return other.done(); });
  CHECK(other.text() == "untouched");
}

TEST_CASE("K05: cancel of a finished request does not hit the one in its place", "[R4][K05]") {
  Read old(1);
  Read fresh(1);
  World world;
  const Connection line = world.pair();
  for (int round = 0; round < 200; ++round) {
    // The old one finishes at the kernel; its place there is free for the fresh one. Whether the
    // cancel comes before or after, it must not end the fresh one.
    world.submit(old.from(line.descriptor()));
    line.far.send("a");
    line.far.turn();
    const std::size_t before = old.results.size();
    if (round % 2 == 0) {
      old.then = [&] { world.submit(fresh.from(line.descriptor())); };
      world->cancel(old.request);
    } else {
      old.then = [&] {
        world.submit(fresh.from(line.descriptor()));
        world->cancel(old.request);
      };
    }
    world.run_until("the old one completed", [&] { return old.results.size() > before; });
    const bool taken = !old.error();
    if (taken) line.far.send("b");
    const std::size_t fresh_before = static_cast<std::size_t>(round);
    world.run_until("the fresh one completed", [&] { return fresh.results.size() > fresh_before; });
    REQUIRE(!fresh.error());
    REQUIRE(fresh.bytes() == 1);
  }
}

TEST_CASE("K02: after its completion a cancelled receive's memory stays untouched", "[R3][K02]") {
  Read read(4096);
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  const Connection line = world.pair(kind);
  for (int i = 0; i < 200; ++i) {
    world.submit(read.from(line.descriptor()));
    if (i % 2 == 0) world.turn();
    const std::size_t before = read.results.size();
    world->cancel(read.request);
    world.run_until("the receive completed", [&] { return read.results.size() > before; });
    REQUIRE(read.error() == std::errc::operation_canceled);
    // From here the memory is poison: a late write of the kernel's would show.
    read.memory.assign(read.memory.size(), 'P');
    line.far.send("poison");
    line.far.turn();
    world.turn();
    REQUIRE(read.memory == std::string(4096, 'P'));
    Read next;
    world.submit(next.from(line.descriptor()));
    world.run_until("the bytes were still there", [&] { return next.done(); });
    REQUIRE(next.text() == "poison");
    REQUIRE(read.memory == std::string(4096, 'P'));
  }
}

// A worker of the kernel may be at the send then.
TEST_CASE("a send that is stuck behind the peer's end ends when it is cancelled, or late",
          "[R2][R4][R7]") {
  const Link kind = GENERATE(Link::tcp4, Link::path);
  const bool late = GENERATE(false, true);
  CAPTURE(static_cast<int>(kind), late);
  const std::string bytes(std::size_t{4} << 20, 'x');
  for (auto wait = 0us; wait < 9ms; wait += 300us) {
    CAPTURE(wait.count());
    Sending send;
    World world;
    const Connection line = world.pair(kind);
    line.near.set_option(proa::SocketOption::send_buffer, 16 << 10);
    line.far.socket().shutdown(proa::ShutdownSide::send);
    const proa::TimePoint until = world.in(wait);
    world.submit(send.to(line.descriptor(), bytes), late ? until : proa::never);
    while (world.system().now() < until) world->run_once(100us);
    if (!late) world->cancel(send.request);
    const proa::TimePoint limit = world.in(hang);
    while (!send.done() && world.system().now() < limit) world->run_once(10ms);
    REQUIRE(send.done());
    CHECK(send.error());
    CHECK(send.bytes() < bytes.size());
  }
}

}  // namespace
