#pragma once

// A proactor of the configuration under test, the peers that talk to it, and the guards around the
// test: at its end every descriptor is closed, every pool buffer is back, and every operation
// has completed.
//
// Declare the World after the requests and handlers of the test: its end delivers what is still
// pending, and they must live until then.

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <proa/error.hpp>
#include <proa/handler.hpp>
#include <proa/post.hpp>
#include <proa/proactor.hpp>
#include <proa/requests.hpp>
#include <proa/socket.hpp>
#include <string>

#include "support/catch.hpp"
#include "support/configuration.hpp"
#include "support/hang.hpp"
#include "support/peer.hpp"
#include "support/recording.hpp"

namespace proa_test {

using namespace std::chrono_literals;

// Descriptors of this process that are open.
std::size_t open_descriptors();

// Slower by this under sanitizers: for numbers of rounds, not for waiting.
bool sanitized();

enum class Link { tcp4, tcp6, path, abstract };

// Both ends of a connection: `near` is for the proactor, `far` is played by the test.
struct Connection {
  proa::Socket& near;
  Peer& far;
  proa::Descriptor descriptor() const { return near.descriptor(); }
};

class World {
 public:
  explicit World(const proa::Options& with = options());
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  proa::Proactor* operator->() { return proactor_.get(); }
  proa::Proactor& operator*() { return *proactor_; }
  proa::System& system() { return proactor_->system(); }

  // Turns the proactor and the peers until `holds`; fails the test after `limit`, saying `what` was
  // waited for.
  void run_until(const std::string& what, const std::function<bool()>& holds,
                 proa::Duration limit = hang);
  // One turn of all, waiting a millisecond at most.
  void turn();
  // Submits, and fails the test if that is refused.
  void submit(proa::Operation& operation, proa::TimePoint deadline = proa::never);
  // A point so far from now.
  proa::TimePoint in(proa::Duration length) { return proa::after(system().now(), length); }

  // A listener on an address of the world's own choosing. The path of a UNIX one is removed with
  // the World.
  proa::Socket& listen(Link link = Link::tcp4, int backlog = 0);
  Peer& peer();
  Peer& peer(proa::Socket connected);
  Connection pair(Link link = Link::tcp4);
  proa::Socket& own(proa::Socket socket);

  // A fresh name for a UNIX socket: an abstract one on Linux, else a path, which is removed with
  // the World.
  proa::Address local_name() { return fresh_address(Link::abstract); }
  // A listener whose queue is full, so that those who connect get no answer. Unset where the system
  // resets their connections instead. `made` is set to the listener.
  proa::Address full_listener(proa::Socket** made = nullptr);

  // The end of the world, with its guards; the destructor calls it if the test did not.
  // `shut_down`: the test did that itself, on another thread.
  void end(bool shut_down = false);

 private:
  proa::Address fresh_address(Link link);

  const std::size_t descriptors_before_;
  const long mappings_before_;
  std::unique_ptr<proa::Proactor> proactor_;
  std::list<proa::Socket> sockets_;
  std::list<Peer> peers_;
  std::list<std::string> paths_;
  bool ended_ = false;
};

inline void turns(World& world, int number) {
  for (int i = 0; i < number; ++i) world.turn();
}

}  // namespace proa_test
