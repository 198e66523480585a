// What receives and sends are told when a connection is over: the peer's end, or the error by which
// the connection was lost, and neither in place of the other (R2, R12).
#include <sys/socket.h>

#include <list>
#include <memory>

#include "contract/raw.hpp"
#include "support/plain.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

constexpr std::size_t mib = std::size_t{1} << 20;

// A connection whose far end is the test's own descriptor.
struct Line {
  Line(World& world, int type) {
    int ends[2];
    REQUIRE(plain_pair(ends, false, type));
    std::error_code error;
    near = &world.own(proa::Socket::adopt(*world, ends[0], error));
    REQUIRE(!error);
    far = std::make_unique<Raw>(ends[1]);
  }
  proa::Descriptor descriptor() const { return near->descriptor(); }
  proa::Socket* near;
  std::unique_ptr<Raw> far;
};

void receive(World& world, Read& read, proa::Descriptor from) {
  world.submit(read.from(from));
  world.run_until("it was received", [&] { return read.done(); });
}

TEST_CASE("receives behind one whose end waits for a send are cancelled", "[R2]") {
  const std::string bytes(8 * mib, 'x');
  Read first;
  Sending send;
  std::list<Read> queued(static_cast<std::size_t>(GENERATE(1, 2, 3, 6)));
  World world;
  const Line line(world, SOCK_STREAM);
  world.submit(first.from(line.descriptor()));
  world.submit(send.to(line.descriptor(), bytes));
  for (Read& each : queued) world.submit(each.from(line.descriptor()));
  turns(world, 3);
  REQUIRE(::shutdown(line.far->number, SHUT_RDWR) == 0);
  for (Read& each : queued) world->cancel(each.request);
  world.run_until("all have ended", [&] { return first.done() && send.done(); });
  CHECK(first.results.size() == 1);
  CHECK(first.bytes() == 0);
  CHECK(!first.error());
  CHECK(send.error() == std::errc::broken_pipe);
  for (const Read& each : queued) CHECK(each.results.size() == 1);
}

TEST_CASE("a direction that was ended in the midst of a send loses no connection", "[R2][R12]") {
  const std::string bytes(16 * mib, 'x');
  Sending send;
  Read words;
  Read end;
  World world;
  SECTION("by this side") {
    const Connection line = world.pair();
    line.far.read(false);
    world.submit(send.to(line.descriptor(), bytes));
    turns(world, 10);
    REQUIRE(!line.near.shutdown(proa::ShutdownSide::send));
    world.run_until("the send has ended", [&] { return send.done(); });
    line.far.read(true);
    line.far.send("hello");
    receive(world, words, line.descriptor());
    line.far.half_close();
    receive(world, end, line.descriptor());
  }
#ifdef __linux__
  SECTION("by the peer, which goes on sending") {
    const Line line(world, SOCK_STREAM);
    world.submit(send.to(line.descriptor(), bytes));
    turns(world, 10);
    // poll(2) does not tell the sender of this, but of the end that follows.
    REQUIRE(::shutdown(line.far->number, SHUT_RD) == 0);
    line.far->write("hello");
    receive(world, words, line.descriptor());
    REQUIRE(::shutdown(line.far->number, SHUT_WR) == 0);
    receive(world, end, line.descriptor());
    world.run_until("the send has ended", [&] { return send.done(); });
  }
#endif
  CHECK(send.error() == std::errc::broken_pipe);
  CHECK(words.text() == "hello");
  CHECK(end.bytes() == 0);
  CHECK(!end.error());
}

#ifdef __linux__

const sockaddr nobody = {AF_UNSPEC, {}};

// Linux tells the error ECONNRESET of a datagram socket whose peer has let go of it while something
// was unread.
TEST_CASE("an empty datagram is neither an end nor an error that came before", "[R2][datagram]") {
  Read first;
  Read second;
  World world;
  const Line line(world, SOCK_DGRAM);
  const proa::Address name = world.local_name();
  REQUIRE(!line.near->bind(name));
  REQUIRE(::send(line.descriptor().number, "x", 1, 0) == 1);
  SECTION("before the error") {
    REQUIRE(::send(line.far->number, "", 0, 0) == 0);
    receive(world, first, line.descriptor());
    REQUIRE(::connect(line.far->number, &nobody, sizeof nobody) == 0);
    receive(world, second, line.descriptor());
    CHECK(!first.error());
    CHECK(second.error() == std::errc::connection_reset);
  }
  SECTION("behind it") {
    REQUIRE(::connect(line.far->number, &nobody, sizeof nobody) == 0);
    receive(world, first, line.descriptor());
    REQUIRE(plain_connect(line.far->number, name));
    REQUIRE(::send(line.far->number, "", 0, 0) == 0);
    receive(world, second, line.descriptor());
    CHECK(first.error() == std::errc::connection_reset);
    CHECK(!second.error());
  }
  CHECK(first.bytes() == 0);
  CHECK(second.bytes() == 0);
}

TEST_CASE("a reset of SOCK_SEQPACKET is told behind an empty message too", "[R2]") {
  Read first;
  Read second;
  World world;
  Line line(world, SOCK_SEQPACKET);
  REQUIRE(::send(line.far->number, "", 0, 0) == 0);
  receive(world, first, line.descriptor());
  REQUIRE(::send(line.descriptor().number, "x", 1, 0) == 1);
  line.far.reset();
  receive(world, second, line.descriptor());
  CHECK(first.bytes() == 0);
  CHECK(!first.error());
  CHECK(second.error() == std::errc::connection_reset);
}

TEST_CASE("a connection is not lost by the reset of the one before", "[R2][R4]") {
  enum class Again { by_program, by_connect, by_connect_that_was_cancelled };
  const Again again =
      GENERATE(Again::by_program, Again::by_connect, Again::by_connect_that_was_cancelled);
  if (over_kqueue() && again != Again::by_program) return;  // a socket connects once there
  Read lost;
  Read words;
  Read end;
  Connecting connect;
  Accepting accept;
  World world;
  const Connection line = world.pair();
  line.far.reset();
  receive(world, lost, line.descriptor());
  CHECK(lost.error() == std::errc::connection_reset);
  proa::Socket& listener = world.listen();
  const proa::Address address = listener.local_address();
  const int number = line.descriptor().number;
  REQUIRE(::connect(number, &nobody, sizeof nobody) == 0);
  if (again == Again::by_program) {
    (void)plain_connect(number, address);  // goes on in the background
  } else {
    connect.request.prepare(line.descriptor(), address);
    world.submit(connect.request);
    if (again == Again::by_connect_that_was_cancelled) world->cancel(connect.request);
    world.run_until("it has ended", [&] { return connect.done(); });
    if (connect.error()) return;  // it was cancelled before it began
  }
  accept.request.prepare(listener.descriptor());
  world.submit(accept.request);
  world.run_until("it is accepted", [&] { return accept.done(); });
  Peer& far = world.peer(std::move(accept.request.socket()));
  far.send("hi");
  receive(world, words, line.descriptor());
  far.half_close();
  receive(world, end, line.descriptor());
  CHECK(words.text() == "hi");
  CHECK(end.bytes() == 0);
  CHECK(!end.error());
}

#endif

}  // namespace
