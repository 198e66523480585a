// The load that judges datagram servers, itself judged by servers that do one thing wrong.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "../../bench/datagram_client.hpp"
#include "support/catch.hpp"

namespace {

/// Echoes on a thread of its own. What a test changes: how often the n-th datagram (from 1) is sent
/// back, and with which bytes.
class Server {
 public:
  using Rule = std::function<int(std::uint64_t n, std::vector<char>& bytes)>;

  /// The kernel cuts what is longer than `segment` into datagrams of that size.
  Server(Rule rule, int segment) : rule_(std::move(rule)) {
    setsockopt(socket_, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(bind(socket_, generic, length) == 0);
    REQUIRE(getsockname(socket_, generic, &length) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }

  ~Server() {
    const int other = socket(AF_INET, SOCK_DGRAM, 0);
    const bench::Endpoint self = bench::to_endpoint("127.0.0.1", port_);
    sendto(other, nullptr, 0, 0, self.get(), self.length);  // the end
    thread_.join();
    close(other);
    close(socket_);
  }

  std::uint16_t port() const { return port_; }

 private:
  void serve() {
    std::vector<char> bytes;
    for (std::uint64_t n = 1;; ++n) {
      bytes.resize(65536);
      sockaddr_in from{};
      socklen_t length = sizeof from;
      auto* const source = reinterpret_cast<sockaddr*>(&from);
      const ssize_t received = recvfrom(socket_, bytes.data(), bytes.size(), 0, source, &length);
      if (received <= 0) return;
      bytes.resize(static_cast<std::size_t>(received));
      for (int times = rule_(n, bytes); times > 0; --times) {
        sendto(socket_, bytes.data(), bytes.size(), 0, source, length);
      }
    }
  }

  Rule rule_;
  int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  std::uint16_t port_ = 0;
  std::thread thread_;
};

struct Outcome {
  bench::Turn turn;
  std::uint64_t sent = 0;
  std::uint64_t lost = 0;
  std::string errors;  // their kinds
};

/// 4 clients, 50 datagrams each, 5 on their way.
Outcome judge(Server::Rule rule, std::size_t segments = 1) {
  const Server server(std::move(rule), segments > 1 ? 100 : 0);
  bench::DatagramShape shape;
  shape.clients = 4;
  shape.depth = 5;
  shape.size = 100;
  shape.messages = 50;
  shape.segments = segments;
  bench::DatagramClient client("test", bench::to_endpoint("127.0.0.1", server.port()), shape);
  Outcome outcome;
  outcome.turn = client.run(std::chrono::hours(1));
  outcome.sent = client.sent();
  outcome.lost = client.lost();
  for (const auto& entry : client.errors_by_kind()) outcome.errors += entry.first + "; ";
  CHECK(client.latencies().count() == outcome.turn.requests);
  return outcome;
}

}  // namespace

TEST_CASE("datagram load: a faithful server", "[bench]") {
  const std::size_t segments = GENERATE(std::size_t{1}, std::size_t{5}, std::size_t{3});
  const Outcome outcome = judge([](std::uint64_t, std::vector<char>&) { return 1; }, segments);
  CHECK(outcome.turn.requests == 200);
  CHECK(outcome.turn.errors == 0);
  CHECK(outcome.sent >= 200 + outcome.lost);
}

TEST_CASE("datagram load: answers that come in one piece are several", "[bench]") {
  std::vector<char> joined;
  const Outcome outcome = judge(
      [&](std::uint64_t n, std::vector<char>& bytes) {
        joined.insert(joined.end(), bytes.begin(), bytes.end());
        if (n % 5 != 0) return 0;
        bytes.swap(joined);
        joined.clear();
        return 1;
      },
      5);
  CHECK(outcome.turn.requests == 200);
  CHECK(outcome.turn.errors == 0);
}

TEST_CASE("datagram load: what is swallowed is sent again and counted as lost", "[bench]") {
  const Outcome outcome =
      judge([](std::uint64_t n, std::vector<char>&) { return n % 20 == 7 ? 0 : 1; });
  CHECK(outcome.turn.requests == 200);
  CHECK(outcome.turn.errors == 0);
  CHECK(outcome.lost >= 10);
  CHECK(outcome.sent >= 210);
}

TEST_CASE("datagram load: a second answer is an error", "[bench]") {
  const Outcome outcome = judge([](std::uint64_t, std::vector<char>&) { return 2; });
  CHECK(outcome.turn.requests == 200);
  CHECK(outcome.errors == "answer to nothing that was sent, or answered twice; ");
}

TEST_CASE("datagram load: each wrong answer is found", "[bench]") {
  struct Case {
    const char* error;
    void (*spoil)(std::vector<char>&);
  };
  const Case spoiled = GENERATE(
      Case{"payload differs; ", [](std::vector<char>& bytes) { bytes[99] ^= 1; }},
      Case{"payload differs; ", [](std::vector<char>& bytes) { bytes[12] ^= 1; }},
      Case{"answer for another client; ", [](std::vector<char>& bytes) { bytes[8] ^= 1; }},
      Case{"answer to nothing that was sent, or answered twice; ",
           [](std::vector<char>& bytes) { bytes[6] ^= 1; }},
      Case{"answer of another size; ", [](std::vector<char>& bytes) { bytes.pop_back(); }},
      Case{"answer of another size; ", [](std::vector<char>& bytes) { bytes.push_back(0); }},
      Case{"answer of another size; ", [](std::vector<char>& bytes) { bytes.clear(); }});
  const Outcome outcome = judge([&](std::uint64_t n, std::vector<char>& bytes) {
    if (n >= 20 && n < 30) spoiled.spoil(bytes);
    return 1;
  });
  CHECK(outcome.turn.errors > 0);
  CHECK(outcome.errors == spoiled.error);
}

TEST_CASE("datagram load: what comes in another order is right", "[bench]") {
  std::vector<char> kept;
  const Outcome outcome = judge([&](std::uint64_t, std::vector<char>& bytes) {
    // The payload of one client that has two on their way at least: the first waits for the second.
    if (bytes[8] != 0) return 1;
    if (kept.empty()) {
      kept = bytes;
      return 0;
    }
    bytes.swap(kept);
    return 1;
  });
  CHECK(outcome.turn.requests == 200);
  CHECK(outcome.turn.errors == 0);
}

TEST_CASE("datagram load: shapes that cannot be", "[bench]") {
  bench::DatagramShape shape;
  CHECK(shape.mistake().empty());
  CHECK(shape.warning().empty());
  shape.size = 11;
  CHECK(!shape.mistake().empty());
  shape.size = 65508;
  CHECK(!shape.mistake().empty());
  shape.size = 10000;
  shape.segments = 7;  // 70,000 bytes
  CHECK(!shape.mistake().empty());
  shape.size = 100;
  shape.segments = 11;  // of 10 on their way
  CHECK(!shape.mistake().empty());
  shape = {};
  shape.clients = 100000;
  CHECK(!shape.warning().empty());
}
