#pragma once

// Descriptors made with raw calls, where System has no verb for them.

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <proa/socket.hpp>
#include <string_view>
#include <utility>

#include "support/world.hpp"

namespace proa_test {

// A raw descriptor, closed at the end.
struct Raw {
  explicit Raw(int opened) : number(opened) { REQUIRE(number >= 0); }
  Raw(Raw&& other) noexcept : number(std::exchange(other.number, -1)) {}
  ~Raw() {
    if (number >= 0) ::close(number);
  }
  void write(std::string_view text) const {
    REQUIRE(::write(number, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  int flags() const { return ::fcntl(number, F_GETFL); }
  int number;
};

inline proa::Socket& borrow(World& world, const Raw& raw) {
  std::error_code error;
  proa::Socket& borrowed = world.own(proa::Socket::borrow(*world, raw.number, error));
  INFO(error.message());
  REQUIRE(!error);
  return borrowed;
}

// Lets SIGPIPE through to a handler that counts, whatever was blocked before.
class SigpipeCount {
 public:
  SigpipeCount() {
    seen_ = 0;
    struct sigaction action = {};
    action.sa_handler = [](int) { seen_ = seen_ + 1; };
    REQUIRE(::sigaction(SIGPIPE, &action, &action_before_) == 0);
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    REQUIRE(::pthread_sigmask(SIG_UNBLOCK, &pipe, &mask_before_) == 0);
  }
  ~SigpipeCount() {
    ::pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
    ::sigaction(SIGPIPE, &action_before_, nullptr);
  }
  // Those that came, and one that is blocked and would come.
  int count() const {
    sigset_t pending;
    ::sigpending(&pending);
    return static_cast<int>(seen_) + sigismember(&pending, SIGPIPE);
  }

 private:
  inline static volatile std::sig_atomic_t seen_ = 0;
  struct sigaction action_before_ = {};
  sigset_t mask_before_ = {};
};

}  // namespace proa_test
