// What a load of `compare` does: it talks to several echo servers in turns, so that between turns
// nothing is on its way, the servers sleep, and their CPU time can be read.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "histogram.hpp"

namespace bench {

/// What happened in one turn.
struct Turn {
  std::uint64_t requests = 0;  ///< answered, every byte right
  std::uint64_t errors = 0;    ///< wrong bytes, or a connection that ended
  double seconds = 0;
};

class Load {
 public:
  virtual ~Load() = default;

  /// Adds a server on 127.0.0.1; `name` is for messages. Servers are numbered from 0 in the order
  /// of these calls. Throws std::system_error.
  virtual void add_server(const std::string& name, std::uint16_t port) = 0;

  /// Sends, waits for the echo, compares, and sends again until `length` has passed; then waits for
  /// what is on its way. Throws std::runtime_error when nothing moves for 5 seconds.
  virtual Turn turn(std::size_t server, std::chrono::nanoseconds length) = 0;

  /// Datagrams that had no answer in all turns so far: they, or their answers, did not arrive.
  virtual std::uint64_t lost(std::size_t) const { return 0; }

  /// From sending a request to its answer, in ns, in all turns since forget_latencies(); nullptr if
  /// nobody looked.
  virtual const Histogram* latencies(std::size_t) const { return nullptr; }

  /// After the warm-up: latencies() begins anew.
  virtual void forget_latencies() {}
};

/// One that looks at latencies.
class TimedLoad : public Load {
 public:
  const Histogram* latencies(std::size_t server) const override { return &latencies_.at(server); }
  void forget_latencies() override {
    for (auto& each : latencies_) each = {};
  }

 protected:
  /// Those of the server that is added; they stay where they are.
  Histogram* add_latencies() { return &latencies_.emplace_back(); }

 private:
  std::deque<Histogram> latencies_;
};

}  // namespace bench
