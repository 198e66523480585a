// One load that talks to several echo servers in turns. All connections stay open; between turns
// nothing is on its way, so the servers sleep and their CPU time can be read.
#pragma once

#include <liburing.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "payload.hpp"

namespace bench {

/// What happened in one turn.
struct Turn {
  std::uint64_t requests = 0;  ///< answered, every byte right
  std::uint64_t errors = 0;    ///< wrong bytes, or a connection that ended
  double seconds = 0;
};

class PairedLoad {
 public:
  /// Each server gets `connections` connections, each request has `size` bytes.
  /// Throws std::system_error when the ring cannot be made.
  PairedLoad(std::size_t connections, std::size_t size);
  ~PairedLoad();
  PairedLoad(const PairedLoad&) = delete;
  PairedLoad& operator=(const PairedLoad&) = delete;

  /// Connects to a server on 127.0.0.1; `name` is for messages. Servers are numbered from 0 in the
  /// order of these calls. Throws std::system_error.
  void add_server(const std::string& name, std::uint16_t port);

  /// Every connection of that server sends, waits for the echo, compares, and sends again until
  /// `length` has passed; then waits for what is on its way. Throws std::runtime_error when nothing
  /// moves for 5 seconds.
  Turn turn(std::size_t server, std::chrono::nanoseconds length);

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
