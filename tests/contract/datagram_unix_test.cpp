// UNIX datagram sockets: they lose nothing, and a receiver that is full makes the sender wait.
#include <unistd.h>

#include "contract/endpoint_rig.hpp"

namespace {

using namespace proa_test;
using proa::Address;

std::string fresh_name() {
  static int number = 0;
  return "proa-datagram-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
}

// Removed with the test; declared before the World, like what is bound to it.
struct Path {
  Path() {
    const char* const folder = std::getenv("TMPDIR");
    name = (folder ? folder : std::string("/tmp")) + "/" + fresh_name();
  }
  ~Path() { ::unlink(name.c_str()); }
  Address address() const { return Address::unix_path(name); }
  std::string name;
};

TEST_CASE("UNIX datagrams go between paths and abstract names", "[datagram][unix][R5]") {
  Path near_path, far_path;
  Endpoints endpoints;
  World world;
  const bool paths = GENERATE(true, false) || !on_linux;
  Endpoint& server =
      endpoints.bound(world, paths ? near_path.address() : Address::abstract(fresh_name()));
  Endpoint& client = endpoints.bound(
      world, paths ? far_path.address() : Address::abstract(fresh_name() + std::string("\0x", 2)));
  server.receive = [&](proa::Buffer& data, const Address& from) {
    server.send(std::move(data), from);
  };
  const Texts sent = {"one", "", pattern(1, 3000), "four"};
  for (const std::string& each : sent) client.send(proa::Bytes(each), server.address());
  wait_received(world, client, sent.size());
  CHECK(client.received == sent);
  CHECK(server.received == sent);
  for (const Address& source : server.sources) CHECK(source == client.address());
  for (const Address& source : client.sources) CHECK(source == server.address());
}

TEST_CASE("an unnamed UNIX sender has no source", "[datagram][unix][R12]") {
  Path path;
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world, path.address());
  Endpoint& named = endpoints.bound(world, world.local_name());
  Endpoint& unnamed = endpoints.connected(world, path.address());
  named.send("first", path.address());
  wait_received(world, server, 1);
  unnamed.send("second");
  wait_received(world, server, 2);
  CHECK(server.sources[0] == named.address());
  CHECK(!server.sources[1].is_set());
  // It cannot be answered.
  server.send("answer", server.sources[1]);
  wait_told(world, server, 1);
  CHECK(server.results[0].error == std::errc::destination_address_required);
}

TEST_CASE("a full UNIX receiver makes the sender wait, and nothing is lost",
          "[datagram][unix][R5][R11]") {
  Path path;
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world, path.address());
  const bool connected = GENERATE(true, false);
  Endpoint& client = connected ? endpoints.connected(world, path.address())
                               : endpoints.bound(world, world.local_name());
  server.stop_receiving();
  turns(world, 5);
  constexpr std::size_t number = 1000;  // net.unix.max_dgram_qlen is far below
  send_numbers(client, connected ? Address() : path.address(), number);
  turns(world, 20);
  const std::size_t taken = client.results.size();
  CHECK(taken < number);
  turns(world, 20);
  CHECK(client.results.size() == taken);
  server.start_receiving();
  wait_received(world, server, number);
  CHECK(server.received == numbers(number));
  wait_told(world, client, number);
  CHECK(client.failures() == 0);
  CHECK(client.queued() == 0);
}

TEST_CASE("a sender waits for room that another sender took", "[datagram][unix][R11]") {
  // Nothing of its own is in the full queue, so that no event of its own socket tells of room.
  Path path;
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world, path.address());
  Endpoint& first = endpoints.bound(world, world.local_name());
  Endpoint& second = endpoints.bound(world, world.local_name());
  server.stop_receiving();
  turns(world, 5);
  constexpr std::size_t many = 600;
  send_numbers(first, path.address(), many);
  turns(world, 20);
  REQUIRE(first.results.size() < many);
  first.close();
  wait_closed(world, first);
  const std::size_t before = first.results.size();
  second.send("patient", path.address());
  const std::uint64_t rounds = world->counters().rounds;
  const proa::TimePoint until = world.in(50ms);
  world.run_until("some time passed", [&] { return world.system().now() >= until; });
  CHECK(second.results.empty());
  // It sleeps in between: a turn takes a millisecond when there is nothing to do.
  CHECK(world->counters().rounds - rounds < 200);
  server.start_receiving();
  world.run_until("it arrived",
                  [&] { return !server.received.empty() && server.received.back() == "patient"; });
  CHECK(server.received.size() >= before + 1);
  wait_told(world, second, 1);
  CHECK(!second.results[0].error);
}

// Some of them are tried every 2 ms, and the others keep their place in the line.
TEST_CASE("however many senders wait for a late UNIX reader, waiting costs the same",
          "[datagram][unix][R8][R11]") {
  Path path;
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world, path.address());
  Endpoint& first = endpoints.bound(world, world.local_name());
  server.stop_receiving();
  turns(world, 5);
  send_numbers(first, path.address(), 600);
  turns(world, 20);
  REQUIRE(first.results.size() < 600);
  std::vector<Endpoint*> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(&endpoints.bound(world, world.local_name()));
    clients.back()->send("patient", path.address());
  }
  turns(world, 5);
  const std::uint64_t all = world->counters().retries;
  std::uint64_t too_many = 0;  // in one turn of the loop, by the time that the turn took
  const proa::TimePoint begun = world.system().now();
  for (proa::TimePoint now = begun; now < proa::after(begun, 50ms);) {
    const std::uint64_t before = world->counters().retries;
    const proa::TimePoint since = now;
    world.turn();
    now = world.system().now();
    const std::uint64_t tried = world->counters().retries - before;
    const auto due = static_cast<std::uint64_t>((now - since) / 2ms) + 1;
    if (tried > 16 * due + 4) too_many = std::max(too_many, tried);
  }
  const auto ticks = static_cast<std::uint64_t>((world.system().now() - begun) / 2ms) + 2;
  CHECK(too_many == 0);
  CHECK(world->counters().retries - all <= 16 * ticks + 20);
  server.start_receiving();
  for (Endpoint* client : clients) {
    wait_told(world, *client, 1);
    CHECK(!client->results[0].error);
  }
  wait_told(world, first, 600);
  CHECK(first.failures() == 0);
}

TEST_CASE("a full UNIX receiver that goes away ends the waiting", "[datagram][unix]") {
  Path path;
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world, path.address());
  const bool connected = GENERATE(true, false);
  Endpoint& client = connected ? endpoints.connected(world, path.address())
                               : endpoints.bound(world, world.local_name());
  server.stop_receiving();
  turns(world, 5);
  constexpr std::size_t number = 600;
  send_numbers(client, connected ? Address() : path.address(), number);
  turns(world, 20);
  REQUIRE(client.results.size() < number);
  server.close();
  wait_told(world, client, number);
  CHECK(client.failures() > 0);
  CHECK(client.results.back().error);
  CHECK(client.errors() >= client.failures());
  CHECK(client.is_open());
  CHECK(client.queued() == 0);
}

TEST_CASE("a UNIX path that is gone fails each send alone", "[datagram][unix]") {
  Path path;
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world, path.address());
  Endpoint& client = endpoints.bound(world, world.local_name());
  client.send("one", path.address());
  wait_told(world, client, 1);
  wait_received(world, server, 1);
  SECTION("removed, with its socket still there") {
    REQUIRE(::unlink(path.name.c_str()) == 0);
    client.send("two", path.address());
    wait_told(world, client, 2);
    CHECK(client.results[1].error == std::errc::no_such_file_or_directory);
  }
  SECTION("there, with its socket closed") {
    server.close();
    wait_closed(world, server);
    client.send("two", path.address());
    wait_told(world, client, 2);
    CHECK(client.results[1].error == std::errc::connection_refused);
    REQUIRE(::unlink(path.name.c_str()) == 0);
  }
  CHECK(server.received.size() == 1);
  Endpoint& again = endpoints.bound(world, Address::unix_path(path.name));
  client.send("three", path.address());
  wait_received(world, again, 1);
  CHECK(again.received == Texts{"three"});
}

TEST_CASE("a connected UNIX socket is told of a peer that is gone", "[datagram][unix][R12]") {
  Path path;
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world, path.address());
  Endpoint& client = endpoints.connected(world, path.address());
  server.close();
  wait_closed(world, server);
  client.send("one");
  wait_told(world, client, 1);
  CHECK(client.results[0].error == std::errc::connection_refused);
  CHECK(client.is_open());
  // Another socket of that path is not its peer.
  REQUIRE(::unlink(path.name.c_str()) == 0);
  Endpoint& again = endpoints.bound(world, path.address());
  client.send("two");
  wait_told(world, client, 2);
  CHECK(client.results[1].error == std::errc::connection_refused);
  CHECK(again.received.empty());
}

TEST_CASE("connect() drops what others than the UNIX peer had sent", "[datagram][unix]") {
  Path path;
  Endpoints endpoints;
  World world;
  Endpoint& peer = endpoints.bound(world, path.address());
  Endpoint& named = endpoints.bound(world, world.local_name());
  Endpoint& client = endpoints.bound(world, world.local_name());
  Endpoint& unnamed = endpoints.connected(world, client.address());
  client.stop_receiving();
  named.send("from a stranger", client.address());
  unnamed.send("from a stranger without a name");
  peer.send("from the peer", client.address());
  for (Endpoint* each : {&named, &unnamed, &peer}) wait_told(world, *each, 1);
  REQUIRE(!client.connect(path.address()));
  client.start_receiving();
  peer.send("afterwards", client.address());
  wait_received(world, client, 2);
  CHECK(client.received == Texts{"from the peer", "afterwards"});
}

TEST_CASE("the client of a UNIX server that starts anew connects again", "[datagram][unix][R6]") {
  Path path;
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world, path.address());
  Endpoint& client = endpoints.connected(world, path.address());
  Endpoint& looking_up = endpoints.bound(world, world.local_name());
  client.send("one");
  looking_up.send("one", path.address());
  wait_received(world, server, 2);
  server.close();
  wait_closed(world, server);
  REQUIRE(::unlink(path.name.c_str()) == 0);
  bool waits = false;
  client.gone = [&] { waits = bool(client.connect(path.address())); };
  client.sent = [&](const proa::Result& result) {
    if (result.error) client.close();
  };

  const bool too_early = GENERATE(true, false);
  Endpoint* anew = too_early ? nullptr : &endpoints.bound(world, path.address());
  client.send("two");
  client.send("three");
  world.run_until("it has closed", [&] { return client.closed == 1; });
  CHECK(client.results.back().error == std::errc::connection_refused);
  CHECK(waits == too_early);
  if (too_early) {
    CHECK(!client.is_open());
    anew = &endpoints.bound(world, path.address());
    REQUIRE(!client.connect(path.address()));
  }
  client.send("four");
  wait_received(world, *anew, 1);
  CHECK(anew->received == Texts{"four"});
  looking_up.send("five", path.address());
  wait_received(world, *anew, 2);
  CHECK(anew->received.back() == "five");
  CHECK(looking_up.failures() == 0);
}

TEST_CASE("what a UNIX datagram socket cannot be", "[datagram][unix]") {
  Path path;
  Endpoints endpoints;
  World world;
  endpoints.bound(world, path.address());
  Endpoint& other = endpoints.add(world);
  std::string detail;
  CHECK(other.bind(path.address(), {}, &detail) == std::errc::address_in_use);
  CHECK(detail.find(path.name) != std::string::npos);
  CHECK(!other.is_open());
  CHECK(other.connect(Address::unix_path(path.name + "-not-there"), {}, &detail) ==
        std::errc::no_such_file_or_directory);
  CHECK(detail.find("-not-there") != std::string::npos);
  CHECK(!other.is_open());
  CHECK(!other.connect(path.address(), {}, &detail));
  CHECK(detail.empty());
}

}  // namespace
