// A System of a program's own that knows only what it must: around the one of the backend under
// test, without what has a default.
#include <proa/backend.hpp>
#include <string>
#include <utility>

#include "accept_rig.hpp"
#include "backend/select.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::Descriptor;

class OwnSystem final : public proa::System {
 public:
  explicit OwnSystem(System& inner) : inner_(inner) {}

  proa::TimePoint now() noexcept override { return inner_.now(); }
  long entropy(proa::MutableBytes bytes) noexcept override { return inner_.entropy(bytes); }
  long open_socket(Address::Family family, proa::Transport transport,
                   Descriptor& opened) noexcept override {
    return inner_.open_socket(family, transport, opened);
  }
  long bind(Descriptor socket, const Address& address) noexcept override {
    return inner_.bind(socket, address);
  }
  long listen(Descriptor socket, int backlog) noexcept override {
    return inner_.listen(socket, backlog);
  }
  long connect(Descriptor socket, const Address& address) noexcept override {
    return inner_.connect(socket, address);
  }
  long accept(Descriptor listener, Descriptor& accepted, Address* peer) noexcept override {
    return inner_.accept(listener, accepted, peer);
  }
  long recv(Descriptor from, proa::MutableBytes bytes) noexcept override {
    return inner_.recv(from, bytes);
  }
  long send(Descriptor to, proa::Bytes bytes) noexcept override { return inner_.send(to, bytes); }
  long send_urgent(Descriptor to, proa::Bytes bytes) noexcept override {
    return inner_.send_urgent(to, bytes);
  }
  long shutdown(Descriptor socket, proa::ShutdownSide side) noexcept override {
    return inner_.shutdown(socket, side);
  }
  long set_option(Descriptor socket, proa::SocketOption option, int value) noexcept override {
    return inner_.set_option(socket, option, value);
  }
  long get_option(Descriptor socket, proa::SocketOption option, int& value) noexcept override {
    return inner_.get_option(socket, option, value);
  }
  long local_address(Descriptor socket, Address& address) noexcept override {
    return inner_.local_address(socket, address);
  }
  long peer_address(Descriptor socket, Address& address) noexcept override {
    return inner_.peer_address(socket, address);
  }
  long borrow(int number, Descriptor& borrowed, bool& reopened) noexcept override {
    return inner_.borrow(number, borrowed, reopened);
  }
  long close(Descriptor descriptor) noexcept override { return inner_.close(descriptor); }
  void forget(Descriptor descriptor) noexcept override { inner_.forget(descriptor); }

 private:
  System& inner_;
};

class OwnBackend final : public proa::Backend {
 public:
  explicit OwnBackend(std::unique_ptr<Backend> inner)
      : inner_(std::move(inner)), system_(inner_->system()) {}

  void submit(proa::Operation& operation) noexcept override { inner_->submit(operation); }
  void cancel(proa::Operation& operation) noexcept override { inner_->cancel(operation); }
  void wait(proa::TimePoint until) noexcept override { inner_->wait(until); }
  proa::Operation* next() noexcept override { return inner_->next(); }
  void wake() noexcept override { inner_->wake(); }
  void withdraw(int descriptor) noexcept override { inner_->withdraw(descriptor); }
  proa::TimePoint next_deadline() const noexcept override { return inner_->next_deadline(); }
  int native_handle() const noexcept override { return inner_->native_handle(); }
  proa::System& system() noexcept override { return system_; }

 private:
  std::unique_ptr<Backend> inner_;
  OwnSystem system_;
};

std::unique_ptr<proa::Backend> create(const proa::BackendContext& context, std::string& why_not) {
  static const proa::Options inner = options();
  proa::BackendReport report;
  std::error_code error;
  auto made = proa::select_backend(
      {inner, context.buffers, context.blocking, context.counters, context.process}, report, error,
      why_not);
  return made ? std::make_unique<OwnBackend>(std::move(made)) : nullptr;
}

proa::Options with_own_system() {
  proa::Options made = options();
  made.backend = "own";
  made.extra_backends.push_back({"own", nullptr, create});
  return made;
}

TEST_CASE("a listener over a system of the program's own takes what waits when it finishes",
          "[R2]") {
  World world(with_own_system());
  Door door(*world);
  REQUIRE(!door.listen(Address::loopback(0)));
  fill_backlog(world, door.address(), 20);
  door.finish();
  world.run_until("the listener was closed", [&] { return door.closed > 0; });
  CHECK(door.guests.size() == 20);
  CHECK(door.errors.empty());
}

TEST_CASE("over a system of the program's own the want of descriptors is told too", "[R11][T21]") {
  World world(with_own_system());
  Door door(*world);
  REQUIRE(!door.listen(Address::loopback(0)));
  LimitedDescriptors limited(30);
  fill_backlog(world, door.address(), 1);
  limited.use_up();
  world.run_until("it is told", [&] { return !door.pauses.empty(); });
  limited.free_all();
  world.run_until("it was accepted", [&] { return door.guests.size() == 1; });
  CHECK(door.pauses.size() == 1);
  door.end(world);
}

TEST_CASE("a system asks poll(2) by itself", "[R7]") {
  World world(with_own_system());
  const Connection pair = world.pair();
  proa::System& system = world.system();
  CHECK(!system.readable(pair.descriptor()));
  CHECK(system.writable(pair.descriptor()));
  pair.far.send("x");
  world.run_until("a byte has come", [&] { return system.readable(pair.descriptor()); });
  // Numbers that the operating system does not know.
  Descriptor unknown = pair.descriptor();
  for (const int number : {-1, 1 << 29}) {
    unknown.number = number;
    CHECK(!system.readable(unknown));
    CHECK(!system.writable(unknown));
  }
}

}  // namespace
