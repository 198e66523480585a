// Server: a handler per connection, an exact limit, draining, and either side may go first.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <proa/proa.hpp>
#include <string>
#include <vector>

#include "support/faults.hpp"
#include "support/patterns.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::Socket;

// What the handlers of a test have seen; declared before the World, since they outlive most of it.
struct Log {
  int opened = 0;
  int closed = 0;
  int drains = 0;
  bool finish_on_drain = true;
  std::vector<std::size_t> live_on_close;
  std::function<std::size_t()> live;
};
Log* log_of_test = nullptr;

struct Logged : Log {
  Logged() { log_of_test = this; }
  ~Logged() { log_of_test = nullptr; }
};

class Echo : public proa::StreamHandler {
 public:
  Echo(proa::Proactor& proactor, Socket socket) : StreamHandler(proactor, std::move(socket)) {}

 protected:
  void on_open() override {
    ++log_of_test->opened;
    start_reading();
  }
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
  void on_drain() override {
    ++log_of_test->drains;
    if (log_of_test->finish_on_drain) finish();
  }
  void on_closed() override {
    ++log_of_test->closed;
    if (log_of_test->live) log_of_test->live_on_close.push_back(log_of_test->live());
    delete this;
  }
};

using Server = proa::Server<Echo>;

TEST_CASE("a server makes a handler per connection", "[R2]") {
  Logged log;
  World world;
  Server server(*world, "127.0.0.1:0");
  REQUIRE(server.addresses().size() == 1);
  CHECK(server.addresses()[0].port() != 0);
  CHECK(server.live() == 0);
  std::vector<Peer*> peers;
  for (int i = 0; i < 5; ++i) {
    peers.push_back(&world.peer());
    peers.back()->connect(server.addresses()[0]);
    peers.back()->send("hello " + std::to_string(i));
  }
  for (std::size_t i = 0; i < 5; ++i) {
    const std::string expected = "hello " + std::to_string(i);
    world.run_until("the echo came", [&] { return peers[i]->received() == expected; });
  }
  CHECK(server.live() == 5);
  log.live = [&] { return server.live(); };
  for (Peer* peer : peers) peer->half_close();
  world.run_until("all are closed", [&] { return log.closed == 5; });
  CHECK(log.live_on_close == std::vector<std::size_t>{4, 3, 2, 1, 0});
  CHECK(log.opened == 5);
  log.live = {};
}

TEST_CASE("one server listens on several addresses", "[R2]") {
  Logged log;
  World world;
  const std::string name = "unix:@proa-test-server-" + std::to_string(::getpid());
  Server server(*world);
  CHECK(server.addresses().empty());
  for (const std::string& text : {std::string("127.0.0.1:0"), std::string("[::1]:0"), name}) {
    std::string detail;
    REQUIRE(!server.listen(text, &detail));
    CHECK(detail.empty());
  }
  const std::vector<Address> addresses = server.addresses();
  REQUIRE(addresses.size() == 3);
  for (const Address& address : addresses) {
    Peer& peer = world.peer();
    peer.connect(address);
    peer.send("x");
    world.run_until("the echo came", [&] { return peer.received() == "x"; });
  }
  CHECK(server.live() == 3);
}

TEST_CASE("T06: a server that cannot listen names the address", "[T06]") {
  Logged log;
  World world;
  Server server(*world, "127.0.0.1:0");
  const std::string taken = server.addresses()[0].to_string();
  std::string detail;
  CHECK(server.listen(taken, &detail) == std::errc::address_in_use);
  CHECK(detail.find("cannot listen on " + taken) != std::string::npos);
  CHECK(server.listen("127.0.0.1:70000", &detail) == proa::Error::port_out_of_range);
  CHECK(detail.find("70000") != std::string::npos);
  CHECK(server.listen("nonsense", &detail) == proa::Error::bad_address);
  CHECK(detail.find("nonsense") != std::string::npos);
  CHECK(server.addresses().size() == 1);

  for (const std::string& bad : {taken, std::string("nonsense")}) {
    try {
      Server other(*world, bad);
      FAIL("listens on " << bad);
    } catch (const std::system_error& error) {
      CHECK(std::string(error.what()).find(bad) != std::string::npos);
    }
  }
}

TEST_CASE("a factory may refuse: the connection is closed, and counted", "[R2]") {
  Logged log;
  World world;
  std::vector<Address> seen;
  Server server(*world, [&](Socket socket, const Address& peer) -> Echo* {
    seen.push_back(peer);
    return seen.size() % 2 == 0 ? new Echo(*world, std::move(socket)) : nullptr;
  });
  REQUIRE(!server.listen("127.0.0.1:0"));
  Peer& refused = world.peer();
  refused.connect(server.addresses()[0]);
  world.run_until("it was closed", [&] { return refused.ended() || refused.error() != 0; });
  CHECK(server.refused() == 1);
  CHECK(server.live() == 0);
  Peer& taken = world.peer();
  taken.connect(server.addresses()[0]);
  taken.send("x");
  world.run_until("the echo came", [&] { return taken.received() == "x"; });
  REQUIRE(seen.size() == 2);
  CHECK(seen[1] == taken.socket().local_address());
  CHECK(server.live() == 1);
}

TEST_CASE("a handler that closes in its constructor is not an error", "[R6]") {
  Logged log;
  World world;
  Server server(*world, [&](Socket socket, const Address&) {
    auto* const echo = new Echo(*world, std::move(socket));
    echo->close();
    return echo;
  });
  REQUIRE(!server.listen("127.0.0.1:0"));
  Peer& peer = world.peer();
  peer.connect(server.addresses()[0]);
  world.run_until("it was closed", [&] { return log.closed == 1; });
  CHECK(server.live() == 0);
  CHECK(log.opened == 0);
}

TEST_CASE("an exception of the factory leaves run(), the next connection is served", "[C07]") {
  Logged log;
  World world;
  bool throws = true;
  Server server(*world, [&](Socket socket, const Address&) {
    if (throws) throw std::runtime_error("no");
    return new Echo(*world, std::move(socket));
  });
  REQUIRE(!server.listen("127.0.0.1:0"));
  Peer& unlucky = world.peer();
  unlucky.connect(server.addresses()[0]);
  unlucky.turn();
  CHECK_THROWS_AS(world->run(), std::runtime_error);
  throws = false;
  world.run_until("it was closed", [&] { return unlucky.ended() || unlucky.error() != 0; });
  CHECK(server.live() == 0);
  Peer& peer = world.peer();
  peer.connect(server.addresses()[0]);
  peer.send("x");
  world.run_until("the echo came", [&] { return peer.received() == "x"; });
}

TEST_CASE("the limit on live connections is exact", "[R8]") {
  Logged log;
  World world;
  std::size_t most = 0;
  std::unique_ptr<Server> server;
  server = std::make_unique<Server>(*world, [&](Socket socket, const Address&) {
    most = std::max(most, server->live() + 1);
    return new Echo(*world, std::move(socket));
  });
  CHECK(server->limit() == Server::unlimited);
  server->set_limit(4);
  REQUIRE(!server->listen("127.0.0.1:0"));
  REQUIRE(!server->listen("127.0.0.1:0"));
  std::vector<Peer*> peers;
  for (std::size_t i = 0; i < 40; ++i) {
    peers.push_back(&world.peer());
    peers.back()->connect(server->addresses()[i % 2]);
    peers.back()->send("x");
  }
  // Each is served in its turn, as those before it leave.
  std::size_t done = 0;
  world.run_until("all were served", [&] {
    for (Peer* peer : peers) {
      if (peer->open() && peer->received() == "x") {
        peer->close();
        ++done;
      }
    }
    return done == peers.size();
  });
  CHECK(most == 4);
  world.run_until("all are closed", [&] { return log.closed == 40; });
  CHECK(server->live() == 0);
}

TEST_CASE("at the limit nobody is served until somebody leaves, or the limit is raised", "[R8]") {
  Logged log;
  World world;
  Server server(*world, "127.0.0.1:0");
  server.set_limit(0);
  Peer& first = world.peer();
  first.connect(server.addresses()[0]);
  for (int i = 0; i < 5; ++i) world.turn();
  CHECK(server.live() == 0);
  server.set_limit(1);
  world.run_until("it is served", [&] { return server.live() == 1; });
  Peer& second = world.peer();
  second.connect(server.addresses()[0]);
  second.send("x");
  for (int i = 0; i < 5; ++i) world.turn();
  CHECK(server.live() == 1);
  CHECK(second.received().empty());
  SECTION("somebody leaves") { first.close(); }
  SECTION("the limit is raised") { server.set_limit(2); }
  world.run_until("the second one is served", [&] { return second.received() == "x"; });
}

TEST_CASE("draining lets live connections finish, and tells when the last is gone", "[R1]") {
  Logged log;
  World world;
  Server server(*world, "127.0.0.1:0");
  const std::string where = server.addresses()[0].to_string();
  Peer& peer = world.peer();
  peer.connect(server.addresses()[0]);
  peer.expect_pattern(3);
  peer.send_pattern(3, 100000);
  world.run_until("all came back", [&] { return peer.received_bytes() == 100000; });
  int drained = 0;
  server.drain(10s, [&] { ++drained; });
  CHECK(log.drains == 0);
  CHECK(server.addresses().empty());
  std::string detail;
  CHECK(server.listen("127.0.0.1:0", &detail) == proa::Error::closing);
  CHECK(!detail.empty());
  world.run_until("the peer sees the end", [&] { return peer.ended(); });
  CHECK(peer.difference() == no_difference);
  peer.close();
  world.run_until("it has drained", [&] { return drained > 0; });
  CHECK(log.drains == 1);
  CHECK(log.closed == 1);
  CHECK(server.live() == 0);
  for (int i = 0; i < 3; ++i) world.turn();
  CHECK(drained == 1);
  // The deadline is no longer waited for, and the address is free.
  CHECK(world->run() == 0);
  Server next(*world, where);
}

TEST_CASE("after the deadline a drain closes what is left", "[R1]") {
  Logged log;
  log.finish_on_drain = false;
  World world;
  Server server(*world, "127.0.0.1:0");
  for (int i = 0; i < 3; ++i) world.peer().connect(server.addresses()[0]);
  world.run_until("all are live", [&] { return log.opened == 3; });
  bool drained = false;
  const auto before = world.system().now();
  server.drain(20ms, [&] { drained = true; });
  world.run_until("it has drained", [&] { return drained; });
  CHECK(world.system().now() - before >= 20ms);
  CHECK(log.drains == 3);
  CHECK(log.closed == 3);
}

TEST_CASE("a second drain replaces the deadline", "[R1]") {
  Logged log;
  log.finish_on_drain = false;
  World world;
  Server server(*world, "127.0.0.1:0");
  world.peer().connect(server.addresses()[0]);
  world.run_until("it is live", [&] { return log.opened == 1; });
  int drained = 0;
  server.drain(1h, [&] { ++drained; });
  for (int i = 0; i < 3; ++i) world.turn();
  CHECK(log.drains == 1);
  CHECK(drained == 0);
  server.drain(0s);
  world.run_until("it has drained", [&] { return drained == 1; });
  CHECK(log.drains == 1);
}

TEST_CASE("a drain with nobody there ends at once, also twice, and from the loop", "[R1]") {
  Logged log;
  World world;
  auto server = std::make_unique<Server>(*world);
  if (GENERATE(true, false)) REQUIRE(!server->listen("127.0.0.1:0"));
  int drained = 0;
  server->drain(1h, [&] { ++drained; });
  CHECK(drained == 0);
  world.run_until("it has drained", [&] { return drained == 1; });
  CHECK(world->run() == 0);
  server->drain(1h, [&] {
    ++drained;
    server.reset();  // it may go in its callback
  });
  world.run_until("it has drained again", [&] { return drained == 2; });
  CHECK(world->run() == 0);
}

TEST_CASE("a drain closes connections that were held back", "[R4]") {
  Logged log;
  World world;
  Server server(*world, "127.0.0.1:0");
  for (int i = 0; i < 3; ++i) world.peer().connect(server.addresses()[0]);
  world.run_until("one is live", [&] {
    server.set_limit(1);
    return log.opened > 0;
  });
  bool drained = false;
  server.drain(1h, [&] { drained = true; });
  for (int i = 0; i < 3; ++i) world.turn();
  CHECK(log.opened == 1);
  server.drain(0s);
  world.run_until("it has drained", [&] { return drained; });
  CHECK(log.opened == 1);
}

TEST_CASE("live handlers go on without their server", "[R6]") {
  Logged log;
  World world;
  Peer& peer = world.peer();
  {
    Server server(*world, "127.0.0.1:0");
    peer.connect(server.addresses()[0]);
    world.run_until("it is live", [&] { return log.opened == 1; });
  }
  peer.send("still there");
  world.run_until("the echo came", [&] { return peer.received() == "still there"; });
  peer.half_close();
  world.run_until("it was closed", [&] { return log.closed == 1; });
  CHECK(world->run() == 0);
}

TEST_CASE("a server may be destroyed while it drains", "[R6]") {
  Logged log;
  log.finish_on_drain = false;
  World world;
  {
    Server server(*world, "127.0.0.1:0");
    world.peer().connect(server.addresses()[0]);
    world.run_until("it is live", [&] { return log.opened == 1; });
    server.drain(1ms, [] { FAIL("told of a server that is gone"); });
  }
  for (int i = 0; i < 5; ++i) world.turn();
  CHECK(log.closed == 0);
}

TEST_CASE("a proactor that shuts down first closes everything of the server", "[R6][C06]") {
  Logged log;
  World world;
  Server server(*world, "127.0.0.1:0");
  server.set_limit(2);
  const Address address = server.addresses()[0];
  for (int i = 0; i < 4; ++i) world.peer().connect(address);
  world.run_until("two are live", [&] { return log.opened == 2; });
  if (GENERATE(true, false)) server.drain(1h, [] { FAIL("told after a shutdown"); });
  CHECK(world->shutdown(hang) == 0);
  CHECK(log.closed == 2);
  CHECK(server.live() == 0);
  CHECK(server.listen("127.0.0.1:0") == proa::Error::closing);
  world.end();  // the proactor is gone; the server goes after it
}

TEST_CASE("the server of the README, destroyed in order of the stack", "[R6]") {
  Logged log;
  const std::size_t before = open_descriptors();
  {
    const auto proactor = make_proactor();
    Server server(*proactor, "127.0.0.1:0");
    const Socket client = [&] {
      std::error_code error;
      Socket socket =
          Socket::open(*proactor, Address::Family::ipv4, proa::Transport::stream, error);
      proactor->system().connect(socket.descriptor(), server.addresses()[0]);
      return socket;
    }();
    while (log.opened == 0) proactor->run_once(1s);
  }
  CHECK(log.closed == 1);
  CHECK(open_descriptors() == before);
}

TEST_CASE("trouble with accepting is counted and told", "[R11]") {
  Logged log;
  World world;
  Faults faults;
  std::vector<std::pair<Address, std::error_code>> told;
  Server server(*world);
  server.set_error_callback(
      [&](const Address& address, std::error_code error) { told.emplace_back(address, error); });
  SECTION("a pause goes by") {
    faults.fail(Call::accept, -EMFILE, 1, 2);
    REQUIRE(!server.listen("127.0.0.1:0"));
    const Address address = server.addresses()[0];
    Peer& peer = world.peer();
    peer.connect(address);
    peer.send("x");
    world.run_until("the echo came", [&] { return peer.received() == "x"; });
    REQUIRE(told.size() == 1);
    CHECK(told[0].first == address);
    CHECK(told[0].second == std::errc::too_many_files_open);
  }
  SECTION("anything else closes the listener") {
    faults.fail(Call::accept, -EINVAL, 1, 1);
    REQUIRE(!server.listen("127.0.0.1:0"));
    const Address address = server.addresses()[0];
    world.peer().connect(address);
    world.run_until("it was told", [&] { return !told.empty(); });
    CHECK(told[0].first == address);
    CHECK(told[0].second == std::errc::invalid_argument);
    world.run_until("the listener is gone", [&] { return server.addresses().empty(); });
  }
  CHECK(server.errors() == 1);
}

}  // namespace
