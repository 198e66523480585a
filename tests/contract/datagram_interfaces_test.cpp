// Which address and which interface a datagram came to and leaves from, where there are several: in
// a network that the test makes.
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "contract/endpoint_rig.hpp"
#include "contract/network_rig.hpp"
#include "contract/raw.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::DatagramSource;

// The kernel makes the routes to an address, and of an interface whose link is up, by a thread of
// its own. Before that nothing can be sent there.
void wait_for_route(const Namespace& network, const std::string& to) {
  if (!network.why_not().empty()) return;
  const Address address = Address::parse(to);
  const Raw socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto* const raw = static_cast<const sockaddr*>(address.data());
  const auto limit = std::chrono::steady_clock::now() + hang;
  while (::connect(socket.number, raw, static_cast<socklen_t>(address.size())) < 0) {
    REQUIRE(std::chrono::steady_clock::now() < limit);
    ::poll(nullptr, 0, 1);
  }
}

// Whether a datagram that this address sends to itself arrives.
bool reaches_itself(const Address& address) {
  const Raw socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 own{};
  socklen_t size = sizeof own;
  auto* const raw = reinterpret_cast<sockaddr*>(&own);
  if (::bind(socket.number, static_cast<const sockaddr*>(address.data()),
             static_cast<socklen_t>(address.size())) < 0 ||
      ::getsockname(socket.number, raw, &size) < 0 ||
      ::sendto(socket.number, "x", 1, 0, raw, size) != 1) {
    return false;
  }
  pollfd arrives{socket.number, POLLIN, 0};
  return ::poll(&arrives, 1, 10) == 1;
}

// Two more addresses of this machine, of each family. Those of IPv6 can be used soon (no DAD).
void add_addresses(Namespace& network) {
  for (const char* each : {"10.77.0.1/32 dev lo", "10.77.0.2/32 dev lo", "fd77::1/128 dev lo nodad",
                           "fd77::2/128 dev lo nodad"}) {
    network.ip(std::string("address add ") + each);
  }
  const auto limit = std::chrono::steady_clock::now() + hang;
  for (const char* each : {"[fd77::1]:0", "[fd77::2]:0"}) {
    while (network.why_not().empty() && !reaches_itself(Address::parse(each))) {
      REQUIRE(std::chrono::steady_clock::now() < limit);
    }
  }
}

// Two interfaces beside loopback, with an address of each family at once (no DAD).
void add_interfaces(Namespace& network) {
  for (const char* each : {"1", "2"}) {
    const std::string number = each;
    network.ip("link add proa" + number + " type veth peer name peer" + number)
        .ip("link set proa" + number + " addrgenmode none")
        .ip("address add 10.78." + number + ".1/24 brd + dev proa" + number)
        .ip("address add fe80::" + number + "/64 dev proa" + number + " nodad")
        .ip("link set peer" + number + " up")
        .ip("link set proa" + number + " up");
    wait_for_route(network, "[ff12::1%proa" + number + "]:1");
  }
}

proa::DatagramOptions telling() {
  proa::DatagramOptions options;
  options.destination = true;
  return options;
}

// An answer goes from where its datagram came to.
class Answering final : public Endpoint {
 public:
  using Endpoint::Endpoint;

 private:
  void on_receive(proa::Buffer& data, const Address& from,
                  const proa::DatagramInfo& info) override {
    Endpoint::on_receive(data, from, info);
    send(std::move(data), from, info.answer_from());
  }
};

struct Asked {
  const char* bound;
  const char* asked;
  const char* told;  // the destination, as the socket names it
};

TEST_CASE("an answer comes from the address that was asked", "[datagram][address]") {
  Namespace network;
  add_addresses(network);
  if (!network.why_not().empty()) return skip(network.why_not());
  const Asked one = GENERATE(Asked{"0.0.0.0:0", "10.77.0.1:0", "10.77.0.1:0"},
                             Asked{"0.0.0.0:0", "10.77.0.2:0", "10.77.0.2:0"},
                             Asked{"[::]:0", "[fd77::1]:0", "[fd77::1]:0"},
                             Asked{"[::]:0", "[fd77::2]:0", "[fd77::2]:0"},
                             Asked{"[::]:0", "10.77.0.2:0", "[::ffff:10.77.0.2]:0"});
  CAPTURE(one.bound, one.asked);
  Endpoints endpoints;
  World world;
  Answering server(*world);
  REQUIRE(!server.bind(Address::parse(one.bound), telling()));
  const Address asked = Address::parse(one.asked).with_port(server.address().port());
  // One hears the address that it has asked alone, the other one hears all.
  Endpoint& connected = endpoints.connected(world, asked);
  const bool v6 = asked.family() == Address::Family::ipv6;
  Endpoint& open = endpoints.bound(world, Address::parse(v6 ? "[fd77::1]:0" : "10.77.0.1:0"));
  connected.send("connected");
  open.send("open", asked);
  wait_received(world, connected, 1);
  wait_received(world, open, 1);
  CHECK(open.sources == std::vector<Address>{asked});
  CHECK(server.infos[0].destination == Address::parse(one.told));
  CHECK(server.infos[0].interface == ::if_nametoindex("lo"));
  CHECK(!server.infos[0].to_group);
  CHECK(server.failures() == 0);
  server.close();
  wait_closed(world, server);
}

TEST_CASE("each datagram of a queue leaves from the address that it was given",
          "[datagram][address][segments]") {
  Namespace network;
  add_addresses(network);
  if (!network.why_not().empty()) return skip(network.why_not());
  Endpoints endpoints;
  World world;
  const Address first = Address::parse("10.77.0.1:0");
  const Address second = Address::parse("10.77.0.2:0");
  proa::DatagramOptions large;
  large.receive_buffer = 4 << 20;
  Endpoint& receiver = endpoints.bound(world, first, large);
  Endpoint& sender = endpoints.bound(world, Address::parse("0.0.0.0:0"));
  const bool connected = GENERATE(false, true);
  if (connected) REQUIRE(!sender.connect(receiver.address()));
  const Address to = connected ? Address() : receiver.address();
  std::vector<Address> expected;
  const auto expect = [&](const Address& from, std::size_t number = 1) {
    expected.insert(expected.end(), number, from.with_port(sender.address().port()));
  };
  for (int i = 0; i < 40; ++i) {
    sender.send("the system chooses", to);
    sender.send("bytes", to, DatagramSource{second, 0});
    proa::Buffer buffer = world->take_buffer();
    buffer.append(proa::Bytes("buffer"));
    sender.send(std::move(buffer), to, DatagramSource{i % 2 == 0 ? first : second, 0});
    sender.send_segments("segments", 3, to, DatagramSource{second, 0});
    buffer = world->take_buffer();
    buffer.append(proa::Bytes("segments"));
    sender.send_segments(std::move(buffer), 4, to, DatagramSource{second, 0});
    sender.send("nothing asked for", to, DatagramSource());
    expect(connected ? sender.address() : first);
    expect(second);
    expect(i % 2 == 0 ? first : second);
    expect(second, 5);
    expect(connected ? sender.address() : first);
  }
  wait_received(world, receiver, expected.size());
  CHECK(receiver.sources == expected);
  CHECK(sender.failures() == 0);
}

TEST_CASE("a source that cannot be fails that send alone", "[datagram][address]") {
  Namespace network;
  add_addresses(network);
  if (!network.why_not().empty()) return skip(network.why_not());
  Endpoints endpoints;
  World world;
  Endpoint& receiver = endpoints.bound(world);
  const bool connected = GENERATE(false, true);
  Endpoint& sender = connected ? endpoints.connected(world, receiver.address())
                               : endpoints.bound(world, Address::parse("0.0.0.0:0"));
  const Address to = connected ? Address() : receiver.address();
  const auto from = [](const char* text, std::uint32_t interface = 0) {
    return DatagramSource{Address::parse(text), interface};
  };
  sender.send("not of this machine", to, from("192.0.2.1:0"));
  sender.send("of another family", to, from("[fd77::1]:0"));
  sender.send("of another family", to, from("unix:@proa"));
  sender.send("by no interface", to, from("127.0.0.1:0", 4711));
  sender.send("an interface alone", to, DatagramSource{Address(), 1});
  sender.send("good", to, from("127.0.0.1:0", ::if_nametoindex("lo")));
  wait_told(world, sender, 6);
  CHECK(sender.results[0].error);  // EINVAL, or ENETUNREACH of newer kernels
  CHECK(sender.results[1].error == std::errc::address_family_not_supported);
  CHECK(sender.results[2].error == std::errc::address_family_not_supported);
  CHECK(sender.results[3].error);
  CHECK(sender.results[4].error == proa::Error::bad_address);
  CHECK(!sender.results[5].error);
  wait_received(world, receiver, 1);
  CHECK(receiver.received == Texts{"good"});
}

TEST_CASE("what is sent to a group is answered from the interface that it came by",
          "[datagram][address][multicast]") {
  Namespace network;
  add_interfaces(network);
  if (!network.why_not().empty()) return skip(network.why_not());
  const std::string name = GENERATE("proa1", "proa2");
  const bool v6 = GENERATE(false, true);
  CAPTURE(name, v6);
  const std::uint32_t interface = ::if_nametoindex(name.c_str());
  const Address own = Address::parse(v6 ? "[fe80::" + name.substr(4) + "%" + name + "]:0"
                                     : name == "proa1" ? "10.78.1.1:0"
                                                       : "10.78.2.1:0");
  const Address any = Address::parse(v6 ? "[::]:0" : "0.0.0.0:0");
  const Address group = Address::parse(v6 ? "[ff12::7707]:0" : "239.255.77.9:0");
  Endpoints endpoints;
  World world;
  Answering server(*world);
  REQUIRE(!server.bind(any, telling()));
  REQUIRE(!server.join(group, interface));
  Endpoint& client = endpoints.bound(world, any);
  client.send("to the group", group.with_port(server.address().port()),
              DatagramSource{any, interface});
  wait_received(world, client, 1);
  CHECK(server.infos[0].destination.with_port(0) == (v6 ? server.infos[0].destination : group));
  CHECK(server.infos[0].interface == interface);
  CHECK(server.infos[0].to_group);
  CHECK(server.infos[0].answer_from().address == any);
  CHECK(server.infos[0].answer_from().interface == interface);
  CHECK(client.sources[0] == own.with_port(server.address().port()));
  server.close();
  wait_closed(world, server);
}

TEST_CASE("a broadcast is no address to answer from", "[datagram][address]") {
  Namespace network;
  add_interfaces(network);
  if (!network.why_not().empty()) return skip(network.why_not());
  Endpoints endpoints;
  World world;
  Answering server(*world);
  REQUIRE(!server.bind(Address::parse("0.0.0.0:0"), telling()));
  proa::DatagramOptions options;
  options.broadcast = true;
  Endpoint& client = endpoints.bound(world, Address::parse("10.78.2.1:0"), options);
  client.send("to all", Address::parse("10.78.2.255:0").with_port(server.address().port()));
  wait_received(world, client, 1);
  CHECK(server.infos[0].to_group);
  CHECK(client.sources[0] == Address::parse("10.78.2.1:0").with_port(server.address().port()));
  server.close();
  wait_closed(world, server);
}

TEST_CASE("a group is joined and left on the interface of its scope", "[datagram][multicast]") {
  Namespace network;
  add_interfaces(network);
  if (!network.why_not().empty()) return skip(network.why_not());
  const std::uint32_t one = ::if_nametoindex("proa1");
  const std::uint32_t two = ::if_nametoindex("proa2");
  const Address group = Address::parse("[ff12::7708%proa2]:0");
  const Address plain = Address::parse("[ff12::7708]:0");
  CHECK(group.scope() == two);
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world, Address::parse("[::]:0"), telling());
  Endpoint& client = endpoints.bound(world, Address::parse("[::]:0"));
  CHECK(server.join(group, one) == std::errc::invalid_argument);
  REQUIRE(!server.join(group));
  const std::uint16_t port = server.address().port();
  client.send("to the scope", group.with_port(port));
  wait_received(world, server, 1);
  CHECK(server.infos[0].interface == two);
  CHECK(server.leave(plain, one));
  CHECK(server.leave(group, one) == std::errc::invalid_argument);
  CHECK(!server.leave(group));
  CHECK(server.leave(plain, two));
  REQUIRE(!server.join(group, two));
  CHECK(!server.leave(plain, two));
}

}  // namespace
