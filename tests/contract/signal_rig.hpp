#pragma once

// A handler of signals for tests.

#include <cstdint>
#include <functional>
#include <proa/signal_handler.hpp>
#include <utility>
#include <vector>

#include "support/world.hpp"

namespace proa_test {

// Remembers its signals; stops when it goes out of scope.
class Listening : public proa::SignalHandler {
 public:
  using SignalHandler::SignalHandler;
  ~Listening() override { stop(); }

  std::vector<std::pair<int, std::uint64_t>> signals;
  std::uint64_t total = 0;
  int closed = 0;
  std::function<void()> then;

 protected:
  void on_signal(int signal, std::uint64_t count) override {
    signals.emplace_back(signal, count);
    total += count;
    if (then) then();
  }
  void on_closed() override { ++closed; }
};

}  // namespace proa_test
