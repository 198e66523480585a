// The load of `compare accept`: connections that are made, echo one request and are closed.
#pragma once

#include <string>
#include <vector>

#include "arguments.hpp"
#include "load.hpp"
#include "load_ring.hpp"
#include "payload.hpp"

namespace bench {

class ConnectingLoad final : public TimedLoad {
 public:
  /// So many connections at a time. Throws std::system_error when the ring cannot be made.
  ConnectingLoad(std::size_t connections, std::size_t size);
  ~ConnectingLoad() override;
  ConnectingLoad(const ConnectingLoad&) = delete;
  ConnectingLoad& operator=(const ConnectingLoad&) = delete;

  void add_server(const std::string& name, std::uint16_t port) override;
  /// A request of the turn is a connection, from socket() to the server's end of it.
  Turn turn(std::size_t server, std::chrono::nanoseconds length) override;

 private:
  using Time = std::chrono::steady_clock::time_point;

  enum class Step { connect, echo, end };

  struct Connection {
    int descriptor = -1;
    Step step = Step::connect;
    const char* request = nullptr;
    std::size_t received = 0;
    Time started;
    std::vector<char> answer;
  };
  struct Server {
    std::string name;
    Endpoint endpoint;
    Histogram* latencies = nullptr;
  };

  void open(const Server& server, Connection& connection, Time now);
  void receive(Connection& connection);
  bool advance(Connection& connection, int result);

  Payload payload_;
  std::vector<Connection> connections_;
  std::vector<Server> servers_;
  std::uint64_t sequence_ = 0;
  LoadRing ring_;  // is destroyed before the buffers of the connections
};

}  // namespace bench
