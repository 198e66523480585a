// Server: which handlers are live, a factory that throws, and what a drain still serves.
#include <functional>
#include <memory>
#include <proa/proa.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "accept_rig.hpp"
#include "support/death.hpp"
#include "support/peer.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::Socket;

// Does without its connection: what it has of a handler is only that it opens and rests.
class Ticker : public proa::TimerHandler {
 public:
  Ticker(proa::Proactor& proactor, const Socket&) : TimerHandler(proactor) {}

  int fired = 0;
  int drains = 0;
  std::function<void()> then;

 private:
  void on_timer(std::uint64_t) override {
    ++fired;
    if (then) then();
  }
  void on_drain() override {
    ++drains;
    TimerHandler::on_drain();
  }
};

class Echo : public proa::StreamHandler {
 public:
  using StreamHandler::StreamHandler;
  static int opened, closed;

 private:
  void on_open() override {
    ++opened;
    start_reading();
  }
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
  void on_closed() override {
    ++closed;
    delete this;
  }
};
int Echo::opened = 0;
int Echo::closed = 0;

// Owns what its factory made.
struct Tickers {
  std::vector<std::unique_ptr<Ticker>> made;
  proa::Duration delay{1ms};
  bool starts = true;

  proa::Server<Ticker>::Factory factory(World& world) {
    return [this, &world](const Socket& socket, const Address&) {
      made.push_back(std::make_unique<Ticker>(*world, socket));
      if (starts) made.back()->start(delay);
      return made.back().get();
    };
  }
};

void wait_fired(World& world, const Tickers& tickers, std::size_t number) {
  world.run_until("the timers fired", [&] {
    std::size_t fired = 0;
    for (const auto& each : tickers.made) fired += each->fired > 0;
    return fired == number;
  });
}

TEST_CASE("a server's factory returns a handler of another proactor", "[R6]") {
  const bool starts = GENERATE(true, false);
  const std::string message = message_of([&] {
    const auto mine = make_proactor();
    const auto other = make_proactor();
    Ticker* made = nullptr;
    proa::Server<Ticker> server(*mine, [&](const Socket& socket, const Address&) {
      made = new Ticker(*other, socket);
      if (starts) made->start(1h);
      return made;
    });
    if (server.listen("127.0.0.1:0")) return;
    Peer client(mine->system());
    client.connect(server.addresses().at(0));
    while (!made) mine->run_once(5ms);
  });
  INFO("it says: " << message);
  CHECK(message.find("TimerHandler 0x") == 0);
  CHECK(message.find("returned by the factory of a server of another proactor") !=
        std::string::npos);
}

TEST_CASE("a handler at rest, or its server, destroyed on a foreign thread", "[R9]") {
  const bool the_server = GENERATE(true, false);
  const std::string message = message_of([&] {
    const auto proactor = make_proactor();
    std::unique_ptr<Ticker> made;
    auto server = std::make_unique<proa::Server<Ticker>>(
        *proactor, [&](const Socket& socket, const Address&) {
          made = std::make_unique<Ticker>(*proactor, socket);
          made->start(0ms);
          return made.get();
        });
    if (server->listen("127.0.0.1:0")) return;
    Peer client(proactor->system());
    client.connect(server->addresses().at(0));
    while (!made || made->is_open()) proactor->run_once(5ms);
    std::thread([&] { the_server ? server.reset() : made.reset(); }).join();
  });
  INFO("it says: " << message);
  CHECK(message.find(the_server ? "Server 0x" : "TimerHandler 0x") == 0);
  CHECK(message.find(the_server ? "~Server() on a foreign thread"
                                : "~Handler() on a foreign thread") != std::string::npos);
}

TEST_CASE("a handler at rest may be destroyed anywhere behind shutdown()", "[R9]") {
  const auto proactor = make_proactor();
  std::unique_ptr<Ticker> made;
  auto server =
      std::make_unique<proa::Server<Ticker>>(*proactor, [&](const Socket& socket, const Address&) {
        made = std::make_unique<Ticker>(*proactor, socket);
        made->start(0ms);
        return made.get();
      });
  REQUIRE(!server->listen("127.0.0.1:0"));
  Peer client(proactor->system());
  client.connect(server->addresses().at(0));
  while (!made || made->is_open()) proactor->run_once(5ms);
  CHECK(proactor->shutdown(10s) == 0);
  std::thread([&] { made.reset(); }).join();
  std::thread([&] { server.reset(); }).join();
}

TEST_CASE("a handler that came to rest without on_closed() is not live", "[R6]") {
  Tickers tickers;
  World world;
  proa::Server<Ticker> server(*world, tickers.factory(world));
  REQUIRE(!server.listen("127.0.0.1:0"));
  for (int i = 0; i < 3; ++i) world.peer().connect(server.addresses()[0]);
  wait_fired(world, tickers, 3);
  CHECK(server.live() == 0);
  SECTION("a drain does not wait for it") {
    bool drained = false;
    server.drain(1h, [&] { drained = true; });
    world.run_until("it has drained", [&] { return drained; });
    for (const auto& each : tickers.made) CHECK(each->drains == 0);
  }
  SECTION("it makes room at the limit") {
    server.set_limit(1);
    world.peer().connect(server.addresses()[0]);
    wait_fired(world, tickers, 4);
  }
  SECTION("it may be destroyed") { tickers.made.clear(); }
  SECTION("one that is started again is live again") {
    tickers.made[1]->start(1h);
    CHECK(server.live() == 1);
    bool drained = false;
    server.drain(1h, [&] { drained = true; });
    world.run_until("it has drained", [&] { return drained; });
    CHECK(tickers.made[1]->drains == 1);
    CHECK(tickers.made[0]->drains == 0);
    CHECK(server.live() == 0);
  }
  SECTION("one that starts again in its own callback is live all the time") {
    Ticker& again = *tickers.made[0];
    again.then = [&] {
      if (again.fired < 20) again.start(1ms);
    };
    again.start(1ms);
    bool drained = false;
    again.drains = 0;
    server.set_limit(0);
    world.run_until("it went on", [&] { return again.fired == 10; });
    server.drain(1h, [&] { drained = true; });
    world.run_until("it has drained", [&] { return drained; });
    CHECK(again.drains == 1);
    CHECK(again.fired < 20);
  }
}

TEST_CASE("handlers at rest outlive their server, and it them", "[R6]") {
  Tickers tickers;
  World world;
  auto server = std::make_unique<proa::Server<Ticker>>(*world, tickers.factory(world));
  REQUIRE(!server->listen("127.0.0.1:0"));
  for (int i = 0; i < 2; ++i) world.peer().connect(server->addresses()[0]);
  wait_fired(world, tickers, 2);
  if (GENERATE(true, false)) tickers.made.pop_back();
  server.reset();
  tickers.made[0]->fired = 0;
  tickers.made[0]->start(0s);
  world.run_until("it fired once more", [&] { return tickers.made[0]->fired == 1; });
}

TEST_CASE("a handler that its factory did not open is live when it opens", "[R6]") {
  Tickers tickers;
  tickers.starts = false;
  World world;
  proa::Server<Ticker> server(*world, tickers.factory(world));
  REQUIRE(!server.listen("127.0.0.1:0"));
  world.peer().connect(server.addresses()[0]);
  world.run_until("it was made", [&] { return tickers.made.size() == 1; });
  CHECK(server.live() == 0);
  tickers.made[0]->start(1h);
  CHECK(server.live() == 1);
  tickers.made[0]->stop();
  CHECK(server.live() == 0);
}

TEST_CASE("a server's handler that is not destroyed behind on_closed() is counted", "[R6]") {
  struct Kept : proa::StreamHandler {
    using StreamHandler::StreamHandler;
    ~Kept() override = default;
    bool again = false;
    std::function<void()> closed;

   private:
    void on_open() override { close(); }
    void on_read(proa::Buffer&) override {}
    void on_closed() override {
      if (const auto then = closed) then();  // a copy: it may destroy the handler
    }
  };
  std::vector<std::unique_ptr<Kept>> kept;
  World world;
  std::function<void()> closed;
  std::uint64_t counted = 0;
  int went = 0;
  SECTION("destroyed there") {
    closed = [&] { kept.clear(); };
  }
  SECTION("destroyed soon") {
    closed = [&] { CHECK(world->post([&] { kept.clear(); })); };
  }
  SECTION("open again") {
    closed = [&] {
      kept[0]->closed = {};
      kept[0]->start_reading();
      kept[0]->connect(Address::loopback(1), world.in(1h));
    };
  }
  SECTION("forgotten") { counted = 1; }
  proa::Server<Kept> server(*world, [&](Socket socket, const Address&) {
    kept.push_back(std::make_unique<Kept>(*world, std::move(socket)));
    kept.back()->closed = [&] {
      ++went;
      if (closed) closed();
    };
    return kept.back().get();
  });
  REQUIRE(!server.listen("127.0.0.1:0"));
  world.peer().connect(server.addresses()[0]);
  world.run_until("one came and went", [&] { return went > 0; });
  for (int i = 0; i < 5; ++i) world.turn();
  CHECK(world->counters().left_behind == counted);
}

TEST_CASE("a server's handler may be destroyed behind its proactor", "[R6]") {
  struct Kept : proa::StreamHandler {
    using StreamHandler::StreamHandler;
    ~Kept() override = default;

   private:
    void on_read(proa::Buffer&) override {}
  };
  std::vector<std::unique_ptr<Kept>> kept;
  World world;
  {
    proa::Server<Kept> server(*world, [&](Socket socket, const Address&) {
      kept.push_back(std::make_unique<Kept>(*world, std::move(socket)));
      return kept.back().get();
    });
    REQUIRE(!server.listen("127.0.0.1:0"));
    world.peer().connect(server.addresses()[0]);
    world.run_until("one came", [&] { return server.live() == 1; });
  }
  // Little time: of what is noted behind on_closed() some is never looked at.
  while (world->shutdown(0s) > 0) {
  }
  world.end();
}

TEST_CASE("a factory that throws at the limit costs one connection, not the server", "[R8][C07]") {
  World world;
  int made = 0;
  proa::Server<Echo> server(*world, [&](Socket socket, const Address&) {
    if (++made == 2) throw std::runtime_error("no");
    return new Echo(*world, std::move(socket));
  });
  server.set_limit(1);
  REQUIRE(!server.listen("127.0.0.1:0"));
  const auto peers = fill_backlog(world, server.addresses()[0], 4);
  for (Peer* peer : peers) peer->send("x");
  std::size_t served = 0;
  const int thrown = run_and_count_throws(world, [&] {
    for (Peer* peer : peers) {
      if (!peer->open()) continue;
      if (peer->received() == "x" || peer->ended() || peer->error() != 0) {
        served += peer->received() == "x";
        peer->close();
      }
    }
    return served == 3;
  });
  CHECK(thrown == 1);
  world.run_until("all are gone", [&] { return server.live() == 0; });
}

TEST_CASE("a drain serves what waits in the backlog", "[R2]") {
  Echo::opened = Echo::closed = 0;
  World world;
  proa::Server<Echo> server(*world);
  REQUIRE(!server.listen("127.0.0.1:0"));
  const Address address = server.addresses()[0];
  if (GENERATE(true, false)) {
    world.turn();
    Peer& early = world.peer();
    early.connect(address);
    world.run_until("one is live", [&] { return Echo::opened == 1; });
    early.close();
  }
  const int before = Echo::opened;
  const std::size_t limit = GENERATE(std::size_t{3}, proa::ServerBase::unlimited);
  server.set_limit(limit);
  const auto peers = fill_backlog(world, address, 20);
  int drained = 0;
  server.drain(1h, [&] { ++drained; });
  CHECK(server.addresses().empty());
  world.run_until("it has drained", [&] {
    for (Peer* peer : peers) {
      if (peer->open() && peer->ended()) peer->close();
    }
    CHECK(server.live() <= std::max<std::size_t>(limit, 1));
    return drained > 0;
  });
  CHECK(Echo::opened == before + 20);
  CHECK(Echo::closed == Echo::opened);
  for (Peer* peer : peers) CHECK(peer->error() == 0);
  // The address is free.
  REQUIRE(!proa::Server<Echo>(*world).listen(address.to_string()));
}

TEST_CASE("a drain answers what had arrived, on connections that waited in the backlog too",
          "[R2]") {
  Echo::opened = Echo::closed = 0;
  World world;
  proa::Server<Echo> server(*world);
  REQUIRE(!server.listen("127.0.0.1:0"));
  const Address address = server.addresses()[0];
  std::vector<Peer*> peers = fill_backlog(world, address, 50);
  world.run_until("all are live", [&] { return Echo::opened == 50; });
  for (Peer* waiting : fill_backlog(world, address, 10)) peers.push_back(waiting);
  for (Peer* peer : peers) {
    peer->send("hello");
    while (!peer->sent()) peer->turn();
  }
  bool drained = false;
  server.drain(1h, [&] { drained = true; });
  world.run_until("it has drained", [&] {
    for (Peer* peer : peers) {
      if (peer->open() && peer->ended()) peer->close();
    }
    return drained;
  });
  for (Peer* peer : peers) {
    CHECK(peer->received() == "hello");
    CHECK(peer->error() == 0);
  }
}

TEST_CASE("what a drain cannot serve by its deadline is closed", "[R4]") {
  Echo::opened = Echo::closed = 0;
  World world;
  proa::Server<Echo> server(*world);
  REQUIRE(!server.listen("127.0.0.1:0"));
  server.set_limit(0);
  const auto peers = fill_backlog(world, server.addresses()[0], 3);
  bool drained = false;
  server.drain(20ms, [&] { drained = true; });
  world.run_until("it has drained", [&] { return drained; });
  CHECK(Echo::opened == 0);
  for (Peer* peer : peers) {
    world.run_until("it was closed", [&] { return peer->ended() || peer->error() != 0; });
  }
}

}  // namespace
