// AcceptHandler: every connection once, errors that name the address, pauses that end.
#include <unistd.h>

#include <atomic>
#include <functional>
#include <proa/accept_handler.hpp>
#include <string>
#include <thread>
#include <vector>

#include "accept_rig.hpp"
#include "support/death.hpp"
#include "support/faults.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::ListenOptions;
using proa::Socket;

TEST_CASE("a listener tells its real address, and accepts", "[R2]") {
  World world;
  const std::string name = "proa-test-door-" + std::to_string(::getpid());
  const std::string path = "/tmp/" + name;
  const std::string text = GENERATE_COPY(std::string("127.0.0.1:0"), std::string("[::1]:0"),
                                         "unix:" + path, "unix:@" + name);
  CAPTURE(text);
  Door door(*world);
  CHECK(!door.address().is_set());
  std::string detail = "old";
  REQUIRE(!door.listen(Address::parse(text), {}, &detail));
  CHECK(detail.empty());
  CHECK(door.is_open());
  const Address address = door.address();
  CHECK(address.family() == Address::parse(text).family());
  if (address.family() != Address::Family::local) CHECK(address.port() != 0);
  CHECK(door.guests.empty());

  Peer& peer = world.peer();
  peer.connect(address);
  world.run_until("the connection was accepted", [&] { return door.guests.size() == 1; });
  CHECK(door.guests[0].peer.family() == address.family());
  if (address.family() != Address::Family::local) {
    CHECK(door.guests[0].peer == peer.socket().local_address());
  }
  peer.send("hello");
  char bytes[16];
  long received = -1;
  world.run_until("the bytes have come", [&] {
    received = world.system().recv(door.guests[0].socket.descriptor(), {bytes, sizeof bytes});
    return received >= 0;
  });
  CHECK(received == 5);
  door.end(world);
  CHECK(!door.address().is_set());
  ::unlink(path.c_str());
}

TEST_CASE("accepted TCP connections do not delay small writes, unless told to", "[R12]") {
  World world;
  ListenOptions options;
  options.no_delay = GENERATE(true, false);
  Door door(*world);
  REQUIRE(!door.listen(Address::loopback(0), options));
  world.peer().connect(door.address());
  world.run_until("the connection was accepted", [&] { return door.guests.size() == 1; });
  int no_delay = -1;
  REQUIRE(!door.guests[0].socket.get_option(proa::SocketOption::no_delay, no_delay));
  CHECK((no_delay != 0) == options.no_delay);
  door.end(world);
}

TEST_CASE("a connection that is not kept is closed", "[R4]") {
  World world;
  Door door(*world);
  door.then = [&] { door.guests.clear(); };
  REQUIRE(!door.listen(Address::loopback(0)));
  Peer& peer = world.peer();
  peer.connect(door.address());
  world.run_until("the peer sees the end", [&] { return peer.ended() || peer.error() != 0; });
  door.end(world);
}

TEST_CASE("T06: an address that cannot be had is an error that names it", "[T06]") {
  World world;
  Door door(*world), other(*world);
  std::string detail;
  REQUIRE(!door.listen(Address::loopback(0)));
  const Address taken = door.address();

  CHECK(other.listen(taken, {}, &detail) == std::errc::address_in_use);
  CHECK(detail.find("cannot listen on " + taken.to_string() + ": ") == 0);
  CHECK(detail.find("in use") != std::string::npos);
  // 192.0.2.0/24 belongs to nobody (RFC 5737).
  const Address foreign = Address::parse("192.0.2.1:0");
  CHECK(other.listen(foreign, {}, &detail) == std::errc::address_not_available);
  CHECK(detail.find("192.0.2.1:0") != std::string::npos);
  CHECK(other.listen(Address(), {}, &detail) == proa::Error::bad_address);
  CHECK(detail.find("unset") != std::string::npos);
  CHECK(other.listen(Address::unix_path("/proa-no-such-folder/x"), {}, &detail) ==
        std::errc::no_such_file_or_directory);
  CHECK(!other.is_open());
  CHECK(door.listen(Address::loopback(0), {}, &detail) == std::errc::device_or_resource_busy);
  CHECK(door.address() == taken);

  REQUIRE(!other.listen(Address::loopback(0), {}, &detail));
  CHECK(detail.empty());
  other.close();
  CHECK(other.listen(Address::loopback(0), {}, &detail) == proa::Error::closing);
  CHECK(!detail.empty());
  other.end(world);
  door.end(world);
  // Closed, both can listen again, and the port is free.
  REQUIRE(!other.listen(taken));
  other.end(world);
}

TEST_CASE("a UNIX path that exists is in use, also if nobody listens there", "[T06]") {
  World world;
  const std::string path = "/tmp/proa-test-stale-" + std::to_string(::getpid());
  const Address address = Address::unix_path(path);
  Door door(*world);
  REQUIRE(!door.listen(address));
  door.end(world);
  CHECK(::access(path.c_str(), F_OK) == 0);
  CHECK(door.listen(address) == std::errc::address_in_use);
  ::unlink(path.c_str());
  REQUIRE(!door.listen(address));
  door.end(world);
  ::unlink(path.c_str());
}

TEST_CASE("an IPv6 listener takes IPv4 connections too, unless told not to", "[R12]") {
  World world;
  ListenOptions options;
  options.v6_only = GENERATE(false, true);
  Door door(*world);
  REQUIRE(!door.listen(Address::parse("[::]:0"), options));
  Peer& peer = world.peer();
  peer.connect(Address::loopback(door.address().port()));
  world.run_until("it is decided", [&] { return !door.guests.empty() || peer.error() != 0; });
  CHECK(door.guests.empty() == options.v6_only);
  door.end(world);
}

TEST_CASE("T22: a listener that is closed while it accepts ends silently, once", "[R6][T22]") {
  World world;
  Door door(*world);
  REQUIRE(!door.listen(Address::loopback(0)));
  if (GENERATE(true, false)) world.turn();
  door.close();
  CHECK(door.closed == 0);
  door.end(world);
  world.turn();
  CHECK(door.closed == 1);
  CHECK(door.errors.empty());
  CHECK(door.guests.empty());
}

TEST_CASE("T24: bursts of clients and 1,000 reconnects are each accepted once", "[R2][T24]") {
  World world;
  Door door(*world);
  std::size_t accepted = 0;
  door.then = [&] {
    ++accepted;
    door.guests.clear();
  };
  REQUIRE(!door.listen(Address::loopback(0)));
  std::size_t connected = 0;
  for (int burst = 0; burst < 4; ++burst) {
    for (int i = 0; i < 50; ++i, ++connected) world.peer().connect(door.address());
    world.run_until("the burst was accepted", [&] { return accepted == connected; });
  }
  for (int i = 0; i < 1000; ++i, ++connected) {
    Peer peer(world.system());
    peer.connect(door.address());
    world.run_until("it was accepted", [&] { return accepted > connected; });
  }
  world.turn();
  CHECK(accepted == 1200);
  CHECK(door.errors.empty());
  door.end(world);
}

TEST_CASE("T26: closed in its own callback, a listener accepts no more", "[R6][T26]") {
  World world;
  Door door(*world);
  REQUIRE(!door.listen(Address::loopback(0)));
  for (int i = 0; i < 5; ++i) world.peer().connect(door.address());
  int accepted = 0;
  const bool paused =
      GENERATE(false, true);  // what comes after a pause is told, but not after this
  door.then = [&] {
    ++accepted;
    door.guests.clear();
    if (paused) door.pause();
    door.close();
  };
  world.run_until("it was closed", [&] { return door.closed > 0; });
  for (int i = 0; i < 3; ++i) world.turn();
  CHECK(accepted == 1);
  CHECK(door.closed == 1);
}

TEST_CASE("T27: listeners of two threads share a port's connections", "[R9][T27]") {
  World world;
  ListenOptions options;
  options.reuse_port = true;
  Door first(*world);
  REQUIRE(!first.listen(Address::loopback(0), options));
  const Address address = first.address();

  std::atomic<std::size_t> elsewhere{0};
  const auto other = make_proactor();
  Door second(*other);
  second.then = [&] {
    ++elsewhere;
    second.guests.clear();
  };
  REQUIRE(!second.listen(address, options));
  std::thread thread([&] {
    other->run();
    other->shutdown(hang);
  });
  std::size_t here = 0;
  first.then = [&] {
    ++here;
    first.guests.clear();
  };
  for (int i = 0; i < 200; ++i) world.peer().connect(address);
  world.run_until("all were accepted", [&] { return here + elsewhere == 200; });
  CHECK(here > 0);
  CHECK(elsewhere > 0);
  other->stop();
  thread.join();
  CHECK(here + elsewhere == 200);
  first.end(world);
}

TEST_CASE("while paused, connections wait; none is lost", "[R4]") {
  World world;
  Door door(*world);
  REQUIRE(!door.listen(Address::loopback(0)));
  SECTION("a pause of some rounds") {
    door.pause();
    CHECK(door.paused());
    for (int i = 0; i < 3; ++i) world.turn();
    for (int i = 0; i < 5; ++i) world.peer().connect(door.address());
    for (int i = 0; i < 5; ++i) world.turn();
    CHECK(door.guests.empty());
    door.resume();
  }
  SECTION("one that ends before its cancel has come home") {
    for (int i = 0; i < 5; ++i) {
      door.pause();
      door.resume();
      world.peer().connect(door.address());
      if (i == 2) world.turn();
    }
  }
  SECTION("one in a callback") {
    door.then = [&] {
      door.pause();
      door.pause();
      CHECK(world->post([&] { door.resume(); }));
    };
    for (int i = 0; i < 5; ++i) world.peer().connect(door.address());
  }
  world.run_until("all were accepted", [&] { return door.guests.size() == 5; });
  CHECK(!door.closing());
  door.end(world);
}

TEST_CASE("T21: without descriptors accepting pauses, says so once, and recovers", "[R11][T21]") {
  World world;
  std::vector<Peer*> peers;
  for (int i = 0; i < 3; ++i) peers.push_back(&world.peer());
  LimitedDescriptors limited(30);
  Door door(*world);
  REQUIRE(!door.listen(Address::loopback(0)));
  for (Peer* peer : peers) peer->connect(door.address());
  limited.use_up();

  // No checks before descriptors are free again: UBSan needs some to look at an expression.
  world.run_until("it paused", [&] { return !door.pauses.empty(); });
  const proa::Counters before = world->counters();
  const auto until = world.in(400ms);
  while (world.system().now() < until) world->run_once(until - world.system().now());
  const proa::Counters after = world->counters();
  const std::size_t too_early = door.guests.size();
  limited.free_one();
  const auto freed = world.system().now();
  const auto next_try = world->next_deadline();
  world.run_until("one was accepted", [&] { return !door.guests.empty(); });
  limited.free_all();
  world.run_until("all were accepted", [&] { return door.guests.size() == 3; });

  CHECK(door.pauses[0] == std::errc::too_many_files_open);
  // 10 + 20 + 40 + 80 ms ...: no spin.
  CHECK(after.rounds - before.rounds < 40);
  CHECK(after.submitted - before.submitted < 40);
  CHECK(too_early == 0);
  CHECK(next_try <= freed + 100ms);
  CHECK(door.pauses.size() <= 3);
  CHECK(world->counters().accept_pauses == door.pauses.size());
  CHECK(door.errors.empty());
  door.end(world);
}

// accept(2), "Error handling".
const std::vector<int> passed_over = {
    ECONNABORTED, EPROTO,       ENOPROTOOPT, ENETDOWN,  ENETUNREACH,
    EHOSTDOWN,    EHOSTUNREACH, EOPNOTSUPP,  ETIMEDOUT,
#ifdef ENONET
    ENONET,
#endif
};

TEST_CASE("errors of accept that pass do not end the listener", "[R11][T21]") {
  World world;
  Door door(*world);
  Faults faults;
  SECTION("those of the system pause it, and are told once") {
    const int error = GENERATE(EMFILE, ENFILE, ENOBUFS, ENOMEM);
    faults.fail(Call::accept, -error, 1, 3);
    REQUIRE(!door.listen(Address::loopback(0)));
    world.peer().connect(door.address());
    world.run_until("it was accepted", [&] { return door.guests.size() == 1; });
    REQUIRE(door.pauses.size() == 1);
    CHECK(door.pauses[0] == std::error_code(error, std::system_category()));
    CHECK(world->counters().accept_pauses == 1);
  }
  SECTION("those of one connection are passed over") {
    const int error = GENERATE(from_range(passed_over));
    faults.fail(Call::accept, -error, 1, 3);
    REQUIRE(!door.listen(Address::loopback(0)));
    world.peer().connect(door.address());
    world.run_until("it was accepted", [&] { return door.guests.size() == 1; });
    CHECK(door.pauses.empty());
  }
  CHECK(faults.injected() == 3);
  CHECK(door.errors.empty());
  faults.clear();
  door.end(world);
}

TEST_CASE("an error of accept that does not pass is told", "[R2]") {
  World world;
  Door door(*world);
  Faults faults;
  faults.fail(Call::accept, -EINVAL, 1, 1);
  REQUIRE(!door.listen(Address::loopback(0)));
  world.peer().connect(door.address());
  world.run_until("it was closed", [&] { return door.closed > 0; });
  REQUIRE(door.errors.size() == 1);
  CHECK(door.errors[0] == std::errc::invalid_argument);
  CHECK(world->counters().errors_unanswered == 0);
}

TEST_CASE("an error that nobody answers leaves the handler open, and is counted", "[R2]") {
  struct Idler : proa::AcceptHandler {
    using AcceptHandler::AcceptHandler;
    ~Idler() override = default;
    int errors = 0;

   private:
    void on_accept(Socket, const Address&) override {}
    void on_error(std::error_code) override { ++errors; }
  };
  World world;
  Idler idler(*world);
  Faults faults;
  faults.fail(Call::accept, -EINVAL, 1, 1);
  REQUIRE(!idler.listen(Address::loopback(0)));
  world.peer().connect(idler.address());
  world.run_until("it was told", [&] { return idler.errors == 1; });
  for (int i = 0; i < 5; ++i) world.turn();
  CHECK(idler.errors == 1);
  CHECK(idler.is_open());
  CHECK(world->counters().errors_unanswered == 1);
  idler.close();
  world.run_until("it is idle", [&] { return !idler.is_open(); });
}

TEST_CASE("a listener that is closed while it backs off ends at once", "[R6]") {
  World world;
  Door door(*world);
  Faults faults;
  faults.fail(Call::accept, -EMFILE, 1, 100);
  REQUIRE(!door.listen(Address::loopback(0)));
  world.peer().connect(door.address());
  world.run_until("it paused", [&] { return !door.pauses.empty(); });
  door.pause();
  door.resume();
  door.end(world);
  faults.clear();
  CHECK(door.errors.empty());
  CHECK(world->run() == 0);  // no timer is left
}

TEST_CASE("a peer that resets before it is accepted does no harm", "[R11]") {
  World world;
  Door door(*world);
  REQUIRE(!door.listen(Address::loopback(0)));
  for (int i = 0; i < 10; ++i) {
    Peer& peer = world.peer();
    peer.connect(door.address());
    peer.turn();
    peer.reset();
  }
  Peer& last = world.peer();
  last.connect(door.address());
  world.run_until("the last one was accepted", [&] {
    return !door.guests.empty() && last.connected() &&
           door.guests.back().peer == last.socket().local_address();
  });
  CHECK(door.errors.empty());
  door.end(world);
}

TEST_CASE("destroying a listener that accepts aborts and names it", "[R6]") {
  const std::string message = message_of([] {
    const auto proactor = make_proactor();
    struct Bare : proa::AcceptHandler {
      using AcceptHandler::AcceptHandler;
      void on_accept(Socket, const Address&) override {}
    };
    Bare bare(*proactor);
    if (bare.listen(Address::loopback(0))) return;
  });
  CHECK(message.find("AcceptHandler") != std::string::npos);
}

}  // namespace
