// Datagrams: what is sent arrives whole, what cannot be sent fails alone, and an empty one is data.
#include <algorithm>
#include <list>
#include <string>
#include <vector>

#include "contract/datagram_rig.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::Error;

Address any_loopback() {
  return GENERATE(as<Address>{}, Address::loopback(0),
                  Address::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0));
}

TEST_CASE("a datagram is echoed to where it came from", "[datagram][R2]") {
  World world;
  Two two(world);
  REQUIRE(!two.server.bind(any_loopback()));
  two.server.then = [&](proa::Buffer& data, const Address& from) {
    two.server.send(std::move(data), from);  // no copy
  };
  REQUIRE(!two.client.connect(two.server.address()));
  const std::vector<std::string> sent = {"one", "", pattern(1, 1200), "four"};
  for (const std::string& each : sent) two.client.send(proa::Bytes(each));
  world.run_until("all came back", [&] { return two.client.received.size() == sent.size(); });
  CHECK(two.server.received == sent);
  CHECK(two.client.received == sent);
  for (const Address& source : two.server.sources) CHECK(source == two.client.address());
  world.run_until("all is told", [&] { return two.client.results.size() == sent.size(); });
  for (std::size_t i = 0; i < sent.size(); ++i) {
    CHECK(!two.client.results[i].error);
    CHECK(two.client.results[i].bytes == sent[i].size());
  }
}

TEST_CASE("U07: many datagrams each arrive once, in order", "[datagram][R2][R5][U07]") {
  World world;
  Two two(world);
  proa::DatagramOptions options;
  options.receive_buffer = 4 << 20;
  two.meet(true, options);
  constexpr std::size_t number = 200;
  for (std::size_t i = 0; i < number; ++i) two.client.send(proa::Bytes(std::to_string(i)));
  world.run_until("all arrived", [&] { return two.server.received.size() == number; });
  for (std::size_t i = 0; i < number; ++i) CHECK(two.server.received[i] == std::to_string(i));
  CHECK(two.client.results.size() == number);
  CHECK(two.client.queued() == 0);
}

TEST_CASE("U03: a datagram that is larger than a buffer is cut, the next one is whole",
          "[datagram][U03]") {
  World world;
  Two two(world);
  two.meet();
  const std::string large = pattern(2, 10000);  // buffers have 4096
  two.client.send(proa::Bytes(large));
  two.client.send("small");
  world.run_until("both arrived", [&] { return two.server.received.size() == 2; });
  CHECK(two.server.infos[0].truncated);
  CHECK(two.server.received[0].size() > 3000);
  CHECK(two.server.received[0] == large.substr(0, two.server.received[0].size()));
  CHECK(!two.server.infos[1].truncated);
  CHECK(two.server.received[1] == "small");
}

TEST_CASE("U01, U08, U09: what cannot be sent fails alone", "[datagram][U01][U08][U09]") {
  World world;
  Two two(world);
  REQUIRE(!two.server.bind(Address::loopback(0)));
  const Address to = two.server.address();
  const std::string huge(65536, 'x');
  SECTION("of an unconnected socket") {
    REQUIRE(!two.client.bind(Address::loopback(0)));
    two.client.send("first", to);
    two.client.send(proa::Bytes(huge), to);
    two.client.send("nowhere");
    two.client.send("last", to);
    world.run_until("all is told", [&] { return two.client.results.size() == 4; });
    CHECK(two.client.results[1].error == std::errc::message_size);
    CHECK(two.client.results[2].error == std::errc::destination_address_required);
    CHECK(two.client.targets[3] == to);
  }
  SECTION("of a connected socket") {
    REQUIRE(!two.client.connect(to));
    two.client.send("first");
    two.client.send(proa::Bytes(huge.data(), 65520));  // above what UDP carries
    two.client.send("elsewhere", to);
    two.client.send("last");
    world.run_until("all is told", [&] { return two.client.results.size() == 4; });
    CHECK(two.client.results[1].error == std::errc::message_size);
    CHECK(two.client.results[2].error == std::errc::already_connected);
  }
  CHECK(!two.client.results[0].error);
  CHECK(!two.client.results[3].error);
  CHECK(two.client.errors() == 2);
  world.run_until("the others arrived", [&] { return two.server.received.size() == 2; });
  CHECK(two.server.received == std::vector<std::string>{"first", "last"});
}

TEST_CASE("U04: a closed port is told once, and the socket is well", "[datagram][U04]") {
  World world;
  Two two(world);
  REQUIRE(!two.server.bind(Address::loopback(0)));
  const Address to = two.server.address();
  REQUIRE(!two.client.connect(to));
  two.server.close();
  world.run_until("nobody is there", [&] { return two.server.closed == 1; });
  two.client.send("one");
  world.run_until("it is told", [&] { return !two.client.told.empty(); });
  CHECK(two.client.told.size() == 1);
  CHECK(two.client.told[0] == std::errc::connection_refused);
  REQUIRE(!two.server.bind(to));
  two.client.send("two");
  world.run_until("it arrived", [&] { return two.server.received.size() == 1; });
  CHECK(two.server.received[0] == "two");
  CHECK(two.client.told.size() == 1);
}

TEST_CASE("many errors are told once each, and leave the loop asleep", "[datagram][R8][U04]") {
  World world;
  Two two(world);
  REQUIRE(!two.server.bind(any_loopback()));
  REQUIRE(!two.client.connect(two.server.address()));
  two.server.close();
  world.run_until("nobody is there", [&] { return two.server.closed == 1; });
  constexpr std::size_t number = 5;
  for (std::size_t i = 0; i < number; ++i) {
    two.client.send("x");
    const std::size_t before = two.client.told.size();
    world.run_until("it is told", [&] { return two.client.told.size() > before; });
  }
  world.run_until("all is told", [&] { return two.client.results.size() == number; });
  CHECK(two.client.told.size() == number);
  CHECK(two.client.errors() == number);
  for (const auto& result : two.client.results) CHECK(!result.error);
  const std::uint64_t waits = world->counters().waits;
  world->run_once(20ms);
  CHECK(world->counters().waits - waits <= 4);
}

TEST_CASE("what is received while it is not wanted is kept", "[datagram]") {
  World world;
  Two two(world);
  two.meet();
  constexpr std::size_t number = 20;
  // Stopped behind the first, when the others may have been received already.
  two.server.then = [&](proa::Buffer&, const Address&) {
    if (two.server.received.size() == 1) two.server.stop_receiving();
  };
  for (std::size_t i = 0; i < number; ++i) two.client.send(proa::Bytes(std::to_string(i)));
  world.run_until("all is sent", [&] { return two.client.results.size() == number; });
  for (int i = 0; i < 10; ++i) world.turn();
  CHECK(two.server.received.size() == 1);
  two.server.start_receiving();
  world.run_until("all arrived", [&] { return two.server.received.size() == number; });
  for (std::size_t i = 0; i < number; ++i) CHECK(two.server.received[i] == std::to_string(i));
}

TEST_CASE("what was asked for is told beside a datagram", "[datagram]") {
  World world;
  Two two(world);
  proa::DatagramOptions options;
  options.destination = options.traffic_class = options.arrival = true;
  const Address any = any_loopback();
  REQUIRE(!two.server.bind(any, options));
  REQUIRE(!two.client.connect(two.server.address()));
  two.client.send("bytes");
  world.run_until("it arrived", [&] { return two.server.received.size() == 1; });
  CHECK(two.server.received[0] == "bytes");
  const proa::DatagramInfo& info = two.server.infos[0];
  CHECK(info.destination == two.server.address().with_port(0));
  CHECK(info.interface == 1);
  CHECK(info.arrived.count() > 0);
  CHECK(info.traffic_class == 0);
  CHECK(!info.truncated);
}

TEST_CASE("U11: many sockets are closed by the first that receives", "[datagram][R6][U11]") {
  std::list<Collecting> sockets;
  World world;
  Two two(world);
  const std::size_t number = sanitized() ? 250 : 2500;
  REQUIRE(!two.client.bind(Address::loopback(0)));
  std::size_t callbacks_after = 0;
  bool closed = false;
  for (std::size_t i = 0; i < number; ++i) {
    Collecting& one = sockets.emplace_back(*world);
    REQUIRE(!one.bind(Address::loopback(0)));
    one.then = [&](proa::Buffer&, const Address&) {
      callbacks_after += closed;
      closed = true;
      for (Collecting& each : sockets) each.close();
    };
  }
  for (Collecting& each : sockets) two.client.send("x", each.address());
  world.run_until("all are closed", [&] {
    return std::all_of(sockets.begin(), sockets.end(), [](auto& one) { return one.closed == 1; });
  });
  CHECK(callbacks_after == 0);
}

}  // namespace
