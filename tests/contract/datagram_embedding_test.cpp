// Datagrams in a proactor that lives inside another loop: here one of epoll(7), which knows a
// descriptor and a time, and nothing else.
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <thread>

#include "contract/endpoint_rig.hpp"
#include "contract/raw.hpp"
#include "support/plain.hpp"

namespace {

using namespace proa_test;
using proa::Address;

class ForeignLoop {
 public:
  explicit ForeignLoop(World& world) : world_(world), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    REQUIRE(::epoll_ctl(epoll_.number, EPOLL_CTL_ADD, world->native_handle(), &wanted) == 0);
  }
  void run_until(const char* what, const std::function<bool()>& holds) {
    const proa::TimePoint limit = world_.in(hang);
    while (!holds()) {
      INFO("waited for: " << what);
      REQUIRE(world_.system().now() < limit);
      const auto left = std::min(world_->next_deadline(), limit) - world_.system().now();
      const auto whole = std::chrono::ceil<std::chrono::milliseconds>(left).count();
      epoll_event event{};
      ::epoll_wait(epoll_.number, &event, 1, static_cast<int>(std::max<long>(whole, 0)));
      world_->poll();
    }
  }

 private:
  World& world_;
  Raw epoll_;
};

// Echoes in bursts, on a thread of its own, so that nothing but the descriptor wakes the loop.
class Client {
 public:
  explicit Client(const Address& server) : socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {
    const timeval limit = {2, 0};
    ::setsockopt(socket_.number, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    REQUIRE(plain_connect(socket_.number, server));
  }
  void run(std::size_t number, std::size_t burst) {
    while (echoed < number) {
      for (std::size_t i = 0; i < burst; ++i) {
        const std::string text = std::to_string(echoed + i);
        ::send(socket_.number, text.data(), text.size(), 0);
      }
      for (std::size_t i = 0; i < burst; ++i) {
        char text[64];
        const ssize_t got = ::recv(socket_.number, text, sizeof text, 0);
        if (got < 0 || std::string(text, static_cast<std::size_t>(got)) != std::to_string(echoed)) {
          return;
        }
        ++echoed;
      }
    }
  }
  std::atomic<std::size_t> echoed{0};

 private:
  Raw socket_;
};

TEST_CASE("a foreign epoll loop echoes datagrams", "[datagram][embedding][R13][thread]") {
  Endpoints endpoints;
  proa::Options with = options();
  with.embedded = true;
  with.round_budget = GENERATE(std::size_t{512}, std::size_t{4});
  const std::size_t burst = GENERATE(std::size_t{1}, std::size_t{4}, std::size_t{20});
  World world(with);
  Endpoint& server = endpoints.bound(world);
  server.receive = [&](proa::Buffer& data, const Address& from) {
    server.send(std::move(data), from);
  };
  {
    ForeignLoop loop(world);
    Client client(server.address());
    std::atomic<bool> over{false};
    std::thread other([&] {
      client.run(1000, burst);
      over = true;
      if (!world->post([] {})) over = false;
    });
    struct Join {
      std::thread& thread;
      ~Join() { thread.join(); }
    } const join{other};
    loop.run_until("the client is done", [&] { return over.load(); });
    CHECK(client.echoed == 1000);
  }
}

TEST_CASE("a foreign loop hears of what comes after a round that ended by its budget",
          "[datagram][embedding][R13]") {
  Endpoints endpoints;
  proa::Options with = options();
  with.embedded = true;
  with.round_budget = 4;
  World world(with);
  Endpoint& server = endpoints.bound(world);
  Raw client(::socket(AF_INET, SOCK_DGRAM, 0));
  const Address to = server.address();
  REQUIRE(plain_connect(client.number, to));
  {
    ForeignLoop loop(world);
    world->poll();
    for (std::size_t sent = 0, burst = 1; burst < 100; ++burst) {
      for (std::size_t i = 0; i < 4 * (1 + burst % 3); ++i, ++sent)
        client.write(std::to_string(sent));
      loop.run_until("the burst arrived", [&] { return server.received.size() == sent; });
      while (world->next_deadline() <= world.system().now()) world->poll();
    }
  }
}

TEST_CASE("what a foreign loop sends between its polls goes out", "[datagram][embedding][R13]") {
  Endpoints endpoints;
  proa::Options with = options();
  with.embedded = true;
  World world(with);
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.connected(world, server.address());
  ForeignLoop loop(world);
  world->poll();
  for (std::size_t i = 1; i <= 50; ++i) {
    client.send(proa::Bytes(std::to_string(i)));
    CHECK(world->next_deadline() <= world.system().now());
    loop.run_until("it arrived", [&] { return server.received.size() == i; });
  }
  server.stop_receiving();
  send_numbers(client, {}, 10);
  loop.run_until("all is told", [&] { return client.results.size() == 60; });
  server.start_receiving();
  loop.run_until("the rest arrived", [&] { return server.received.size() == 60; });
}

}  // namespace
