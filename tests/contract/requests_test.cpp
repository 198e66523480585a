// Recv and Send as requests: exactly once, in order, and what is refused.
#include <algorithm>
#include <array>
#include <cstdint>
#include <list>

#include "raw.hpp"
#include "stuck_send.hpp"
#include "support/patterns.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;
using proa::Error;

TEST_CASE("a receive completes with what is there", "[R2]") {
  Read read;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::tcp6, Link::path, Link::abstract);
  const Connection line = world.pair(kind);
  world.submit(read.from(line.descriptor()));
  line.far.send("hello");
  world.run_until("the receive completed", [&] { return read.done(); });
  CHECK(!read.error());
  CHECK(read.text() == "hello");
  CHECK(read.memory.substr(5) == std::string(251, '?'));
  world.turn();
  CHECK(read.results.size() == 1);
}

TEST_CASE("a send completes once all of it was taken", "[R2]") {
  Sending send;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  const Connection line = world.pair(kind);
  line.far.expect_pattern(1);
  const std::string bytes = pattern(1, std::size_t{3} << 20);
  world.submit(send.to(line.descriptor(), bytes));
  world.run_until("all has arrived", [&] { return line.far.received_bytes() == bytes.size(); });
  world.run_until("the send completed", [&] { return send.done(); });
  CHECK(send.results.size() == 1);
  CHECK(!send.error());
  CHECK(send.bytes() == bytes.size());
  CHECK(line.far.difference() == no_difference);
}

TEST_CASE("submit never calls back, not even for what is done already", "[R1]") {
  Read read;
  Sending send;
  World world;
  const Connection line = world.pair();
  line.far.send("there already");
  line.far.turn();
  world.submit(send.to(line.descriptor(), "x"));
  world.submit(read.from(line.descriptor()));
  CHECK(send.results.empty());
  CHECK(read.results.empty());
  world->cancel(read.request);
  world->cancel(send.request);
  CHECK(send.results.empty());
  CHECK(read.results.empty());
  world.run_until("both completed", [&] { return send.done() && read.done(); });
}

TEST_CASE("C12: nothing asked for completes with nothing, which is not the end", "[R2][C12]") {
  Read nothing(0);
  Read read;
  Sending none;
  World world;
  const Connection line = world.pair();
  world.submit(nothing.from(line.descriptor()));
  none.request.prepare(line.descriptor(), proa::Bytes("", 0));
  world.submit(none.request);
  world.run_until("both completed", [&] { return nothing.done() && none.done(); });
  CHECK(!nothing.error());
  CHECK(nothing.bytes() == 0);
  CHECK(!none.error());
  CHECK(none.bytes() == 0);

  line.far.send("still here");
  world.submit(read.from(line.descriptor()));
  world.run_until("the stream goes on", [&] { return read.done(); });
  CHECK(read.text() == "still here");
}

TEST_CASE("T12: after the end the end comes again, and sending still works", "[R2][T12]") {
  Read read;
  Sending send;
  World world;
  const Connection line = world.pair();
  line.far.half_close();
  for (std::size_t times = 1; times <= 3; ++times) {
    world.submit(read.from(line.descriptor()));
    world.run_until("the end came", [&] { return read.results.size() == times; });
    CHECK(!read.error());
    CHECK(read.bytes() == 0);
  }
  world.submit(send.to(line.descriptor(), "the other half"));
  world.run_until("it arrived", [&] { return line.far.received() == "the other half"; });
}

TEST_CASE("T29: two receives pending when the end comes both complete", "[R2][T29]") {
  Read first;
  Read second;
  World world;
  const Connection line = world.pair();
  world.submit(first.from(line.descriptor()));
  world.submit(second.from(line.descriptor()));
  world.turn();
  line.far.half_close();
  world.run_until("both completed", [&] { return first.done() && second.done(); });
  CHECK((!first.error() && first.bytes() == 0));
  CHECK((!second.error() && second.bytes() == 0));
}

TEST_CASE("a reset that a send was told of is no end to what receives behind it", "[R2][T11]") {
  Read read(4);
  Sending send;
  World world;
  const Connection line = world.pair();
  line.far.send("last");
  while (!line.far.sent()) line.far.turn();
  line.far.reset();
  world.submit(send.to(line.descriptor(), "x"));
  world.run_until("the send failed", [&] { return send.done(); });
  CHECK(send.error() == std::errc::connection_reset);
  for (int times = 0; times < 3; ++times) {
    const std::size_t before = read.results.size();
    world.submit(read.from(line.descriptor()));
    world.run_until("it was received", [&] { return read.results.size() > before; });
    if (times == 0 && !read.error()) {  // what had come, unless the system drops it with a reset
      CHECK(read.text() == "last");
      continue;
    }
    CHECK(read.error() == std::errc::connection_reset);
  }
}

TEST_CASE("behind an end the end comes again, and no error of the connection", "[R2][T12]") {
  const Link link = GENERATE(Link::tcp4, Link::path);
  CAPTURE(static_cast<int>(link));
  Read read;
  Sending send;
  World world;
  const Connection line = world.pair(link);
  line.far.read(false);
  world.submit(send.to(line.descriptor(), "unread"));
  world.run_until("it was sent", [&] { return send.done(); });
  line.far.half_close();
  line.far.turn();
  for (int times = 0; times < 5; ++times) {
    if (times == 2) line.far.close();  // with bytes that it has not read: a reset
    const std::size_t before = read.results.size();
    world.submit(read.from(line.descriptor()));
    world.run_until("the end came", [&] { return read.results.size() > before; });
    CHECK(!read.error());
    CHECK(read.bytes() == 0);
  }
}

TEST_CASE("a reset in the middle of a Send is no end to what receives behind it", "[R2][T11]") {
  Read read;
  Sending send;
  const std::string bytes = pattern(1, std::size_t{16} << 20);
  World world;
  const Connection line = send_until_stuck(world, send, bytes);
  turns(world, 20);
  REQUIRE(!send.done());
  line.far.reset();
  world.run_until("the send failed", [&] { return send.done(); });
  CHECK(send.error() == std::errc::connection_reset);
  CHECK(send.bytes() < bytes.size());
  world.submit(read.from(line.descriptor()));
  world.run_until("the receive failed", [&] { return read.done(); });
  CHECK(read.error() == std::errc::connection_reset);
}

TEST_CASE("T11: a reset reaches a pending receive once", "[R2][T11]") {
  Read read;
  World world;
  const Connection line = world.pair();
  world.submit(read.from(line.descriptor()));
  world.turn();
  line.far.reset();
  world.run_until("the receive completed", [&] { return read.done(); });
  CHECK(read.error() == std::errc::connection_reset);
  CHECK(read.results.size() == 1);
}

TEST_CASE("T10: a send to a peer that is gone fails, without a signal", "[R11][T10]") {
  const SigpipeCount sigpipes;
  Sending send;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  const Connection line = world.pair(kind);
  line.far.close();
  const std::string bytes = pattern(1, 1000);
  std::error_code error;
  for (int i = 0; i < 3 && !error; ++i) {
    world.submit(send.to(line.descriptor(), bytes));
    const std::size_t before = send.results.size();
    world.run_until("the send completed", [&] { return send.results.size() > before; });
    error = send.error();
  }
  CHECK((error == std::errc::broken_pipe || error == std::errc::connection_reset));
  CHECK(sigpipes.count() == 0);
}

TEST_CASE("T31: 64 receives on one socket all complete, in order", "[R5][T31]") {
  std::list<Read> reads;
  std::vector<std::size_t> order;
  World world;
  const Connection line = world.pair();
  constexpr std::size_t number = 64;
  constexpr std::size_t size = 7;
  for (std::size_t i = 0; i < number; ++i) {
    Read& read = reads.emplace_back(size);
    read.then = [&order, i] { order.push_back(i); };
    world.submit(read.from(line.descriptor()));
  }
  for (std::size_t i = 0; i < number; ++i) line.far.send(pattern(3, size, i * size));
  world.run_until("all completed", [&] { return order.size() == number; });
  CHECK(std::is_sorted(order.begin(), order.end()));
  std::string all;
  for (const Read& read : reads) {
    CHECK(read.results.size() == 1);
    all += read.text();
  }
  CHECK(first_difference(3, all) == no_difference);
}

TEST_CASE("sends of one socket go out in the order they were submitted", "[R5]") {
  constexpr std::size_t number = 40;
  std::vector<std::string> parts;
  std::list<Sending> sends;
  std::vector<std::size_t> order;
  World world;
  const Connection line = world.pair();
  line.far.expect_pattern(5);
  std::size_t total = 0;
  for (std::size_t i = 0; i < number; ++i) {
    parts.push_back(pattern(5, 1 + i * 997, total));
    total += parts.back().size();
  }
  for (std::size_t i = 0; i < number; ++i) {
    Sending& send = sends.emplace_back();
    send.then = [&order, i] { order.push_back(i); };
    world.submit(send.to(line.descriptor(), parts[i]));
  }
  world.run_until("all arrived", [&] { return line.far.received_bytes() == total; });
  world.run_until("all completed", [&] { return order.size() == number; });
  CHECK(line.far.difference() == no_difference);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("T08: lengths and counts that mean nothing are refused", "[R2][T08]") {
  Sending send;
  Read read;
  World world;
  const Connection line = world.pair();
  const proa::Descriptor descriptor = line.descriptor();

  SECTION("no pieces") { send.request.prepare(descriptor, nullptr, 0); }
  SECTION("a length without memory") { send.request.prepare(descriptor, {nullptr, 10}); }
  SECTION("lengths that overflow") {
    const std::array<proa::Bytes, 3> pieces{{{"a", SIZE_MAX / 2}, {"b", SIZE_MAX / 2}, {"c", 100}}};
    send.request.prepare(descriptor, pieces.data(), pieces.size());
  }
  SECTION("pieces that are nowhere") { send.request.prepare(descriptor, nullptr, 3); }
  CHECK(world->submit(send.request) == Error::bad_length);
  CHECK(world->submit(send.request) == std::errc::invalid_argument);
  CHECK(!send.request.pending());

  read.request.prepare(descriptor, {nullptr, 10});
  CHECK(world->submit(read.request) == Error::bad_length);
  world.turn();
  CHECK(send.results.empty());
  CHECK(read.results.empty());
}

TEST_CASE("a receive may ask for more than one call moves", "[R2][T08]") {
  Read read(100);
  World world;
  const Connection line = world.pair();
  line.far.send("all there is");
  // As if there were so much memory: what comes fits into what there is.
  read.request.prepare(line.descriptor(), {read.memory.data(), SIZE_MAX});
  world.submit(read.request);
  world.run_until("the receive completed", [&] { return read.done(); });
  CHECK(!read.error());
  CHECK(read.text() == "all there is");
}

TEST_CASE("a descriptor that is none is refused, a closed one is told", "[R2]") {
  Read read;
  World world;
  CHECK(world->submit(read.from({})) == std::errc::bad_file_descriptor);

  const Connection line = world.pair();
  const proa::Descriptor closed = line.descriptor();
  line.near.close();
  const std::error_code refused = world->submit(read.from(closed));
  if (!refused) {
    world.run_until("the receive completed", [&] { return read.done(); });
    CHECK(read.error() == std::errc::bad_file_descriptor);
  } else {
    CHECK(refused == std::errc::bad_file_descriptor);
  }
}

TEST_CASE("a gathered send of more pieces than one system call takes", "[R2]") {
  // IOV_MAX is 1024 on Linux; pieces of uneven sizes, empty ones among them.
  Sending send;
  World world;
  const Connection line = world.pair();
  line.far.expect_pattern(9);
  const std::string bytes = pattern(9, 500000);
  std::vector<proa::Bytes> pieces;
  for (std::size_t at = 0, i = 0; at < bytes.size(); ++i) {
    const std::size_t size = std::min<std::size_t>(i % 300, bytes.size() - at);
    pieces.emplace_back(bytes.data() + at, size);
    at += size;
  }
  REQUIRE(pieces.size() > 2048);
  send.request.prepare(line.descriptor(), pieces.data(), pieces.size());
  world.submit(send.request);
  world.run_until("all arrived", [&] { return line.far.received_bytes() == bytes.size(); });
  world.run_until("the send completed", [&] { return send.done(); });
  CHECK(send.bytes() == bytes.size());
  CHECK(!send.error());
  CHECK(line.far.difference() == no_difference);
}

}  // namespace
