// Reconnector: attempts that are counted, the end of all tries, its life, and a client whose server
// comes late and goes again.
#include <list>
#include <memory>

#include "reconnector_rig.hpp"
#include "stream_rig.hpp"
#include "support/allocations.hpp"
#include "support/death.hpp"

namespace {

using namespace proa_test;
using proa::Backoff;

// A client that tries until there is a server, asks it, and tries again when it has gone.
struct Client {
  Client(World& world, proa::Address there, const Backoff& backoff)
      : server(std::move(there)), again(*world, backoff), stream(*world) {
    stream.failed = [this](std::error_code error) {
      why = error;
      stream.close();
    };
    stream.read = [this](proa::Buffer&) { again.succeeded(); };
    stream.closed = [this] {
      if (!done) again.failed(std::exchange(why, {}));
    };
    again.then = [this] { stream.connect(server); };
  }
  proa::Address server;
  std::error_code why;
  bool done = false;
  Again again;
  Stream stream;
};

TEST_CASE("reconnector: a server that comes late is found, and again when it was gone",
          "[reconnect]") {
  std::list<Client> clients;
  World world;
  const proa::Address name = world.local_name();
  Client& client = clients.emplace_back(world, name, quick);
  client.stream.connect(name);
  world.run_until("it has tried", [&] { return client.again.attempts.size() >= 5; });
  CHECK(client.again.attempts == Attempts{1, 2, 3, 4, 5});

  std::error_code error;
  proa::Socket& listener = world.own(
      proa::Socket::open(*world, proa::Address::Family::local, proa::Transport::stream, error));
  REQUIRE(!error);
  REQUIRE(!listener.bind(name));
  REQUIRE(!listener.listen());
  for (int times = 1; times <= 2; ++times) {
    proa::Descriptor accepted;
    world.run_until("it is there", [&] {
      return world.system().accept(listener.descriptor(), accepted, nullptr) == 0;
    });
    Peer& far = world.peer(proa::Socket(world.system(), accepted));
    world.run_until("it is open", [&] { return client.stream.connected(); });
    CHECK(client.again.attempt() > 0);  // to be connected is no success yet
    far.send("an answer");
    world.run_until("it has succeeded", [&] { return client.again.attempt() == 0; });
    client.again.attempts.clear();
    far.close();
    world.run_until("it tries anew", [&] { return !client.again.attempts.empty(); });
    CHECK(client.again.attempts == Attempts{1});
  }
  client.done = true;
  client.stream.close();
  world->run();  // until there is nothing left to do
  CHECK(client.again.attempts == Attempts{1});
}

TEST_CASE("reconnector: when all tries were used up, that is told with the last reason",
          "[reconnect]") {
  std::list<Client> clients;
  World world;
  const proa::Address nowhere = closed_port(world);
  Client& client = clients.emplace_back(world, nowhere, Backoff{1ms, 4ms, 3});
  client.stream.connect(nowhere);
  world->run();  // until there is nothing left to do
  CHECK(client.again.attempts == Attempts{1, 2, 3});
  REQUIRE(client.again.given_up.size() == 1);
  CHECK(client.again.given_up[0] == std::errc::connection_refused);
  CHECK(client.again.attempt() == 0);
  CHECK(!client.again.is_open());
  client.stream.connect(nowhere);  // it is as new
  world->run();
  CHECK(client.again.attempts == Attempts{1, 2, 3, 1, 2, 3});
  CHECK(client.again.given_up.size() == 2);
}

TEST_CASE("reconnector: no verb calls back, and what fails twice has failed once",
          "[R1][reconnect]") {
  std::list<Again> all;
  World world;
  Again& again = all.emplace_back(*world, Backoff{1ns, 1ns, 1});
  again.failed(std::make_error_code(std::errc::timed_out));
  again.failed(std::make_error_code(std::errc::not_connected));
  CHECK(again.attempts.empty());
  CHECK(again.attempt() == 1);
  world->run();
  CHECK(again.attempts == Attempts{1});
  again.failed(std::make_error_code(std::errc::timed_out));
  again.failed(std::make_error_code(std::errc::not_connected));
  CHECK(again.given_up.empty());
  CHECK(again.attempt() == 1);  // none is added that nobody makes
  world->run();
  REQUIRE(again.given_up.size() == 1);
  CHECK(again.given_up[0] == std::errc::timed_out);
  CHECK(again.attempts == Attempts{1});
}

TEST_CASE("reconnector: it may be stopped, closed and destroyed in its callbacks", "[reconnect]") {
  std::list<Again> all;
  World world;
  Again& again = all.emplace_back(*world, Backoff{1ns, 1ns, 3});
  SECTION("stopped, then it goes on where it was") {
    again.then = [&] {
      again.failed();
      again.stop();
    };
    again.failed();
    CHECK(world->run() == 1);
    CHECK(again.attempt() == 2);
    again.then = {};
    again.failed();
    world->run();
    CHECK(again.attempts == Attempts{1, 3});
  }
  SECTION("stopped before it gives up, which then never comes") {
    for (int i = 0; i < 3; ++i) {
      again.failed();
      world->run();
    }
    again.failed();
    again.stop();
    world->run();
    CHECK(again.given_up.empty());
    again.succeeded();
    again.failed();
    world->run();
    CHECK(again.attempts == Attempts{1, 2, 3, 1});
  }
  SECTION("closed") {
    again.then = [&] {
      again.close();
      again.failed();  // no effect while it closes
    };
    again.failed();
    world->run();
    CHECK(again.attempts == Attempts{1});
    CHECK(again.closed == 1);
    again.then = {};
    again.failed();
    world->run();
    CHECK(again.attempts == Attempts{1, 2});
  }
  SECTION("closed while it waits") {
    again.failed();
    again.close();
    world->run();
    CHECK(again.attempts.empty());
    CHECK(again.closed == 1);
  }
  SECTION("begun anew when it gives up") {
    again.then = [&] { again.failed(); };
    again.at_the_end = [&] {
      if (again.given_up.size() < 2) again.failed();
    };
    again.failed();
    world->run();
    CHECK(again.attempts == Attempts{1, 2, 3, 1, 2, 3});
    CHECK(again.given_up.size() == 2);
  }
  SECTION("destroyed in either") {
    const bool gives_up = GENERATE(true, false);
    auto mortal = std::make_unique<Again>(*world, Backoff{1ns, 1ns, 1});
    const auto die = [&] { mortal.reset(); };
    if (gives_up) {
      mortal->then = [&] { mortal->failed(); };
      mortal->at_the_end = die;
    } else {
      mortal->then = die;
    }
    mortal->failed();
    world->run();
    CHECK(!mortal);
  }
}

TEST_CASE("reconnector: a shutdown ends the wait, and none begins behind it", "[reconnect]") {
  std::list<Again> all;
  World world;
  Again& again = all.emplace_back(*world, quick);
  again.failed();
  CHECK(world->shutdown(hang) == 0);
  again.failed();
  CHECK(again.attempts.empty());
  CHECK(again.closed == 1);
  CHECK(!again.is_open());
  world.end(true);
}

TEST_CASE("reconnector: failures allocate nothing in steady state", "[R10][reconnect]") {
  std::list<Again> all;
  World world;
  Again& again = all.emplace_back(*world, Backoff{1ns, 1ns, 0});
  again.attempts.reserve(100);
  int left = 50;
  std::uint64_t before = 0;
  again.then = [&] {
    if (left == 40) before = allocations();
    if (--left > 0) again.failed();
  };
  again.failed();
  world->run();
  const std::uint64_t more = allocations() - before;
  CHECK(more == 0);
  CHECK(left == 0);
}

TEST_CASE("reconnector: want of memory is told as an error", "[reconnect]") {
  std::list<Again> all;
  World world;
  Again& again = all.emplace_back(*world, quick);
  bool failed = false;
  {
    FailingAllocation memory(1, true);
    again.failed();
    failed = memory.stop();
  }
  world->run();
  if (!failed) return;  // none was needed
  REQUIRE(again.errors.size() == 1);
  CHECK(again.errors[0] == std::errc::not_enough_memory);
  CHECK(again.closed == 1);
  CHECK(again.attempts.empty());
}

TEST_CASE("reconnector: misuse names it", "[reconnect]") {
  const auto made = [](Backoff backoff) {
    return message_of([=] {
      const auto proactor = make_proactor();
      Again again(*proactor, backoff);
    });
  };
  CHECK(made({0s, 1s, 0}).find("made with Backoff::first of 0 ns") != std::string::npos);
  CHECK(made({1s, -1ns, 0}).find("made with Backoff::most of -1 ns") != std::string::npos);
  struct Bare : proa::Reconnector {
    using Reconnector::Reconnector;
    ~Bare() override = default;
    void on_attempt() override {}
  };
  const std::string destroyed = message_of([] {
    const auto proactor = make_proactor();
    Bare bare(*proactor);
    bare.failed();
  });
  CHECK(destroyed.rfind("Reconnector 0x", 0) == 0);
  CHECK(destroyed.find("destroyed while it was armed or closing: stop() it") != std::string::npos);
  CHECK(destroyed.find("descriptor") == std::string::npos);
}

}  // namespace
