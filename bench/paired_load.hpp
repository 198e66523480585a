// The load of `compare tcp`. All connections to all servers stay open.
#pragma once

#include <liburing.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "load.hpp"
#include "payload.hpp"

namespace bench {

class PairedLoad final : public Load {
 public:
  /// Each server gets `connections` connections, each request has `size` bytes.
  /// Throws std::system_error when the ring cannot be made.
  PairedLoad(std::size_t connections, std::size_t size);
  ~PairedLoad() override;
  PairedLoad(const PairedLoad&) = delete;
  PairedLoad& operator=(const PairedLoad&) = delete;

  void add_server(const std::string& name, std::uint16_t port) override;
  /// Every connection has one request on its way.
  Turn turn(std::size_t server, std::chrono::nanoseconds length) override;

 private:
  struct Connection {
    int descriptor = -1;
    std::size_t received = 0;
    const char* request = nullptr;
    std::vector<char> answer;
  };
  struct Server {
    std::string name;
    std::vector<Connection> connections;
  };

  io_uring_sqe* next_sqe();
  void send(Connection& connection);
  void receive(Connection& connection);
  void start_request(Connection& connection);
  void wait(const Server& server, std::size_t waiting);
  bool answered(Connection& connection, int result, Turn& turn);
  void fail(Connection& connection, Turn& turn);

  Payload payload_;
  std::size_t connections_;
  std::vector<Server> servers_;
  std::uint64_t sequence_ = 0;
  io_uring ring_{};
};

}  // namespace bench
