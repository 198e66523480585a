// The ends of accepting: finish(), which takes what waits, and the want of descriptors, which is
// told when somebody waits for one.
#include <cerrno>
#include <stdexcept>
#include <string>
#include <vector>

#include "accept_rig.hpp"
#include "support/faults.hpp"
#include "support/recording.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::Socket;

void wait_closed(World& world, const Door& door) {
  world.run_until("the listener was closed", [&] { return door.closed > 0; });
}

TEST_CASE("a listener that finishes takes what waits in its backlog, then closes", "[R2]") {
  World world;
  Door door(*world);
  REQUIRE(!door.listen(Address::loopback(0)));
  std::size_t before = 0;
  SECTION("at once") {}
  SECTION("while it accepts") {
    world.turn();
    fill_backlog(world, door.address(), before = 3);
    world.run_until("some were accepted", [&] { return door.guests.size() == before; });
  }
  SECTION("while it is paused") {
    door.pause();
    if (GENERATE(true, false))
      for (int i = 0; i < 3; ++i) world.turn();
  }
  constexpr std::size_t waiting = 100;  // kern.ipc.somaxconn of FreeBSD is 128
  fill_backlog(world, door.address(), waiting);
  door.finish();
  door.finish();
  CHECK(door.guests.size() == before);
  CHECK(door.closed == 0);
  door.pause();
  CHECK(!door.paused());
  wait_closed(world, door);
  CHECK(door.guests.size() == before + waiting);
  CHECK(door.errors.empty());
  CHECK(world->run() == 0);
}

TEST_CASE("a listener that finishes with nobody there closes at once; so does one that is new",
          "[R6]") {
  World world;
  Door door(*world);
  if (GENERATE(true, false)) REQUIRE(!door.listen(Address::loopback(0)));
  if (GENERATE(true, false)) world.turn();
  door.finish();
  CHECK(door.closed == 0);
  wait_closed(world, door);
  CHECK(door.guests.empty());
  REQUIRE(!door.listen(Address::loopback(0)));  // as new
  world.peer().connect(door.address());
  world.run_until("it accepts", [&] { return door.guests.size() == 1; });
  door.closed = 0;
  door.end(world);
}

TEST_CASE("finishing outlives what its callbacks do: closing, throwing", "[R6][C07]") {
  World world;
  Door door(*world);
  REQUIRE(!door.listen(Address::loopback(0)));
  fill_backlog(world, door.address(), 5);
  SECTION("it is closed") {
    door.then = [&] { door.close(); };
    door.finish();
    wait_closed(world, door);
    CHECK(door.guests.size() == 1);
  }
  SECTION("it throws") {
    door.then = [] { throw std::runtime_error("no"); };
    door.finish();
    CHECK(run_and_count_throws(world, [&] { return door.closed > 0; }) == 5);
    CHECK(door.guests.size() == 5);
  }
}

TEST_CASE("a listener that finishes waits for descriptors as one that accepts does", "[R11]") {
  World world;
  Door door(*world);
  REQUIRE(!door.listen(Address::loopback(0)));
  fill_backlog(world, door.address(), 3);
  Faults faults;
  faults.fail(Call::accept, -EMFILE, 1, 4);
  door.finish();
  wait_closed(world, door);
  CHECK(door.guests.size() == 3);
  CHECK(door.pauses.size() == 1);
  CHECK(door.errors.empty());
}

TEST_CASE("T21: the want of descriptors is told when somebody waits, not before", "[R11][T21]") {
  World world;
  Peer& first = world.peer();
  Peer& second = world.peer();
  LimitedDescriptors limited(30);
  Door door(*world);
  REQUIRE(!door.listen(Address::loopback(0)));
  // The one that is accepted takes the last descriptor, and leaves the backlog empty.
  first.connect(door.address());
  limited.use_up();
  limited.free_one();
  world.run_until("it was accepted", [&] { return door.guests.size() == 1; });
  const auto until = world.in(200ms);
  world.run_until("some time is over", [&] { return world.system().now() >= until; });
  const std::size_t told_too_early = door.pauses.size();
  const std::uint64_t counted_too_early = world->counters().accept_pauses;

  limited.free_one();  // for the peer's own end
  second.connect(door.address());
  world.run_until("it is told", [&] { return !door.pauses.empty(); });
  for (int i = 0; i < 20; ++i) world.turn();
  limited.free_all();
  world.run_until("it was accepted", [&] { return door.guests.size() == 2; });

  CHECK(told_too_early == 0);
  CHECK(counted_too_early == 0);
  CHECK(door.pauses.size() == 1);
  CHECK(door.pauses[0] == std::errc::too_many_files_open);
  CHECK(world->counters().accept_pauses == 1);
  door.end(world);
}

TEST_CASE("accepting on a socket that cannot listen is an error, told once", "[R2]") {
  Accepting accepting(true);
  World world;
  std::error_code error;
  Socket datagrams = Socket::open(*world, Address::Family::ipv4, proa::Transport::datagram, error);
  REQUIRE(!error);
  REQUIRE(!datagrams.bind(Address::loopback(0)));
  accepting.request.prepare(datagrams.descriptor());
  world.submit(accepting.request);
  // Where accepting waits until the descriptor is readable, it is.
  Socket sender = Socket::open(*world, Address::Family::ipv4, proa::Transport::datagram, error);
  REQUIRE(world.system().connect(sender.descriptor(), datagrams.local_address()) == 0);
  REQUIRE(world.system().send(sender.descriptor(), proa::Bytes("x", 1)) == 1);
  world.run_until("it ended", [&] { return accepting.done(); });
  CHECK(accepting.results.size() == 1);
  CHECK(accepting.error() == std::errc::operation_not_supported);
}

}  // namespace
