#pragma once

// A datagram handler that remembers everything, and two of them that go away with the test.

#include <functional>
#include <proa/datagram_handler.hpp>
#include <string>
#include <vector>

#include "support/world.hpp"

namespace proa_test {

struct Collecting : proa::DatagramHandler {
  using DatagramHandler::DatagramHandler;
  void on_receive(proa::Buffer& data, const proa::Address& from,
                  const proa::DatagramInfo& with) override {
    received.emplace_back(data.text());
    sources.push_back(from);
    infos.push_back(with);
    if (then) then(data, from);
  }
  void on_sent(const proa::Address& to, const proa::Result& result) override {
    results.push_back(result);
    targets.push_back(to);
    if (then_sent) then_sent();
  }
  void on_error(std::error_code error) override { told.push_back(error); }
  void on_drained() override { ++drained; }
  void on_closed() override { ++closed; }

  std::vector<std::string> received;
  std::vector<proa::Address> sources;
  std::vector<proa::DatagramInfo> infos;
  std::vector<proa::Result> results;
  std::vector<proa::Address> targets;
  std::vector<std::error_code> told;
  std::function<void(proa::Buffer&, const proa::Address&)> then;
  std::function<void()> then_sent;
  int drained = 0;
  int closed = 0;
};

struct Two {
  explicit Two(World& in) : world(in), server(*in), client(*in) {}
  ~Two() {
    server.close();
    client.close();
    world.run_until("both are closed", [&] { return !server.is_open() && !client.is_open(); });
  }
  // Binds the server, and connects the client to it or, if it shall not be connected, binds it too.
  void meet(bool connected = true, const proa::DatagramOptions& of_server = {},
            const proa::DatagramOptions& of_client = {}) {
    const proa::Address any = proa::Address::loopback(0);
    REQUIRE(!server.bind(any, of_server));
    const std::error_code error =
        connected ? client.connect(server.address(), of_client) : client.bind(any, of_client);
    REQUIRE(!error);
  }
  World& world;
  Collecting server;
  Collecting client;
};

}  // namespace proa_test
