// The load that sends at a given rate, judged by servers that do one thing wrong.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "../../bench/open_load.hpp"
#include "support/catch.hpp"

namespace {

using namespace std::chrono_literals;

/// Echoes on a thread of its own. What a test changes: what is done with the n-th piece (from 1)
/// before it is sent back; one that is empty then ends its connection.
class Server {
 public:
  using Rule = std::function<void(std::uint64_t n, std::string& bytes)>;

  explicit Server(Rule rule) : rule_(std::move(rule)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(bind(listener_, generic, length) == 0);
    REQUIRE(listen(listener_, 16) == 0);
    REQUIRE(getsockname(listener_, generic, &length) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }

  ~Server() {
    shutdown(listener_, SHUT_RDWR);  // the end
    thread_.join();
    close(listener_);
  }

  std::uint16_t port() const { return port_; }

 private:
  void serve() {
    std::vector<pollfd> sockets{{listener_, POLLIN, 0}};
    for (std::uint64_t n = 0; sockets[0].fd >= 0;) {
      poll(sockets.data(), sockets.size(), -1);
      for (std::size_t index = sockets.size(); index-- > 1;) {
        if (sockets[index].revents == 0) continue;
        std::string bytes(65536, '\0');
        const ssize_t received = recv(sockets[index].fd, &bytes[0], bytes.size(), 0);
        bytes.resize(received > 0 ? static_cast<std::size_t>(received) : 0);
        if (!bytes.empty()) rule_(++n, bytes);
        if (!bytes.empty()) {
          send(sockets[index].fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        } else {
          close(sockets[index].fd);
          sockets.erase(sockets.begin() + static_cast<std::ptrdiff_t>(index));
        }
      }
      if (sockets[0].revents == 0) continue;
      const int accepted = accept(listener_, nullptr, nullptr);
      if (accepted >= 0) {
        sockets.push_back({accepted, POLLIN, 0});
      } else {
        sockets[0].fd = -1;
      }
    }
    for (const pollfd& socket : sockets) {
      if (socket.fd >= 0) close(socket.fd);
    }
  }

  Rule rule_;
  int listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::uint16_t port_ = 0;
  std::thread thread_;
};

void echo(std::uint64_t, std::string&) {}

std::uint64_t count(std::chrono::nanoseconds time) {
  return static_cast<std::uint64_t>(time.count());
}

}  // namespace

TEST_CASE("latency load: every request is sent, and answered, at the rate", "[bench]") {
  const std::size_t connections = GENERATE(std::size_t{1}, std::size_t{7});
  const std::size_t size = GENERATE(std::size_t{1}, std::size_t{256}, std::size_t{100000});
  const Server server(echo);
  bench::OpenLoad load("test", server.port(), connections, size);
  for (int again = 0; again < 2; ++again) {
    const bench::OpenTurn turn = load.at_rate(500, 100ms);
    CHECK(turn.latencies.count() == 50);
    CHECK(turn.late.count() == 50);
    CHECK(turn.errors == 0);
    CHECK(turn.unsent == 0);
    CHECK(turn.seconds >= 0.098);  // the last of 50 is due then
    CHECK(turn.latencies.percentile(50) > 0);
  }
}

TEST_CASE("latency load: flat out is as fast as answers come", "[bench]") {
  const Server server(echo);
  bench::OpenLoad load("test", server.port(), 4, 100);
  const bench::OpenTurn turn = load.flat_out(50ms);
  CHECK(turn.latencies.count() > 8);
  CHECK(turn.errors == 0);
  CHECK(turn.unsent == 0);
  CHECK(turn.seconds >= 0.05);
}

TEST_CASE("latency load: all who come during a pause have waited, not only the one served then",
          "[bench]") {
  const Server server([](std::uint64_t n, std::string&) {
    if (n == 50) std::this_thread::sleep_for(400ms);
  });
  bench::OpenLoad load("test", server.port(), 1, 64);
  // A slow machine has 8 ms for each of them.
  const bench::OpenTurn turn = load.at_rate(250, 1s);
  REQUIRE(turn.latencies.count() == 250);
  CHECK(turn.latencies.max() >= count(399ms));
  // 100 of 250 were due in the pause: the slowest at its beginning.
  CHECK(turn.latencies.percentile(99) >= count(380ms));
  CHECK(turn.latencies.percentile(90) >= count(290ms));
  CHECK(turn.latencies.percentile(70) >= count(90ms));
}

TEST_CASE("latency load: a server that is too slow for the rate leaves requests unsent",
          "[bench]") {
  const Server server([](std::uint64_t, std::string&) { std::this_thread::sleep_for(5ms); });
  bench::OpenLoad load("test", server.port(), 1, 64);
  const bench::OpenTurn turn = load.at_rate(10000, 100ms);
  CHECK(turn.unsent >= 1000 - 221);  // 1.1 s are 220 times 5 ms
  CHECK(turn.latencies.count() + turn.unsent == 1000);
  CHECK(turn.errors == 0);
}

TEST_CASE("latency load: each wrong answer is found", "[bench]") {
  struct Case {
    const char* what;
    Server::Rule rule;
  };
  const auto wrong = GENERATE(values<Case>(
      {{"another byte", [](std::uint64_t n, std::string& bytes) { bytes[63] ^= n == 10; }},
       {"a byte too many",
        [](std::uint64_t n, std::string& bytes) { bytes.append(n == 10 ? 1 : 0, 'a'); }},
       {"the end", [](std::uint64_t n, std::string& bytes) {
          if (n == 10) bytes.clear();
        }}}));
  CAPTURE(wrong.what);
  const Server server(wrong.rule);
  bench::OpenLoad load("test", server.port(), 3, 64);
  const bench::OpenTurn turn = load.at_rate(1000, 50ms);
  CHECK(turn.errors == 1);
  CHECK(turn.latencies.count() == 49);  // the other connections go on
}

TEST_CASE("latency load: no connection is left", "[bench]") {
  const Server server([](std::uint64_t, std::string& bytes) { bytes.clear(); });
  bench::OpenLoad load("test", server.port(), 2, 64);
  CHECK_THROWS_WITH(load.at_rate(1000, 50ms), "test: no connection is left");
}
