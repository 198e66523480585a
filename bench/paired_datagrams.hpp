// The load of `compare udp`: the same sockets and windows to each server.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "datagram_client.hpp"
#include "load.hpp"

namespace bench {

class PairedDatagrams final : public Load {
 public:
  explicit PairedDatagrams(const DatagramShape& shape) : shape_(shape) {}

  void add_server(const std::string& name, std::uint16_t port) override {
    clients_.push_back(
        std::make_unique<DatagramClient>(name, to_endpoint("127.0.0.1", port), shape_));
  }

  Turn turn(std::size_t server, std::chrono::nanoseconds length) override {
    return clients_.at(server)->run(length);
  }

  std::uint64_t lost(std::size_t server) const override { return clients_.at(server)->lost(); }

 private:
  DatagramShape shape_;
  std::vector<std::unique_ptr<DatagramClient>> clients_;
};

}  // namespace bench
