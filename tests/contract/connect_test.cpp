// Connecting, and what goes wrong with it.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <list>

#include "support/patterns.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::Socket;
using proa::Transport;

Socket& open(World& world, const Address& of) {
  std::error_code error;
  Socket& socket = world.own(Socket::open(*world, of.family(), Transport::stream, error));
  REQUIRE(!error);
  return socket;
}

std::error_code outcome(World& world, Connecting& connect, const Address& to) {
  Socket& socket = open(world, to);
  connect.request.prepare(socket.descriptor(), to);
  world.submit(connect.request);
  world.run_until("the connect completed", [&] { return connect.done(); });
  CHECK(connect.results.size() == 1);
  return connect.error();
}

// Fills the queue of a UNIX listener, and submits one connect more, which waits on Linux.
Socket& connect_to_full(World& world, Connecting& connect, const Socket& listener) {
  const Address address = listener.local_address();
  for (int i = 0; i < 2; ++i) world.peer().connect(address);
  Socket& socket = open(world, address);
  connect.request.prepare(socket.descriptor(), address);
  world.submit(connect.request);
  return socket;
}

TEST_CASE("a connect that succeeds", "[R2]") {
  Connecting connect;
  Read read;
  Accepting accept;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::tcp6, Link::path, Link::abstract);
  Socket& listener = world.listen(kind);
  accept.request.prepare(listener.descriptor());
  world.submit(accept.request);
  Socket& socket = open(world, listener.local_address());
  connect.request.prepare(socket.descriptor(), listener.local_address());
  world.submit(connect.request);
  CHECK(connect.results.empty());
  world.run_until("both completed", [&] { return connect.done() && accept.done(); });
  CHECK(!connect.error());
  REQUIRE(!accept.error());
  Peer& far = world.peer(std::move(accept.request.socket()));
  far.send("hello");
  world.submit(read.from(socket.descriptor()));
  world.run_until("bytes came through", [&] { return read.done(); });
  CHECK(read.text() == "hello");
  CHECK(socket.peer_address() == listener.local_address());
}

TEST_CASE("T01: a connect to a closed port is refused once, the socket stays usable", "[R2][T01]") {
  Connecting connect;
  World world;
  Socket& listener = world.listen();
  const Address address = listener.local_address();
  listener.close();
  Socket& socket = open(world, address);
  for (std::size_t times = 1; times <= 2; ++times) {
    connect.request.prepare(socket.descriptor(), address);
    world.submit(connect.request);
    world.run_until("the connect completed", [&] { return connect.results.size() == times; });
    CHECK(connect.error() == std::errc::connection_refused);
  }
  CHECK(socket.valid());
}

TEST_CASE("T02: a connect that nobody answers can be cancelled", "[R4][T02]") {
  Connecting connect;
  World world;
  const Address address = world.full_listener();
  if (!address.is_set()) return skip("a listener without room resets connections here", true);
  Socket& socket = open(world, address);
  connect.request.prepare(socket.descriptor(), address);
  world.submit(connect.request);
  for (int i = 0; i < 5; ++i) world.turn();
  REQUIRE(connect.request.pending());
  world->cancel(connect.request);
  world.run_until("the connect completed", [&] { return connect.done(); });
  CHECK(connect.error() == std::errc::operation_canceled);
  CHECK(connect.results.size() == 1);
}

TEST_CASE("T03: or be given a deadline", "[R4][R7][T03]") {
  Connecting connect;
  World world;
  const Address address = world.full_listener();
  if (!address.is_set()) return skip("a listener without room resets connections here", true);
  Socket& socket = open(world, address);
  connect.request.prepare(socket.descriptor(), address);
  world.submit(connect.request, world.in(30ms));
  world.run_until("the connect completed", [&] { return connect.done(); });
  CHECK(connect.error() == proa::Error::deadline);
  CHECK(connect.results.size() == 1);
}

// The listener goes while the SYN waits for an answer: the next one is refused, a second later.
TEST_CASE("the error of a connection is told to its connect, and to no receive", "[R5][R12]") {
  Connecting connect;
  Read read;
  Read second;
  World world;
  Socket* listener = nullptr;
  const Address address = world.full_listener(&listener);
  if (!address.is_set()) return skip("a listener without room resets connections here", true);
  Socket& socket = open(world, address);
  connect.request.prepare(socket.descriptor(), address);
  world.submit(connect.request);
  world.submit(read.from(socket.descriptor()));
  world.submit(second.from(socket.descriptor()));
  for (int i = 0; i < 5; ++i) world.turn();
  CHECK(!read.done());
  REQUIRE(connect.request.pending());
  const bool cancelled = GENERATE(false, true);
  if (cancelled) {
    world->cancel(read.request);
    world.run_until("it was cancelled", [&] { return read.done(); });
    CHECK(read.error() == std::errc::operation_canceled);
    CHECK(!second.done());
  }
  listener->close();
  world.run_until("all completed", [&] { return connect.done() && read.done() && second.done(); });
  CHECK(connect.error() == std::errc::connection_refused);
  CHECK(read.error() != std::errc::connection_refused);
  CHECK(second.error() != std::errc::connection_refused);
}

TEST_CASE("the deadline of a receive behind a connect that does not end is told", "[R7]") {
  Connecting connect;
  Read read;
  World world;
  Socket& listener = world.listen(Link::abstract, 1);
  Socket& socket = connect_to_full(world, connect, listener);
  world.submit(read.from(socket.descriptor()), world.in(20ms));
  world.run_until("it was told", [&] { return read.done(); });
  if (!on_linux) return;  // the connect has failed
  CHECK(read.error() == proa::Error::deadline);
  CHECK(connect.request.pending());
  world->cancel(connect.request);
  world.run_until("the connect has ended", [&] { return connect.done(); });
}

TEST_CASE("a receive that is submitted while the connect is under way gets its bytes", "[R5]") {
  Connecting connect;
  Accepting accept;
  Read read;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  Socket& listener = world.listen(kind);
  accept.request.prepare(listener.descriptor());
  world.submit(accept.request);
  Socket& socket = open(world, listener.local_address());
  connect.request.prepare(socket.descriptor(), listener.local_address());
  world.submit(connect.request);
  world.submit(read.from(socket.descriptor()));
  world.run_until("it was accepted", [&] { return accept.done(); });
  Peer& far = world.peer(std::move(accept.request.socket()));
  far.send("hello");
  world.run_until("bytes came through", [&] { return read.done(); });
  CHECK(!connect.error());
  CHECK(read.text() == "hello");
}

TEST_CASE("T05: the unspecified address is this machine", "[R12][T05]") {
  Connecting connect;
  World world;
  const bool six = GENERATE(false, true);
  Socket& listener = world.listen(six ? Link::tcp6 : Link::tcp4);
  const Address any = Address::parse(six ? "[::]:0" : "0.0.0.0:0");
  CHECK(!outcome(world, connect, any.with_port(listener.local_address().port())));
}

TEST_CASE("a buffer of a socket is as large as the system lets it be", "[R12]") {
  World world;
  const bool stream = GENERATE(false, true);
  const proa::SocketOption which =
      GENERATE(proa::SocketOption::send_buffer, proa::SocketOption::receive_buffer);
  std::error_code error;
  Socket& socket = world.own(Socket::open(*world, Address::Family::ipv4,
                                          stream ? Transport::stream : Transport::datagram, error));
  REQUIRE(!error);
  int before = 0;
  int after = 0;
  REQUIRE(!socket.get_option(which, before));
  // Twice the kern.ipc.maxsockbuf of FreeBSD is more than any system gives, unless it is told to.
  for (const int size : {8 << 20, 16 << 20, 1 << 30}) CHECK(!socket.set_option(which, size));
  REQUIRE(!socket.get_option(which, after));
  CHECK(after >= before);
}

TEST_CASE("T06: addresses that cannot be bound, told by bind", "[R12][T06]") {
  World world;
  Socket& listener = world.listen();
  const Address used = listener.local_address();
  Socket& socket = open(world, used);
  CHECK(socket.bind(used) == std::errc::address_in_use);
  // 192.0.2.0/24 is for documentation: no machine has it. Nothing is sent.
  CHECK(socket.bind(Address::parse("192.0.2.1:0")) == std::errc::address_not_available);
  CHECK(socket.bind(Address()) == std::errc::invalid_argument);
  CHECK(!socket.bind(Address::loopback(0)));
}

TEST_CASE("verbs of a socket that is not open say so", "[R12]") {
  World world;
  Socket none;
  int value = 0;
  CHECK(none.bind(Address::loopback(0)) == std::errc::bad_file_descriptor);
  CHECK(none.listen() == std::errc::bad_file_descriptor);
  CHECK(none.shutdown(proa::ShutdownSide::both) == std::errc::bad_file_descriptor);
  CHECK(none.set_option(proa::SocketOption::no_delay, 1) == std::errc::bad_file_descriptor);
  CHECK(none.get_option(proa::SocketOption::no_delay, value) == std::errc::bad_file_descriptor);
  CHECK(!none.local_address().is_set());
  CHECK(!none.peer_address().is_set());
  none.close();
}

TEST_CASE("P01: UNIX names that lead nowhere", "[R12][P01]") {
  Connecting connect;
  World world;
  const std::string folder = std::getenv("TMPDIR") ? std::getenv("TMPDIR") : "/tmp";
  const std::string path = folder + "/proa-test-" + std::to_string(::getpid()) + "-none";

  SECTION("no such path") {
    CHECK(outcome(world, connect, Address::unix_path(path)) ==
          std::errc::no_such_file_or_directory);
  }
  SECTION("a regular file") {
    std::ofstream(path) << "not a socket";
    CHECK(outcome(world, connect, Address::unix_path(path)) ==
          (on_linux ? std::errc::connection_refused : std::errc::not_a_socket));
    ::unlink(path.c_str());
  }
  SECTION("no such abstract name") {
    const std::error_code error = outcome(world, connect, Address::abstract("proa-test-nobody"));
    CHECK(error);  // of no meaning where there are no such names
    if (on_linux) CHECK(error == std::errc::connection_refused);
  }
  SECTION("too long, or with a NUL: never cut") {
    std::error_code error;
    CHECK(!Address::unix_path(std::string(108, 'x'), error).is_set());
    CHECK(error == std::errc::filename_too_long);
    CHECK(!Address::unix_path(std::string("a\0b", 3), error).is_set());
    CHECK(error == std::errc::invalid_argument);
  }
  SECTION("in use") {
    Socket& listener = world.listen(Link::path);
    Socket& second = open(world, listener.local_address());
    CHECK(second.bind(listener.local_address()) == std::errc::address_in_use);
  }
}

TEST_CASE("a connect to an address of no family, or of another one, fails", "[R2]") {
  Connecting connect;
  World world;
  Socket& socket = open(world, Address::loopback(0));
  const Address to = GENERATE(Address(), Address::abstract("proa-test-nobody"));
  connect.request.prepare(socket.descriptor(), to);
  const std::error_code refused = world->submit(connect.request);
  if (!refused) {
    world.run_until("the connect completed", [&] { return connect.done(); });
    CHECK(connect.error());
  }
}

TEST_CASE("P02: many connects ended at once: each completes, no connection is lost", "[R4][P02]") {
  constexpr std::size_t number = 60;
  std::list<Connecting> connects;
  Accepting accept;
  std::size_t accepted = 0;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::abstract);
  Socket& listener = world.listen(kind, 128);
  accept.then = [&] {
    if (!accept.error()) ++accepted;
    accept.request.socket().close();
  };
  std::list<Socket*> sockets;
  for (std::size_t i = 0; i < number; ++i) {
    Connecting& connect = connects.emplace_back();
    sockets.push_back(&open(world, listener.local_address()));
    connect.request.prepare(sockets.back()->descriptor(), listener.local_address());
    world.submit(connect.request);
  }
  std::size_t i = 0;
  for (Connecting& connect : connects) {
    if (i++ % 2 == 0) world->cancel(connect.request);
    if (i == number / 2) world->run_once(0ns);
  }
  world.run_until("all completed", [&] {
    return std::all_of(connects.begin(), connects.end(), [](auto& c) { return c.done(); });
  });
  std::size_t connected = 0;
  for (const Connecting& connect : connects) {
    REQUIRE(connect.results.size() == 1);
    if (connect.error()) {
      REQUIRE(connect.error() == std::errc::operation_canceled);
    } else {
      ++connected;
    }
  }
  CHECK(connected >= number / 2);
  for (Socket* const socket : sockets) socket->close();
  // Those that were made can be accepted; not more than were tried.
  for (bool empty = false; !empty;) {
    const std::size_t before = accept.results.size();
    accept.request.prepare(listener.descriptor());
    world.submit(accept.request, world.in(50ms));
    world.run_until("the accept completed", [&] { return accept.results.size() > before; });
    empty = bool(accept.error());
  }
  CHECK(accepted >= connected);
  CHECK(accepted <= number);
}

TEST_CASE("a full UNIX backlog makes a connect wait, not fail", "[R11][R12]") {
  Connecting connect;
  Accepting accept;
  World world;
  Socket& listener = world.listen(Link::abstract, 1);
  connect_to_full(world, connect, listener);
  for (int i = 0; i < 10; ++i) world.turn();
  if (!on_linux) {
    CHECK(connect.error() == std::errc::connection_refused);
    return;
  }
  CHECK(connect.request.pending());
  for (std::size_t i = 1; i <= 3; ++i) {
    accept.request.prepare(listener.descriptor());
    world.submit(accept.request);
    world.run_until("one was accepted", [&] { return accept.results.size() == i; });
    accept.request.socket().close();
  }
  world.run_until("the connect completed", [&] { return connect.done(); });
  CHECK(!connect.error());
}

}  // namespace
