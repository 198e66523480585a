// Many connections on one thread that send a request, wait for the echo, compare it and send the
// next.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "histogram.hpp"
#include "payload.hpp"

namespace bench {

using Clock = std::chrono::steady_clock;

class EchoClient {
 public:
  /// Connects nothing yet. `size` is that of a request, in bytes.
  EchoClient(const Endpoint& server, std::size_t connections, std::size_t size);
  ~EchoClient();
  EchoClient(const EchoClient&) = delete;
  EchoClient& operator=(const EchoClient&) = delete;

  /// Connects all, waiting at most until `limit`. Those that fail are counted as errors.
  /// Returns how many stand.
  std::size_t connect(Clock::time_point limit);

  /// Sends and receives until `end`, or until no connection is left. The first call sends the first
  /// request of each connection; a later one goes on with those on their way.
  void run(Clock::time_point end);

  /// Sends nothing new, and waits at most until `limit` for what is on its way.
  /// Requests still unanswered then are counted as errors.
  void drain(Clock::time_point limit);

  std::size_t open_connections() const { return open_; }
  std::uint64_t requests() const { return latencies_.count(); }  ///< answered, and rightly so
  const Histogram& latencies() const { return latencies_; }      ///< of these, in ns
  std::uint64_t errors() const;
  const std::map<std::string, std::uint64_t>& errors_by_kind() const { return errors_; }

 private:
  struct Connection {
    int descriptor = -1;
    bool connecting = false;
    bool waiting = false;  // for an answer
    std::uint64_t sequence = 0;
    std::size_t sent = 0;
    std::size_t received = 0;
    Clock::time_point started;
  };

  void start_connecting(std::size_t index);
  void wait(Clock::time_point limit);
  void on_event(std::size_t index, Clock::time_point now);
  bool finish_connecting(Connection& connection);
  void start_request(std::size_t index, Clock::time_point now);
  void send_rest(std::size_t index);
  void receive(std::size_t index, Clock::time_point now);
  void fail(Connection& connection, const std::string& kind);
  const char* expected(std::size_t index) const;

  Endpoint server_;
  Payload payload_;
  std::vector<Connection> connections_;
  std::vector<char> buffer_;
  int epoll_ = -1;
  std::size_t open_ = 0;
  std::size_t connecting_ = 0;
  std::size_t waiting_ = 0;
  bool started_ = false;
  bool draining_ = false;
  Histogram latencies_;
  std::map<std::string, std::uint64_t> errors_;
};

}  // namespace bench
