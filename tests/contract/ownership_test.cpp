// What belongs to whom, and what is copied (R3).
#include <array>
#include <cstring>
#include <optional>

#include "support/patterns.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

// Overwrites what was on the stack of the caller's callees.
[[gnu::noinline]] void scribble() {
  volatile char stack[4096];
  for (volatile char& byte : stack) byte = 0x55;
}

[[gnu::noinline]] void submit_pieces(World& world, proa::Send& send, proa::Descriptor to,
                                     const std::string& bytes) {
  std::array<proa::Bytes, 3> pieces{
      {{bytes.data(), 1000}, {bytes.data() + 1000, 0}, {bytes.data() + 1000, bytes.size() - 1000}}};
  send.prepare(to, pieces.data(), pieces.size());
  world.submit(send);
  pieces.fill({"gone", 4});
}

[[gnu::noinline]] void submit_connect(World& world, proa::Connect& connect, proa::Descriptor socket,
                                      const proa::Address& to) {
  proa::Address copy = to;
  proa::TimePoint deadline = world.in(hang);
  connect.prepare(socket, copy);
  world.submit(connect, deadline);
  copy = proa::Address();
  deadline = proa::TimePoint();
}

TEST_CASE("K09: lists of pieces may be on the caller's stack", "[R3][K09]") {
  Sending send;
  World world;
  const Connection line = world.pair();
  line.far.expect_pattern(2);
  const std::string bytes = pattern(2, 300000);
  submit_pieces(world, send.request, line.descriptor(), bytes);
  scribble();
  world.run_until("all arrived", [&] { return line.far.received_bytes() == bytes.size(); });
  world.run_until("the send completed", [&] { return send.done(); });
  CHECK(line.far.difference() == no_difference);
}

TEST_CASE("K09: so may addresses and deadlines", "[R3][K09]") {
  Connecting connect;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::abstract);
  const proa::Socket& listener = world.listen(kind);
  const proa::Address address = listener.local_address();
  std::error_code error;
  proa::Socket& socket =
      world.own(proa::Socket::open(*world, address.family(), proa::Transport::stream, error));
  REQUIRE(!error);
  submit_connect(world, connect.request, socket.descriptor(), address);
  scribble();
  world.run_until("the connect completed", [&] { return connect.done(); });
  CHECK(!connect.error());
  CHECK(socket.peer_address() == address);
}

TEST_CASE("inside its callback a request is the user's again", "[R3]") {
  Read read;
  std::size_t idle = 0;
  std::string collected;
  World world;
  const Connection line = world.pair();
  read.then = [&] {
    if (!read.request.pending()) ++idle;
    collected += read.text();
    read.memory.assign(read.memory.size(), '!');
    if (collected.size() < 30) world.submit(read.from(line.descriptor()));
  };
  world.submit(read.from(line.descriptor()));
  for (std::size_t i = 0; i < 3; ++i) {
    line.far.send(pattern(4, 10, i * 10));
    world.run_until("ten more came", [&] { return collected.size() == (i + 1) * 10; });
  }
  CHECK(idle == read.results.size());
  CHECK(first_difference(4, collected) == no_difference);
}

TEST_CASE("a request may be destroyed in its callback", "[R3]") {
  std::optional<Read> read(std::in_place);
  std::string text;
  World world;
  const Connection line = world.pair();
  read->then = [&] {
    text = read->text();
    auto last = std::move(read->then);  // this very function
    read.reset();
  };
  line.far.send("bye");
  world.submit(read->from(line.descriptor()));
  world.run_until("the receive completed", [&] { return !read; });
  CHECK(text == "bye");
}

TEST_CASE("memory of a receive is not touched behind its bytes, nor after its end", "[R3]") {
  Read read(8);
  World world;
  const Connection line = world.pair();
  line.far.send("0123456789abcdef");
  world.submit(read.from(line.descriptor()));
  world.run_until("the receive completed", [&] { return read.done(); });
  CHECK(read.text() == "01234567");
  read.memory = "mine.now";
  line.far.send("more");
  for (int i = 0; i < 5; ++i) world.turn();
  CHECK(read.memory == "mine.now");
}

TEST_CASE("a deadline ends what has not happened by then, with an error of its own", "[R7]") {
  Read read;
  World world;
  const Connection line = world.pair();
  const proa::TimePoint deadline = world.in(20ms);
  proa::TimePoint ended;
  read.then = [&] { ended = world.system().now(); };
  world.submit(read.from(line.descriptor()), deadline);
  world.run_until("the receive completed", [&] { return read.done(); });
  CHECK(read.error() == proa::Error::deadline);
  CHECK(read.error() == std::errc::timed_out);
  CHECK(read.error() != std::errc::operation_canceled);
  CHECK(read.bytes() == 0);
  CHECK(ended >= deadline);
}

TEST_CASE("a deadline that is not reached changes nothing", "[R7]") {
  Read read;
  World world;
  const Connection line = world.pair();
  line.far.send("in time");
  world.submit(read.from(line.descriptor()), world.in(1h));
  world.run_until("the receive completed", [&] { return read.done(); });
  CHECK(read.text() == "in time");
  CHECK(!read.error());
  // Nor does it keep run() going.
  CHECK(world->run() == 0);
}

TEST_CASE("a deadline ends an operation that waits behind another one", "[R4][R7]") {
  Read first;
  Read second;
  World world;
  const Connection line = world.pair();
  world.submit(first.from(line.descriptor()));
  world.submit(second.from(line.descriptor()), world.in(10ms));
  world.run_until("the second completed", [&] { return second.done(); });
  CHECK(second.error() == proa::Error::deadline);
  CHECK(!first.done());
  line.far.send("first");
  world.run_until("the first completed", [&] { return first.done(); });
  CHECK(first.text() == "first");
}

}  // namespace
