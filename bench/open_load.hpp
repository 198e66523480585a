// Requests that come when they are due, whether or not the server has answered those before. A load
// that waits for answers asks less of a server that is slow, and hides from its own numbers what
// others would have had to wait. Here the clock of a request runs from when it was due, not from
// when it could be sent.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "histogram.hpp"
#include "payload.hpp"

namespace bench {

/// What came of the requests of one turn.
struct OpenTurn {
  Histogram latencies;  ///< of those answered, every byte right; from when they were due, in ns
  Histogram late;       ///< by how much the load itself was late with sending, in ns
  std::uint64_t errors = 0;  ///< wrong bytes, or a connection that ended
  std::uint64_t unsent = 0;  ///< given up: the server was too slow for the rate
  double seconds = 0;        ///< until the last answer
};

class OpenLoad {
 public:
  /// Connects to an echo server on 127.0.0.1; `name` is for messages. Throws std::system_error.
  OpenLoad(const std::string& name, std::uint16_t port, std::size_t connections, std::size_t size);

  /// Request k of `rate` per second is due k/rate after the start, on whichever connection is free
  /// then, or becomes free first. Those that could not be sent a second after `length` are given
  /// up. Throws std::runtime_error when nothing moves for 5 seconds, or no connection is left.
  OpenTurn at_rate(double rate, std::chrono::nanoseconds length);

  /// A request is due on every connection as soon as it is free: the most that the server bears.
  OpenTurn flat_out(std::chrono::nanoseconds length);

 private:
  using Clock = std::chrono::steady_clock;
  struct Descriptor {
    int number = -1;

    Descriptor() = default;
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { reset(); }
    bool is_open() const { return number >= 0; }
    void reset() {
      if (is_open()) close(number);
      number = -1;
    }
  };
  struct Connection {
    Descriptor socket;
    bool waiting = false;  // for an answer
    const char* request = nullptr;
    std::size_t sent = 0;
    std::size_t received = 0;
    Clock::time_point due{};
    Clock::time_point free_since{};
  };

  void connect(std::size_t index, std::uint16_t port);
  OpenTurn run(std::chrono::duration<double, std::nano> interval, std::uint64_t total,
               std::chrono::nanoseconds limit);
  void start_request(Clock::time_point due, OpenTurn& turn);
  bool take_answers(OpenTurn& turn);
  void send_rest(std::size_t index, OpenTurn& turn);
  void receive(std::size_t index, OpenTurn& turn);
  void fail(std::size_t index, OpenTurn& turn);

  std::string name_;
  Payload payload_;
  Descriptor epoll_;
  std::vector<Connection> connections_;
  std::deque<std::size_t> free_;  // the one that was used least recently is first
  std::vector<char> buffer_;
  std::size_t open_ = 0;
  std::size_t waiting_ = 0;
  std::uint64_t sequence_ = 0;
};

}  // namespace bench
