#pragma once

// A Reconnector whose calls are noted, and which may do more in them.

#include <functional>
#include <proa/reconnector.hpp>
#include <vector>

#include "support/world.hpp"

namespace proa_test {

// Remembers its calls.
class Again : public proa::Reconnector {
 public:
  explicit Again(proa::Proactor& proactor, const proa::Backoff& backoff = {})
      : Reconnector(proactor, backoff) {}
  ~Again() override = default;

  std::vector<std::uint64_t> attempts;
  std::vector<std::error_code> given_up;
  std::vector<std::error_code> errors;
  int closed = 0;
  std::function<void()> then, at_the_end;

 protected:
  void on_attempt() override {
    attempts.push_back(attempt());
    if (then) then();
  }
  void on_given_up(std::error_code last) override {
    given_up.push_back(last);
    if (at_the_end) at_the_end();
  }
  void on_error(std::error_code error) override {
    errors.push_back(error);
    Reconnector::on_error(error);
  }
  void on_closed() override { ++closed; }
};

using Attempts = std::vector<std::uint64_t>;
inline constexpr proa::Backoff quick{1ms, 4ms, 0};

}  // namespace proa_test
