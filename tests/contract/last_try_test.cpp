// The last try of a request whose deadline has come, and what else ends it in the same round. A
// timer that has the same deadline, and fires just before, makes everything happen at once.
#include <sys/socket.h>

#include <algorithm>
#include <list>
#include <proa/datagram.hpp>
#include <proa/stream_handler.hpp>

#include "file_rig.hpp"
#include "raw.hpp"
#include "support/patterns.hpp"
#include "support/plain.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;
using proa::Error;

// The user's requests on its descriptor are what is tested, and it does nothing itself.
struct Owner : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void on_read(proa::Buffer&) override {}
  void on_error(std::error_code) override {}
  void on_closed() override { closed = true; }
  bool closed = false;
};

void connect(World& world, const proa::Address& address, int times) {
  for (int i = 0; i < times; ++i) {
    std::error_code error;
    proa::Socket& socket = world.own(
        proa::Socket::open(*world, proa::Address::Family::ipv4, proa::Transport::stream, error));
    REQUIRE(!error);
    const long result = world.system().connect(socket.descriptor(), address);
    REQUIRE((result == 0 || result == -EINPROGRESS));
  }
}

TEST_CASE("an accept whose deadline has come ends when the proactor shuts down", "[R2][R4][R7]") {
  Timing alarm;
  Accepting accept(true);
  accept.then = [&] { accept.request.socket().close(); };
  World world;
  const proa::Socket& listener = world.listen();
  alarm.then = [&] {
    connect(world, listener.local_address(), 3);
    REQUIRE(world->post([&] { world->stop(); }));
  };
  const proa::TimePoint deadline = world.in(5ms);
  world.submit(alarm.request, deadline);
  accept.request.prepare(listener.descriptor());
  world.submit(accept.request, deadline);
  world->run();
  CHECK(alarm.done());
  CHECK(world->shutdown(5s) == 0);
  CHECK(accept.done());
  CHECK(accept.error() == Error::deadline);
}

TEST_CASE("behind close() no connection is delivered, whatever ended the accept first",
          "[R4][R6]") {
  const bool repeating = GENERATE(false, true);
  const bool cancelled = GENERATE(false, true);
  // All three are due at once, in this order: the alarm, the accept, the one that closes.
  Timing alarm;
  Accepting accept(repeating);
  Timing closer;
  std::unique_ptr<Owner> owner;
  bool closing = false;
  int delivered = 0;
  accept.then = [&] {
    delivered += closing && accept.request.socket().valid();
    accept.request.socket().close();
  };
  World world;
  proa::Socket& listener = world.listen();
  const proa::Address address = listener.local_address();
  owner = std::make_unique<Owner>(*world, std::move(listener));
  alarm.then = [&] {
    connect(world, address, 3);
    if (cancelled) world->cancel(accept.request);
  };
  closer.then = [&] {
    closing = true;
    owner->close();
  };
  const proa::TimePoint deadline = world.in(5ms);
  world.submit(alarm.request, deadline);
  accept.request.prepare(owner->descriptor());
  world.submit(accept.request, cancelled ? proa::never : deadline);
  world.submit(closer.request, deadline);
  world.run_until("it is closed", [&] { return owner->closed; });
  CHECK(accept.done());
  CHECK(delivered == 0);
  const bool named = cancelled ? accept.error() == std::errc::operation_canceled
                               : accept.error() == Error::deadline;
  CHECK(named);
}

TEST_CASE("what last tries move counts for the round", "[R7][R8]") {
  constexpr std::size_t number = 16;
  constexpr std::size_t size = std::size_t{64} << 10;
  Timing alarm;
  std::list<Read> reads;
  proa::Options small = options();
  small.round_budget = 8;  // less than one of them costs
  World world(small);
  std::vector<Connection> lines;
  std::size_t most = 0;
  std::size_t in_round = 0;
  std::uint64_t round = 0;
  const proa::TimePoint deadline = world.in(5ms);
  const std::string bytes(size, 'x');
  alarm.then = [&] {
    for (Connection& line : lines) {
      REQUIRE(world.system().send(line.far.descriptor(), bytes) == static_cast<long>(size));
    }
  };
  world.submit(alarm.request, deadline);
  for (std::size_t i = 0; i < number; ++i) {
    lines.push_back(world.pair(Link::path));
    Read& read = reads.emplace_back(size);
    read.then = [&] {
      const std::uint64_t now = world->counters().rounds;
      in_round = now == round ? in_round + 1 : 1;
      round = now;
      most = std::max(most, in_round);
    };
    world.submit(read.from(lines.back().descriptor()), deadline);
  }
  world.run_until("all completed", [&] {
    return std::all_of(reads.begin(), reads.end(), [](const Read& read) { return read.done(); });
  });
  for (const Read& read : reads) CHECK(read.bytes() > size / 2);
  CHECK(most == 1);
}

TEST_CASE("the first of close and deadline names the error of a request that waits", "[R4]") {
  const bool closed_first = GENERATE(false, true);
  Timing alarm;
  Read first(1);
  Read second(8);
  Timing closer;  // due at once with the alarm and the second read, and the last
  std::unique_ptr<Owner> owner;
  World world;
  const Connection line = world.pair(Link::abstract);
  owner = std::make_unique<Owner>(*world, std::move(line.near));
  alarm.then = [&] {
    line.far.send("abc");
    line.far.turn();
    if (closed_first) owner->close();
  };
  closer.then = [&] { owner->close(); };
  const proa::TimePoint deadline = world.in(5ms);
  world.submit(alarm.request, deadline);
  world.submit(first.from(owner->descriptor()));
  world.submit(second.from(owner->descriptor()), deadline);
  world.submit(closer.request, deadline);
  world.run_until("it is closed", [&] { return owner->closed; });
  CHECK(first.done());
  REQUIRE(second.done());
  const bool named = closed_first ? second.error() == std::errc::operation_canceled
                                  : second.error() == Error::deadline;
  CHECK(named);
  CHECK(second.bytes() == 0);
}

TEST_CASE("datagrams that came before the deadline are told before it", "[R7]") {
  constexpr std::size_t number = 10;
  Timing alarm;
  Recording<proa::RecvDatagrams> receive;
  std::size_t told = 0;
  receive.then = [&] { told += !receive.error(); };
  World world;
  int both[2];
  REQUIRE(plain_pair(both, true, SOCK_DGRAM));
  const Raw far(both[1]);
  std::error_code error;
  const proa::Socket& near = world.own(proa::Socket::adopt(*world, both[0], error));
  REQUIRE(!error);
  alarm.then = [&] {
    for (std::size_t i = 0; i < number; ++i) far.write("d");
  };
  const proa::TimePoint deadline = world.in(5ms);
  world.submit(alarm.request, deadline);
  receive.request.prepare(near.descriptor());
  world.submit(receive.request, deadline);
  world.run_until("it ended", [&] { return receive.done(); });
  CHECK(receive.error() == Error::deadline);
  CHECK(told == number);
  CHECK(!receive.request.take_queued());
}

TEST_CASE("what the page cache has for a file's request comes before its deadline",
          "[file][R4][R7]") {
  constexpr std::size_t number = 40;
  const Folder folder;
  folder.file("a", pattern(1, number * 1000));
  proa::Options with = options();
  with.round_budget = 7;  // less than there is
  std::list<ReadingAt> reads;
  World world(with);
  if (over_kqueue()) return;  // reads no file without waiting
  const proa::File file = open_file(world, folder.path("a"), proa::OpenFlags::read);
  const proa::TimePoint passed = world.system().now() - 1ms;
  for (std::size_t i = 0; i < number; ++i) {
    world.submit(reads.emplace_back(1000).from(file.descriptor(), i * 1000), passed);
  }
  world.run_until("all completed", [&] {
    return std::all_of(reads.begin(), reads.end(), [](auto& read) { return read.done(); });
  });
  const std::string bytes = pattern(1, number * 1000);
  for (const ReadingAt& read : reads) CHECK(!read.error());
  CHECK(reads.back().text() == std::string_view(bytes).substr((number - 1) * 1000));
}

// Sends until the kernel has no room; so many bytes.
std::size_t fill(World& world, const Connection& line) {
  std::size_t full = 0;
  const std::string bytes = pattern(3, 1000);
  for (long sent = 1; sent > 0; full += static_cast<std::size_t>(sent > 0 ? sent : 0)) {
    sent = world.system().send(line.descriptor(), {bytes.data(), bytes.size()});
  }
  return full;
}

TEST_CASE("a SendFile goes out for which there was room by its deadline", "[file][R4][R7]") {
  // What the loop finds first, and what follows a share that went out.
  const std::size_t size = GENERATE(std::size_t{8}, std::size_t{100000});
  const Folder folder;
  folder.file("a", pattern(1, size));
  Timing alarm;
  Recording<proa::SendFile> send;
  World world;
  const proa::File file = open_file(world, folder.path("a"), proa::OpenFlags::read);
  const Connection line = world.pair(Link::abstract);
  const std::size_t full = fill(world, line);
  line.far.read(false);
  alarm.then = [&] {
    line.far.read(true);
    while (line.far.received_bytes() < full) line.far.turn();
  };
  const proa::TimePoint deadline = world.in(20ms);
  world.submit(alarm.request, deadline);
  send.request.prepare(line.descriptor(), file.descriptor(), 0, size);
  world.submit(send.request, deadline);
  world.run_until("it completed", [&] { return send.done(); });
  CHECK(!send.error());
  CHECK(send.bytes() == size);
}

TEST_CASE("a SendFile that finds no room ends by its deadline", "[file][R7]") {
  const Folder folder;
  folder.file("a", "the last");
  Recording<proa::SendFile> send;
  World world;
  const proa::File file = open_file(world, folder.path("a"), proa::OpenFlags::read);
  const Connection line = world.pair(Link::abstract);
  fill(world, line);
  line.far.read(false);
  send.request.prepare(line.descriptor(), file.descriptor(), 0, 8);
  world.submit(send.request, world.in(5ms));
  world.run_until("it ended", [&] { return send.done(); });
  CHECK(send.error() == Error::deadline);
  CHECK(send.bytes() == 0);
}

TEST_CASE("run_once() counts no try that only goes on", "[file][R1][R7]") {
  const Folder folder;
  folder.file("a", "the last");
  Timing alarm;
  Recording<proa::SendFile> send;
  World world;
  const proa::File file = open_file(world, folder.path("a"), proa::OpenFlags::read);
  const Connection line = world.pair(Link::abstract);
  const std::size_t full = fill(world, line);
  alarm.then = [&] {
    while (line.far.received_bytes() < full) line.far.turn();
  };
  const proa::TimePoint deadline = world.in(20ms);
  world.submit(alarm.request, deadline);
  send.request.prepare(line.descriptor(), file.descriptor(), 0, 8);
  world.submit(send.request, deadline);
  const auto called = [&] { return alarm.results.size() + send.results.size(); };
  const proa::TimePoint limit = world.in(hang);
  while (!send.done() && world.system().now() < limit) {
    const std::size_t before = called();
    const std::size_t told = world->run_once(hang);
    CHECK(told == called() - before);
    CHECK(told > 0);
  }
  REQUIRE(send.done());
  CHECK(!send.error());
}

}  // namespace
