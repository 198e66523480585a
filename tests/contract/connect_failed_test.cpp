// What a socket's other requests say when its Connect has failed, or was ended: there is no
// connection, on every backend and whichever call the system has told why.
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

#include "support/plain.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::Socket;
using proa::Transport;

enum class Way { recv, recv_buffers, send };

// A request that needs a connection.
struct Request {
  explicit Request(Way of) : way(of) {}
  proa::Operation& on(proa::Descriptor descriptor) {
    if (way == Way::recv) return read.from(descriptor);
    if (way == Way::send) return send.to(descriptor, "nobody hears this");
    stream.request.prepare(descriptor);
    return stream.request;
  }
  std::vector<proa::Result>& results() {
    return way == Way::recv ? read.results : way == Way::send ? send.results : stream.results;
  }
  const Way way;
  Read read;
  Sending send;
  Recording<proa::RecvBuffers> stream;
};

Socket& open(World& world, Address::Family family = Address::Family::ipv4) {
  std::error_code error;
  Socket& socket = world.own(Socket::open(*world, family, Transport::stream, error));
  REQUIRE(!error);
  return socket;
}

Address closed_port(World& world, Link link = Link::tcp4) {
  Socket& listener = world.listen(link);
  const Address address = listener.local_address();
  listener.close();
  return address;
}

void wait_told(World& world, Request& request) {
  world.run_until("it was told", [&] { return !request.results().empty(); });
  REQUIRE(request.results().size() == 1);
  CHECK(request.results()[0].bytes == 0);
}

// The peer's end is told as an end, and as nothing else.
void check_end(World& world, proa::Descriptor socket) {
  Read read;
  world.submit(read.from(socket));
  world.run_until("the end came", [&] { return read.done(); });
  CHECK(!read.error());
  CHECK(read.bytes() == 0);
}

TEST_CASE("behind a Connect that was refused there is no connection, and no end of one",
          "[R5][R12][T01]") {
  Connecting connect;
  Request behind(GENERATE(Way::recv, Way::recv_buffers, Way::send));
  Request later(behind.way);
  World world;
  const Link link = GENERATE(Link::tcp4, Link::tcp6, Link::path);
  const bool late = GENERATE(false, true);
  CAPTURE(static_cast<int>(behind.way), static_cast<int>(link), late);
  const Address address = closed_port(world, link);
  Socket& socket = open(world, address.family());
  connect.request.prepare(socket.descriptor(), address);
  // A deadline that has come: the last try asks the socket for the error.
  world.submit(connect.request, late ? world.system().now() : proa::never);
  world.submit(behind.on(socket.descriptor()));
  world.run_until("the connect completed", [&] { return connect.done(); });
  CHECK(connect.error());
  wait_told(world, behind);
  CHECK(behind.results()[0].error == std::errc::not_connected);
  world.submit(later.on(socket.descriptor()));
  wait_told(world, later);
  CHECK(later.results()[0].error == std::errc::not_connected);
}

TEST_CASE("a Connect that is ended leaves its error to no other request", "[R4][R5][R12]") {
  Connecting connect;
  Connecting next;
  Request behind(GENERATE(Way::recv, Way::recv_buffers, Way::send));
  World world;
  const bool began = GENERATE(false, true);
  const bool waits = GENERATE(true, false);
  CAPTURE(static_cast<int>(behind.way), began, waits);
  const Address address = closed_port(world);
  Socket& socket = open(world);
  connect.request.prepare(socket.descriptor(), address);
  world.submit(connect.request);
  if (waits) world.submit(behind.on(socket.descriptor()));
  if (began) world->run_once(0ns);
  world->cancel(connect.request);
  world.run_until("the connect completed", [&] { return connect.done(); });
  CHECK(connect.error());
  if (!waits) world.submit(behind.on(socket.descriptor()));
  wait_told(world, behind);
  CHECK(behind.results()[0].error == std::errc::not_connected);
  if (over_kqueue()) return skip("this socket cannot connect again", true);
  next.request.prepare(socket.descriptor(), world.listen().local_address());
  world.submit(next.request);
  world.run_until("the next one completed", [&] { return next.done(); });
  CHECK(!next.error());
}

// The SYN waits for an answer when the Connect ends; the next one is refused, a second later.
TEST_CASE("a Connect that is ended while nobody answers leaves its error to no other request",
          "[R4][R5][R12]") {
  Connecting connect;
  Request behind(GENERATE(Way::recv, Way::recv_buffers));
  World world;
  CAPTURE(static_cast<int>(behind.way));
  Socket* listener = nullptr;
  const Address address = world.full_listener(&listener);
  if (!address.is_set()) return skip("a listener without room resets connections here", true);
  Socket& socket = open(world);
  connect.request.prepare(socket.descriptor(), address);
  world.submit(connect.request);
  world.submit(behind.on(socket.descriptor()));
  turns(world, 5);
  REQUIRE(connect.request.pending());
  world->cancel(connect.request);
  world.run_until("the connect completed", [&] { return connect.done(); });
  CHECK(connect.error() == std::errc::operation_canceled);
  listener->close();
  wait_told(world, behind);
  CHECK(behind.results()[0].error == std::errc::not_connected);
}

// Makes room in the queue of a full listener until the one that connects from there was accepted.
std::unique_ptr<Socket> accept_from(World& world, Socket& listener, const Address& address) {
  std::unique_ptr<Socket> accepted;
  world.run_until("it was accepted", [&] {
    proa::Descriptor next;
    Address from;
    while (world.system().accept(listener.descriptor(), next, &from) == 0) {
      accepted = std::make_unique<Socket>(world.system(), next);
      if (from == address) return true;
    }
    return false;
  });
  return accepted;
}

TEST_CASE("a Connect that is ended: the next one arrives where it was sent", "[R4][R5][R12]") {
  Connecting connect;
  Connecting next;
  Read behind;
  Read read;
  World world;
  const bool late = GENERATE(false, true);
  const bool waits = GENERATE(false, true);
  CAPTURE(late, waits);
  const Address full = world.full_listener();
  if (!full.is_set()) return skip("a listener without room resets connections here", true);
  Socket& listener = world.listen();
  Socket& socket = open(world);
  connect.request.prepare(socket.descriptor(), full);
  next.request.prepare(socket.descriptor(), listener.local_address());
  world.submit(connect.request, late ? world.in(20ms) : proa::never);
  if (waits) world.submit(next.request);
  turns(world, 5);
  if (!late) {
    REQUIRE(connect.request.pending());
    world->cancel(connect.request);
  }
  world.run_until("the connect completed", [&] { return connect.done(); });
  CHECK(connect.error() == (late ? std::errc::timed_out : std::errc::operation_canceled));
  if (!waits) {
    if (!over_kqueue()) {
      world.submit(behind.from(socket.descriptor()));
      world.run_until("it was told", [&] { return behind.done(); });
      CHECK(behind.error() == std::errc::not_connected);
    }
    world.submit(next.request);
  }
  world.run_until("the next one completed", [&] { return next.done(); });
  if (over_kqueue()) {  // these systems go on with the first
    CHECK(next.error() == std::errc::connection_already_in_progress);
    world.submit(next.request);
    world.run_until("that one completed", [&] { return next.results.size() == 2; });
    CHECK(next.error() == std::errc::connection_already_in_progress);
    return;
  }
  REQUIRE(!next.error());
  const std::unique_ptr<Socket> accepted = accept_from(world, listener, socket.local_address());
  REQUIRE(::send(accepted->descriptor().number, "abc", 3, 0) == 3);
  world.submit(read.from(socket.descriptor()));
  world.run_until("the bytes came", [&] { return read.done(); });
  CHECK(read.bytes() == 3);
  accepted->close();
  check_end(world, socket.descriptor());
}

TEST_CASE("a Connect that is ended, and the system goes on: what comes has an end",
          "[R4][R5][R12]") {
  if (!over_kqueue()) return;  // no other backend lets the system go on
  Connecting connect;
  Connecting next;
  Read read;
  World world;
  Socket* listener = nullptr;
  const Address address = world.full_listener(&listener);
  if (!address.is_set()) return skip("a listener without room resets connections here", true);
  Socket& socket = open(world);
  connect.request.prepare(socket.descriptor(), address);
  world.submit(connect.request);
  turns(world, 5);
  REQUIRE(connect.request.pending());
  world->cancel(connect.request);
  world.run_until("the connect completed", [&] { return connect.done(); });
  world.submit(read.from(socket.descriptor()));
  const std::unique_ptr<Socket> accepted = accept_from(world, *listener, socket.local_address());
  next.request.prepare(socket.descriptor(), world.listen().local_address());
  world.submit(next.request);
  world.run_until("the next one completed", [&] { return next.done(); });
  CHECK(next.error() == std::errc::already_connected);
  REQUIRE(::send(accepted->descriptor().number, "abc", 3, 0) == 3);
  world.run_until("the bytes came", [&] { return read.results.size() == 1; });
  CHECK(read.bytes() == 3);
  CHECK(!socket.shutdown(proa::ShutdownSide::send));
  accepted->close();
  check_end(world, socket.descriptor());
}

TEST_CASE("a Connect that is cancelled says whether there is a connection", "[R4][R5][R12]") {
  Connecting connect;
  Connecting next;
  Request behind(GENERATE(Way::recv, Way::recv_buffers));
  World world;
  const int rounds = GENERATE(0, 1, 2);
  const bool waits = GENERATE(false, true);
  CAPTURE(static_cast<int>(behind.way), rounds, waits);
  Socket& listener = world.listen();
  Socket& other = world.listen();
  Socket& socket = open(world);
  connect.request.prepare(socket.descriptor(), listener.local_address());
  next.request.prepare(socket.descriptor(), other.local_address());
  world.submit(connect.request);
  if (waits) world.submit(next.request);
  for (int i = 0; i < rounds && connect.request.pending(); ++i) world->run_once(0ns);
  world->cancel(connect.request);
  world.run_until("the connect completed", [&] { return connect.done(); });
  const bool made = !connect.error();
  if (!made) CHECK(connect.error() == std::errc::operation_canceled);
  if (!waits) {
    CHECK(socket.peer_address().is_set() == made);
    world.submit(next.request);
  }
  world.run_until("the next one completed", [&] { return next.done(); });
  if (made) {
    CHECK(next.error() == std::errc::already_connected);
  } else {
    CHECK(!next.error());
  }
  Socket& reached = made ? listener : other;
  CHECK(socket.peer_address() == reached.local_address());
  world.submit(behind.on(socket.descriptor()));
  accept_from(world, reached, socket.local_address())->close();
  wait_told(world, behind);
  CHECK(!behind.results()[0].error);
}

TEST_CASE("a Connect that ends with the loop leaves no connection to come", "[R4]") {
  Connecting connect;
  World world;
  const Address full = world.full_listener();
  if (!full.is_set()) return skip("a listener without room resets connections here", true);
  if (over_kqueue()) return;  // these systems go on
  const Address other = world.listen().local_address();
  Socket& socket = open(world);
  const bool cancelled = GENERATE(false, true);
  connect.request.prepare(socket.descriptor(), full);
  world.submit(connect.request);
  turns(world, 5);
  REQUIRE(connect.request.pending());
  if (cancelled) world->cancel(connect.request);
  CHECK(world->shutdown(hang) == 0);
  REQUIRE(connect.done());
  CHECK(connect.error() == std::errc::operation_canceled);
  CHECK(world.system().connect(socket.descriptor(), other) != -EALREADY);
}

TEST_CASE("a Connect behind one that was refused can be cancelled, or be late", "[R2][R4]") {
  Connecting refused;
  Connecting connect;
  World world;
  const Link link = GENERATE(Link::tcp4, Link::path);
  const bool late = GENERATE(false, true);
  CAPTURE(static_cast<int>(link), late);
  Socket& listener = world.listen(link, 1);
  const Address full = listener.local_address();
  for (int i = 0; i < 4; ++i) world.peer().connect(full);
  turns(world, 20);
  if (over_kqueue()) return skip("this socket cannot connect again", true);
  const Address nobody = closed_port(world, link);
  Socket& socket = open(world, nobody.family());
  refused.request.prepare(socket.descriptor(), nobody);
  world.submit(refused.request);
  world.run_until("it was refused", [&] { return refused.done(); });
  CHECK(refused.error());
  connect.request.prepare(socket.descriptor(), full);
  world.submit(connect.request, late ? world.in(5ms) : proa::never);
  world->poll();
  if (!late) world->cancel(connect.request);
  world.run_until("it ended", [&] { return connect.done(); });
  CHECK(connect.error() == (late ? std::errc::timed_out : std::errc::operation_canceled));
}

TEST_CASE("a Connect whose deadline passed while it waited has no success of another one's",
          "[R4][R7]") {
  Connecting first;
  Connecting second;
  Connecting late;
  World world;
  const Link link = GENERATE(Link::tcp4, Link::path);
  const bool refused = GENERATE(false, true);
  CAPTURE(static_cast<int>(link), refused);
  if (refused && over_kqueue()) return skip("this socket cannot connect again", true);
  const Address live = world.listen(link).local_address();
  Socket& socket = open(world, live.family());
  first.request.prepare(socket.descriptor(), refused ? closed_port(world, link) : live);
  second.request.prepare(socket.descriptor(), live);
  late.request.prepare(socket.descriptor(), world.listen(link).local_address());
  world.submit(first.request);
  world.submit(second.request);
  world.submit(late.request, world.system().now());
  world.run_until("all ended", [&] { return first.done() && second.done() && late.done(); });
  CHECK(late.error());
  CHECK(socket.peer_address() == live);
}

TEST_CASE("a receive between a Connect that failed and one that succeeds has no end to tell",
          "[R5][R12]") {
  Connecting refused;
  Connecting connect;
  Request between(GENERATE(Way::recv, Way::recv_buffers));
  World world;
  if (over_kqueue()) return skip("this socket cannot connect again", true);
  const Link link = GENERATE(Link::tcp4, Link::path);
  CAPTURE(static_cast<int>(between.way), static_cast<int>(link));
  const Address nobody = closed_port(world, link);
  Socket& socket = open(world, nobody.family());
  refused.request.prepare(socket.descriptor(), nobody);
  world.submit(refused.request);
  world.run_until("it was refused", [&] { return refused.done(); });
  connect.request.prepare(socket.descriptor(), world.listen(link).local_address());
  world.submit(between.on(socket.descriptor()));
  world.submit(connect.request);
  world.run_until("it connected", [&] { return connect.done(); });
  CHECK(!connect.error());
  turns(world, 5);
  // It was told that there is no connection, or waits for what comes.
  if (between.results().empty()) return;
  CHECK(between.results()[0].error == std::errc::not_connected);
}

TEST_CASE("a receive on a socket that was never connected says so", "[R12]") {
  Request request(GENERATE(Way::recv, Way::recv_buffers));
  World world;
  Socket& socket = open(world);
  world.submit(request.on(socket.descriptor()));
  wait_told(world, request);
  CHECK(request.results()[0].error == std::errc::not_connected);
}

TEST_CASE("a Connect that succeeds behind one that failed: the peer's end is an end", "[R5][R12]") {
  Connecting connect;
  Read nothing;
  Read empty(0);
  World world;
  const Link link = GENERATE(Link::tcp4, Link::path);
  const Address nobody = closed_port(world, link);
  Socket& socket = open(world, nobody.family());
  connect.request.prepare(socket.descriptor(), nobody);
  world.submit(connect.request);
  world.submit(nothing.from(socket.descriptor()));
  world.submit(empty.from(socket.descriptor()));
  world.run_until("all were told",
                  [&] { return connect.done() && nothing.done() && empty.done(); });
  CHECK(nothing.error() == std::errc::not_connected);
  CHECK(!empty.error());  // it asked for nothing

  Socket& listener = world.listen(link);
  connect.request.prepare(socket.descriptor(), listener.local_address());
  world.submit(connect.request);
  world.run_until("the connect completed", [&] { return connect.results.size() == 2; });
  // Where the library asks for the pending error, Linux may not connect the socket again.
  if (connect.error() && over_kqueue()) return skip("this socket cannot connect again", true);
  REQUIRE(!connect.error());
  proa::Descriptor accepted;
  world.run_until("it was accepted", [&] {
    return world.system().accept(listener.descriptor(), accepted, nullptr) == 0;
  });
  Peer& far = world.peer(Socket(world.system(), accepted));
  // Both sides say their end: the system does not call that a connection any more.
  CHECK(!socket.shutdown(proa::ShutdownSide::send));
  far.close();
  check_end(world, socket.descriptor());
  check_end(world, socket.descriptor());
}

TEST_CASE("a Connect on a connected socket fails and leaves the connection as it is", "[R12]") {
  Connecting connect;
  World world;
  const Connection line = world.pair();
  const bool over = GENERATE(false, true);
  const bool cancelled = !over && GENERATE(false, true);
  if (over) {  // the connection has ended on both sides before
    CHECK(!line.near.shutdown(proa::ShutdownSide::send));
    line.far.close();
  }
  connect.request.prepare(line.descriptor(), closed_port(world));
  world.submit(connect.request);
  if (cancelled) world->cancel(connect.request);
  world.run_until("it has failed", [&] { return connect.done(); });
  CHECK(connect.error());
  if (!over) {
    CHECK(!line.near.shutdown(proa::ShutdownSide::send));
    line.far.close();
  }
  check_end(world, line.descriptor());
}

TEST_CASE("the next socket of the number has nothing of a Connect that failed", "[R12]") {
  Connecting connect;
  Read read;
  World world;
  const Address nobody = closed_port(world);
  Socket& socket = open(world);
  const int number = socket.descriptor().number;
  connect.request.prepare(socket.descriptor(), nobody);
  world.submit(connect.request);
  world.run_until("the connect completed", [&] { return connect.done(); });
  REQUIRE(connect.error());
  const bool released = GENERATE(false, true);
  if (released) {
    ::close(socket.release().number);
  } else {
    socket.close();
  }

  const Connection line = world.pair();
  if (line.descriptor().number != number) {
    const int other = line.near.release().number;
    REQUIRE(::dup2(other, number) == number);
    ::close(other);
    std::error_code error;
    line.near = Socket::adopt(*world, number, error);
    REQUIRE(!error);
  }
  CHECK(!line.near.shutdown(proa::ShutdownSide::send));
  line.far.close();
  world.submit(read.from(line.descriptor()));
  world.run_until("the end came", [&] { return read.done(); });
  CHECK(!read.error());
  CHECK(read.bytes() == 0);
}

}  // namespace
