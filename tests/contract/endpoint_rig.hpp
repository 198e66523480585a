#pragma once

// A DatagramHandler whose callbacks are noted, and then passed on to what a test sets.

#include <algorithm>
#include <functional>
#include <list>
#include <proa/datagram_handler.hpp>
#include <string>
#include <vector>

#include "contract/stream_rig.hpp"
#include "support/patterns.hpp"
#include "support/world.hpp"

namespace proa_test {

class Endpoint : public proa::DatagramHandler {
 public:
  using DatagramHandler::DatagramHandler;

  std::function<void(proa::Buffer&, const proa::Address&)> receive;
  std::function<void(const proa::Result&)> sent;
  std::function<void(std::error_code)> failed;
  std::function<void()> drained, gone;

  std::vector<std::string> received;
  std::vector<proa::Address> sources;
  std::vector<proa::DatagramInfo> infos;
  std::vector<proa::Result> results;
  std::vector<proa::Address> targets;  // of the results
  std::vector<std::error_code> told;
  std::size_t drains = 0;
  int closed = 0;

  std::size_t failures() const {
    return static_cast<std::size_t>(std::count_if(
        results.begin(), results.end(), [](const auto& result) { return bool(result.error); }));
  }

 protected:
  void on_receive(proa::Buffer& data, const proa::Address& source,
                  const proa::DatagramInfo& info) override {
    received.emplace_back(data.text());
    sources.push_back(source);
    infos.push_back(info);
    if (receive) receive(data, source);
  }
  void on_sent(const proa::Address& to, const proa::Result& result) override {
    results.push_back(result);
    targets.push_back(to);
    if (sent) sent(result);
  }
  void on_error(std::error_code error) override {
    told.push_back(error);
    if (failed) failed(error);
  }
  void on_drained() override {
    ++drains;
    if (drained) drained();
  }
  void on_closed() override {
    ++closed;
    if (gone) gone();
  }
};

// Declare it before the World, whose end closes what is still open.
class Endpoints {
 public:
  Endpoint& add(World& world) { return all_.emplace_back(*world); }
  Endpoint& bound(World& world, const proa::Address& to = proa::Address::loopback(0),
                  const proa::DatagramOptions& options = {}) {
    Endpoint& made = add(world);
    check(made.bind(to, options));
    return made;
  }
  Endpoint& connected(World& world, const proa::Address& peer,
                      const proa::DatagramOptions& options = {}) {
    Endpoint& made = add(world);
    check(made.connect(peer, options));
    return made;
  }
  std::list<Endpoint>& all() { return all_; }

 private:
  static void check(const std::error_code& error) {
    INFO(error.message());
    REQUIRE(!error);
  }
  std::list<Endpoint> all_;
};

// A datagram socket without a handler.
inline proa::Socket& bound_socket(World& world,
                                  const proa::Address& to = proa::Address::loopback(0)) {
  std::error_code error;
  proa::Socket& socket =
      world.own(proa::Socket::open(*world, to.family(), proa::Transport::datagram, error));
  REQUIRE(!error);
  REQUIRE(!socket.bind(to));
  return socket;
}

inline void wait_received(World& world, const Endpoint& endpoint, std::size_t number) {
  world.run_until(std::to_string(number) + " datagrams have arrived",
                  [&] { return endpoint.received.size() >= number; });
}
inline void wait_told(World& world, const Endpoint& endpoint, std::size_t number) {
  world.run_until(std::to_string(number) + " sends are told",
                  [&] { return endpoint.results.size() >= number; });
}
inline void wait_closed(World& world, const Endpoint& endpoint) {
  world.run_until("it is closed", [&] { return endpoint.closed > 0; });
}
// "0", "1", ... : what a sender of numbers has sent.
inline std::vector<std::string> numbers(std::size_t count, std::size_t from = 0) {
  std::vector<std::string> texts;
  for (std::size_t i = from; i < from + count; ++i) texts.push_back(std::to_string(i));
  return texts;
}
inline void send_numbers(Endpoint& from, const proa::Address& to, std::size_t count,
                         std::size_t first = 0) {
  for (const std::string& text : numbers(count, first)) from.send(proa::Bytes(text), to);
}

inline proa::Address loopback6(std::uint16_t port = 0) {
  return proa::Address::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, port);
}

using Texts = std::vector<std::string>;

}  // namespace proa_test
