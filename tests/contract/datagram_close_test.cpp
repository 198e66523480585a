// The end of a datagram handler: close() anywhere, only on_closed() behind it, and never silently
// destroyed (R6).

#include <cstdio>
#include <optional>

#include "contract/endpoint_rig.hpp"
#include "support/death.hpp"

namespace {

using namespace proa_test;
using proa::Address;

// All that was called so far.
std::size_t calls(const Endpoint& endpoint) {
  return endpoint.received.size() + endpoint.results.size() + endpoint.told.size() +
         endpoint.drains;
}

TEST_CASE("K06: a datagram handler closed inside any callback: only on_closed follows",
          "[datagram][R6][K06]") {
  Endpoints endpoints;
  World world;
  Endpoint& peer = endpoints.bound(world);
  Endpoint& subject = endpoints.connected(world, peer.address());
  std::size_t before = 0;
  const auto close = [&] {
    subject.close();
    subject.send("after the end");
    before = calls(subject);
  };
  SECTION("on_receive") {
    subject.receive = [&](proa::Buffer&, const Address&) { close(); };
    send_numbers(peer, subject.address(), 10);
    send_numbers(subject, {}, 10);
  }
  SECTION("on_receive, with its answer queued") {
    subject.receive = [&](proa::Buffer& data, const Address&) {
      subject.send(std::move(data));
      close();
    };
    send_numbers(peer, subject.address(), 10);
  }
  SECTION("on_sent") {
    subject.sent = [&](const proa::Result&) { close(); };
    send_numbers(peer, subject.address(), 10);
    send_numbers(subject, {}, 10);
  }
  SECTION("on_sent of a failure") {
    subject.sent = [&](const proa::Result& result) {
      if (result.error) close();
    };
    subject.send("first");
    subject.send("wrong", peer.address());
    subject.send("third");
    subject.send("wrong again", peer.address());
  }
  SECTION("on_error") {
    peer.close();
    wait_closed(world, peer);
    subject.failed = [&](std::error_code) { close(); };
    send_numbers(subject, {}, 10);
  }
  SECTION("on_drained") {
    subject.drained = close;
    const std::string large = pattern(1, 3000);
    for (int i = 0; i < 120; ++i) subject.send(proa::Bytes(large));
  }
  wait_closed(world, subject);
  CHECK(calls(subject) == before);
  CHECK(subject.closed == 1);
  CHECK(subject.queued() == 0);
  turns(world, 5);
  CHECK(calls(subject) == before);
  CHECK(subject.closed == 1);
}

TEST_CASE("U06: closed by what comes first of data and an error of the same socket",
          "[datagram][R6][U06]") {
  Endpoints endpoints;
  World world;
  Endpoint& peer = endpoints.bound(world);
  Endpoint& subject = endpoints.connected(world, peer.address());
  subject.stop_receiving();
  turns(world, 3);
  peer.send("data", subject.address());
  wait_told(world, peer, 1);
  peer.close();
  wait_closed(world, peer);
  subject.send("to nobody");
  wait_told(world, subject, 1);
  subject.receive = [&](proa::Buffer&, const Address&) { subject.close(); };
  subject.failed = [&](std::error_code) { subject.close(); };
  subject.start_receiving();
  wait_closed(world, subject);
  turns(world, 5);
  CHECK(subject.received.size() + subject.told.size() == 1);
  CHECK(subject.closed == 1);
}

// Belongs to nobody but itself.
struct Mortal : proa::DatagramHandler {
  Mortal(proa::Proactor& proactor, int& alive) : DatagramHandler(proactor), alive_(alive) {
    ++alive_;
  }
  ~Mortal() override { --alive_; }
  void on_receive(proa::Buffer& data, const Address& from, const proa::DatagramInfo&) override {
    send(std::move(data), from);
    close();
  }
  void on_closed() override { delete this; }

 private:
  int& alive_;
};

TEST_CASE("a datagram handler may delete itself in on_closed()", "[datagram][R6]") {
  int alive = 0;
  Endpoints endpoints;
  World world;
  Endpoint& client = endpoints.bound(world);
  std::vector<Address> addresses;
  for (int i = 0; i < 20; ++i) {
    auto* const mortal = new Mortal(*world, alive);
    REQUIRE(!mortal->bind(Address::loopback(0)));
    addresses.push_back(mortal->address());
  }
  CHECK(alive == 20);
  for (int i = 0; i < 10; ++i) client.send("die", addresses[static_cast<std::size_t>(i)]);
  world.run_until("half of them are gone", [&] { return alive == 10; });
  world.end();  // the others
  CHECK(alive == 0);
}

TEST_CASE("shutdown() ends datagrams that wait for room, and gives their blocks back",
          "[datagram][R6]") {
  Endpoints endpoints;
  World world;
  const Address name = world.local_name();
  Endpoint& server = endpoints.bound(world, name);
  Endpoint& connected = endpoints.connected(world, name);
  Endpoint& unconnected = endpoints.bound(world, world.local_name());
  server.stop_receiving();
  turns(world, 3);
  send_numbers(connected, {}, 600);
  send_numbers(unconnected, name, 600);
  turns(world, 5);
  REQUIRE(connected.queued() > 0);
  REQUIRE(unconnected.queued() > 0);
  const std::size_t before = calls(connected) + calls(unconnected);
  CHECK(world->shutdown(hang) == 0);
  CHECK(calls(connected) + calls(unconnected) == before);
  CHECK(connected.closed == 1);
  CHECK(unconnected.closed == 1);
  CHECK(server.closed == 1);
  Endpoint& late = endpoints.add(world);
  CHECK(late.bind(Address::loopback(0)) == proa::Error::closing);
  CHECK(!late.is_open());
}

TEST_CASE("a datagram handler closed with datagrams that it kept gives them back",
          "[datagram][R6]") {
  Endpoints endpoints;
  World world;
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.connected(world, server.address());
  server.receive = [&](proa::Buffer&, const Address&) { server.stop_receiving(); };
  send_numbers(client, {}, 30);
  wait_told(world, client, 30);
  wait_received(world, server, 1);
  turns(world, 5);
  CHECK(server.received.size() == 1);
  server.close();
  wait_closed(world, server);
  CHECK(server.received.size() == 1);  // the World sees whether the others went home
}

TEST_CASE("requests of the user's own on a datagram socket end before on_closed()",
          "[datagram][R6]") {
  Recording<proa::SendDatagrams> own;
  proa::DatagramQueue queue;
  Endpoints endpoints;
  World world;
  const Address name = world.local_name();
  Endpoint& server = endpoints.bound(world, name);
  Endpoint& client = endpoints.connected(world, name);
  server.stop_receiving();
  turns(world, 3);
  send_numbers(client, {}, 600);
  turns(world, 5);
  REQUIRE(client.queued() > 0);
  proa::Buffer buffer = world->take_buffer();
  buffer.append("behind the handler's");
  REQUIRE(queue.push(std::move(buffer), {}, 0));
  own.request.prepare(client.descriptor(), queue);
  world.submit(own.request);
  std::size_t results_at_end = 0;
  client.gone = [&] { results_at_end = own.results.size(); };
  client.close();
  wait_closed(world, client);
  CHECK(results_at_end == 1);
  CHECK(own.error() == std::errc::operation_canceled);
  CHECK(own.bytes() == 0);
  queue.clear();
}

// Cannot be closed by anybody.
struct Careless : proa::DatagramHandler {
  using DatagramHandler::DatagramHandler;
  ~Careless() override = default;
  void on_receive(proa::Buffer&, const Address&, const proa::DatagramInfo&) override {}
};

TEST_CASE("an open datagram handler destroyed aborts, and is named", "[datagram][R6]") {
  const bool closing = GENERATE(false, true);
  const std::string message = message_of([closing] {
    auto proactor = make_proactor();
    Careless careless(*proactor);
    if (careless.bind(Address::loopback(0))) return;
    proactor->poll();
    if (closing) careless.close();
  });
  INFO("it says: " << message);
  CHECK(message.find("DatagramHandler 0x") != std::string::npos);
  CHECK(message.find("destroyed before on_closed()") != std::string::npos);
  const std::string connected = message_of([] {
    auto proactor = make_proactor();
    Careless careless(*proactor);
    if (careless.connect(Address::loopback(9))) return;
  });
  INFO("it says: " << connected);
  CHECK(connected.find("127.0.0.1:9") != std::string::npos);
}

TEST_CASE("a datagram handler that is not open may just be destroyed", "[datagram][R6]") {
  World world;
  { const Careless never_opened(*world); }
  Endpoints endpoints;
  Endpoint& holder = endpoints.bound(world);
  {
    Careless refused(*world);
    CHECK(refused.bind(holder.address()));
    CHECK(!refused.is_open());
  }
  holder.close();
  wait_closed(world, holder);
}

}  // namespace
