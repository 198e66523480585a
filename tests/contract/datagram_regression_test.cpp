// What was found wrong with datagrams once, and is to stay mended.
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>

#include "contract/datagram_rig.hpp"
#include "contract/raw.hpp"
#include "support/faults.hpp"
#include "support/patterns.hpp"
#include "support/plain.hpp"

namespace {

using namespace proa_test;
using proa::Address;

TEST_CASE("descriptors that a UNIX peer passes are not taken", "[datagram][unix]") {
  World world;
  Two two(world);
  proa::DatagramOptions options;
  options.destination = options.traffic_class = options.arrival = true;
  const Address name = world.local_name();
  REQUIRE(!two.server.bind(name, options));
  const int sender = plain_socket(AF_UNIX, SOCK_DGRAM);
  REQUIRE(sender >= 0);
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 5; ++i) REQUIRE(send_with_descriptor(sender, "x", sender, name));
  world.run_until("all arrived", [&] { return two.server.received.size() == 5; });
  CHECK(open_descriptors() == before);
  ::close(sender);
}

TEST_CASE("sends that fail leave the socket's ears and the loop alone", "[datagram][R8]") {
  World world;
  Two two(world);
  two.meet();
  two.server.then = [&](proa::Buffer& data, const Address& from) {
    two.server.send(std::move(data), from);
  };
  const std::string large(65520, 'x');  // above what UDP carries: the system notes that each time
  for (std::size_t i = 0; i < 500; ++i) {
    two.client.send(proa::Bytes(large));
    world.run_until("it failed", [&] { return two.client.results.size() > i; });
  }
  const std::uint64_t waits = world->counters().waits;
  world->run_once(20ms);
  CHECK(world->counters().waits - waits <= 4);
  for (int i = 0; i < 50; ++i) two.client.send("question");
  world.run_until("all answers came", [&] { return two.client.received.size() == 50; });
  CHECK(two.client.told.empty());
}

TEST_CASE("an error that does not end is told, and then receiving stops", "[datagram][R8]") {
  if (over_uring()) return;  // there is no call to fail
  Faults faults;
  World world;
  Two two(world);
  const bool connected = GENERATE(false, true);
  two.meet(connected);
  two.server.stop_receiving();
  world.turn();
  faults.fail(Call::recvmmsg, -EPERM, 1, 1000000);
  two.server.send("x", two.client.address());
  world.run_until("it was told", [&] { return two.client.told.size() >= 16; });
  for (int i = 0; i < 20; ++i) world.turn();
  CHECK(two.client.told.size() == 16);
  CHECK(two.client.told[0] == std::errc::operation_not_permitted);
  faults.clear();
  two.client.start_receiving();
  world.run_until("it arrived", [&] { return two.client.received.size() == 1; });
}

TEST_CASE("errors of the net do not make a socket deaf", "[datagram]") {
  if (over_uring()) return;  // there is no call to fail
  Faults faults;
  World world;
  Two two(world);
  REQUIRE(!two.server.bind(Address::loopback(0)));
  faults.fail(Call::recvmmsg, GENERATE(-EACCES, -EOPNOTSUPP, -EHOSTUNREACH));
  REQUIRE(!two.client.connect(two.server.address()));
  two.client.send("one");
  world.run_until("it arrived", [&] { return two.server.received.size() == 1; });
}

TEST_CASE("refused datagrams do not fill the memory", "[datagram]") {
  World world;
  Two two(world);
  REQUIRE(!two.client.bind(Address::loopback(0)));
  for (int i = 0; i < 10000; ++i) two.client.send("to nobody");
  world.run_until("those that wait are told", [&] { return two.client.results.size() == 4096; });
  for (int i = 0; i < 5; ++i) world.turn();
  CHECK(two.client.results.size() == 4096);
  CHECK(two.client.errors() == 10000);
}

TEST_CASE("a request for another socket has nothing of the first", "[datagram]") {
  World world;
  Two two(world);
  struct Received {
    void got(proa::RecvDatagrams& which, const proa::Result& result) {
      if (result.error) return;
      bytes += which.buffer().text();
      if (bytes == "1") proactor->cancel(which);
    }
    proa::Proactor* proactor;
    std::string bytes;
    proa::On<proa::RecvDatagrams, &Received::got> request{*this};
  } received{&*world, {}};
  std::error_code error;
  proa::Socket first =
      proa::Socket::open(*world, Address::Family::ipv4, proa::Transport::datagram, error);
  proa::Socket second =
      proa::Socket::open(*world, Address::Family::ipv4, proa::Transport::datagram, error);
  REQUIRE(!first.bind(Address::loopback(0)));
  REQUIRE(!second.bind(Address::loopback(0)));
  REQUIRE(!two.client.bind(Address::loopback(0)));
  for (const char* const each : {"1", "2", "3"}) two.client.send(each, first.local_address());
  world.run_until("they are sent", [&] { return two.client.results.size() == 3; });
  received.request.prepare(first.descriptor());
  world.submit(received.request);
  world.run_until("it ended", [&] { return !received.request.pending(); });
  received.bytes.clear();
  received.request.prepare(second.descriptor());
  world.submit(received.request);
  two.client.send("other", second.local_address());
  world.run_until("it arrived", [&] { return !received.bytes.empty(); });
  CHECK(received.bytes == "other");
  world->cancel(received.request);
  world.run_until("it ended", [&] { return !received.request.pending(); });
}

TEST_CASE("what is sent before stop() goes out", "[datagram]") {
  World world;
  Two two(world);
  two.meet();
  two.server.then = [&](proa::Buffer& data, const Address& from) {
    two.server.send(std::move(data), from);
    world->stop();
  };
  // No proactor receives what this socket is sent, so that the answer stays where it is looked for.
  const Raw client(plain_socket(AF_INET, SOCK_DGRAM));
  REQUIRE(plain_connect(client.number, two.server.socket().local_address()));
  client.write("question");
  world->run();
  CHECK(two.server.received.size() == 1);
  const timeval limit = {10, 0};
  REQUIRE(::setsockopt(client.number, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
  char answer[16];
  CHECK(::recv(client.number, answer, sizeof answer, 0) == 8);
}

}  // namespace
