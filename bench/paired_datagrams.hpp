// The load of `compare udp`: as many sockets, with the same windows, to each server.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "datagram_client.hpp"
#include "load.hpp"

namespace bench {

class PairedDatagrams final : public Load {
 public:
  /// With `new_sockets` every turn has sockets of its own: how the kernel divides them among
  /// several sockets of a server is a matter of luck, which then changes from turn to turn.
  PairedDatagrams(const DatagramShape& shape, bool new_sockets)
      : shape_(shape), new_sockets_(new_sockets) {}

  void add_server(const std::string& name, std::uint16_t port) override {
    servers_.push_back({name, to_endpoint("127.0.0.1", port), nullptr, 0});
    connect(servers_.back());
  }

  Turn turn(std::size_t index, std::chrono::nanoseconds length) override {
    Server& server = servers_.at(index);
    if (new_sockets_) {
      server.lost_before = lost(index);
      connect(server);
    }
    return server.client->run(length);
  }

  std::uint64_t lost(std::size_t index) const override {
    return servers_.at(index).lost_before + servers_.at(index).client->lost();
  }

 private:
  struct Server {
    std::string name;
    Endpoint endpoint;
    std::unique_ptr<DatagramClient> client;
    std::uint64_t lost_before = 0;  // by earlier clients
  };

  void connect(Server& server) {
    server.client = std::make_unique<DatagramClient>(server.name, server.endpoint, shape_);
  }

  DatagramShape shape_;
  bool new_sockets_;
  std::vector<Server> servers_;
};

}  // namespace bench
