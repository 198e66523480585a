#pragma once

// A listener for tests, and a process that runs out of descriptors.

#include <sys/resource.h>
#include <unistd.h>

#include <functional>
#include <proa/accept_handler.hpp>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "support/world.hpp"

namespace proa_test {

// Keeps what it accepts.
class Door : public proa::AcceptHandler {
 public:
  using AcceptHandler::AcceptHandler;
  // A test that failed left it open.
  ~Door() override {
    then = {};
    if (is_open()) close();
    while (is_open()) proactor().run_once(1ms);
  }

  struct Guest {
    proa::Socket socket;
    proa::Address peer;
  };
  std::vector<Guest> guests;
  std::vector<std::error_code> pauses;
  std::vector<std::error_code> errors;
  int closed = 0;
  std::function<void()> then;

  void end(World& world) {
    close();
    world.run_until("the listener was closed", [&] { return closed > 0; });
    guests.clear();
  }

 protected:
  void on_accept(proa::Socket socket, const proa::Address& peer) override {
    guests.push_back({std::move(socket), peer});
    if (then) then();
  }
  void on_paused(std::error_code error) override { pauses.push_back(error); }
  void on_error(std::error_code error) override {
    errors.push_back(error);
    close();
  }
  void on_closed() override { ++closed; }
};

// Frees all it has when it goes.
class LimitedDescriptors {
 public:
  explicit LimitedDescriptors(std::size_t free) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    rlimit lower = before_;
    // Those that are open are numbered without gaps, more or less: the highest counts.
    const int highest = ::dup(0);
    REQUIRE(highest >= 0);
    ::close(highest);
    lower.rlim_cur = static_cast<rlim_t>(highest) + static_cast<rlim_t>(free);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &lower) == 0);
  }
  ~LimitedDescriptors() {
    free_all();
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  LimitedDescriptors(const LimitedDescriptors&) = delete;
  LimitedDescriptors& operator=(const LimitedDescriptors&) = delete;

  void use_up() {
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) used_.push_back(fd);
  }
  void free_one() {
    ::close(used_.back());
    used_.pop_back();
  }
  void free_all() {
    while (!used_.empty()) free_one();
  }

 private:
  rlimit before_{};
  std::vector<int> used_;
};

// Connections that the kernel has completed and nobody has accepted.
inline std::vector<Peer*> fill_backlog(World& world, const proa::Address& address,
                                       std::size_t connections) {
  std::vector<Peer*> peers;
  for (std::size_t i = 0; i < connections; ++i) {
    peers.push_back(&world.peer());
    peers.back()->connect(address);
    while (!peers.back()->connected()) peers.back()->turn();
  }
  return peers;
}

// Turns the world until `holds`; how many turns a callback ended by an exception.
inline int run_and_count_throws(World& world, const std::function<bool()>& holds) {
  int thrown = 0;
  for (const proa::TimePoint until = world.in(hang); !holds() && world.system().now() < until;) {
    try {
      world.turn();
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  CHECK(holds());
  return thrown;
}

}  // namespace proa_test
