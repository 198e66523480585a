// The load of `compare tcp`. All connections to all servers stay open.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "load.hpp"
#include "load_ring.hpp"
#include "payload.hpp"

namespace bench {

/// What travels.
struct Traffic {
  std::size_t connections = 1;  ///< to each server
  std::size_t size = 256;       ///< of a request, in bytes
  std::size_t pipeline = 1;     ///< requests on their way on each connection
  bool sink = false;            ///< the answer is one byte, instead of an echo
};

class PairedLoad final : public TimedLoad {
 public:
  /// Throws std::system_error when the ring cannot be made.
  explicit PairedLoad(const Traffic& traffic);
  ~PairedLoad() override;
  PairedLoad(const PairedLoad&) = delete;
  PairedLoad& operator=(const PairedLoad&) = delete;

  void add_server(const std::string& name, std::uint16_t port) override;
  Turn turn(std::size_t server, std::chrono::nanoseconds length) override;

 private:
  using Time = std::chrono::steady_clock::time_point;

  struct Connection {
    int descriptor = -1;
    std::uint64_t asked = 0;  // requests, those that have to wait for a send to end too
    std::uint64_t answered = 0;
    std::uint64_t sent = 0;      // bytes
    std::uint64_t received = 0;  // bytes
    bool sending = false;        // only looked at where more than one can be on its way
    std::vector<Time> started;   // by request, those on their way
    std::vector<char> buffer;
  };
  struct Server {
    std::string name;
    std::vector<Connection> connections;
    Histogram* latencies = nullptr;
  };

  void ask(Connection& connection, std::uint64_t requests, Time now);
  void send(Connection& connection);
  void receive(Connection& connection);
  void on_sent(Connection& connection, int result);
  bool on_received(Server& server, Connection& connection, int result, bool more, Time now,
                   Turn& turn);
  void fail(Connection& connection, Turn& turn);

  Traffic traffic_;
  std::size_t answer_;  // bytes
  PayloadStream payload_;
  std::vector<Server> servers_;
  LoadRing ring_;  // is destroyed before the buffers of the connections
};

}  // namespace bench
