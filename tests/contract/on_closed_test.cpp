// on_closed() is the last call: what a handler's verbs do when on_closed() calls them.
#include <csignal>
#include <functional>
#include <memory>
#include <proa/proa.hpp>

#include "support/world.hpp"

namespace {

using namespace proa_test;
using proa::Address;

struct ClosedHandler {
  virtual ~ClosedHandler() = default;
  virtual void begin(World& world) = 0;  // the verb that opens
  virtual void close() = 0;
  virtual void finish() {}
  virtual bool idle() const = 0;
  /// Verbs that need what the handler does not have; false if it has none.
  virtual bool need() { return false; }

  std::function<void(ClosedHandler&)> then;
  int ended = 0;
  int begun = 0;
  int failures = 0;
};

template <class Base>
class Closed : public Base, public ClosedHandler {
 public:
  explicit Closed(World& world) : Base(*world) {}
  ~Closed() override = default;
  void close() override { Base::close(); }
  bool idle() const override { return !Base::is_open(); }

 protected:
  void on_error(std::error_code) override {
    ++failures;
    close();
  }
  void on_closed() override {
    ++ended;
    if (const auto call = then) call(*this);  // a copy: it may destroy the handler
  }
};

struct Stream final : Closed<proa::StreamHandler> {
  using Closed::Closed;
  void begin(World& world) override { connect(world.listen().local_address()); }
  void finish() override { StreamHandler::finish(); }
  bool need() override {
    write("x");
    half_close();
    return true;
  }
  void on_open() override { ++begun; }
  void on_read(proa::Buffer&) override {}
};
struct Stored final : Closed<proa::FileHandler> {
  using Closed::Closed;
  void begin(World&) override { open("/dev/null", proa::OpenFlags::read); }
  void finish() override { FileHandler::finish(); }
  bool need() override {
    write("x");
    sync();
    return true;
  }
  void on_open() override { ++begun; }
};
struct Acceptor final : Closed<proa::AcceptHandler> {
  using Closed::Closed;
  void begin(World&) override { begun += listen(Address::loopback(0)) ? 0 : 1; }
  void finish() override { AcceptHandler::finish(); }
  void on_accept(proa::Socket, const Address&) override {}
};
struct Datagrams final : Closed<proa::DatagramHandler> {
  using Closed::Closed;
  void begin(World&) override { begun += bind(Address::loopback(0)) ? 0 : 1; }
  void finish() override { DatagramHandler::finish(); }
  void on_receive(proa::Buffer&, const Address&, const proa::DatagramInfo&) override {}
  bool need() override {
    send("x", Address::loopback(1));
    return true;
  }
};
struct Alarm final : Closed<proa::TimerHandler> {
  using Closed::Closed;
  void begin(World&) override {
    start(1h);
    ++begun;
  }
  bool need() override {
    start_every(0s);
    return true;
  }
  void on_timer(std::uint64_t) override {}
};
struct Bell final : Closed<proa::Notifier> {
  using Closed::Closed;
  void begin(World&) override {
    start();
    ++begun;
  }
  void on_notify() override {}
};
struct Signals final : Closed<proa::SignalHandler> {
  using Closed::Closed;
  void begin(World&) override { begun += start(SIGUSR1) ? 0 : 1; }
  void on_signal(int, std::uint64_t) override {}
};

using Make = std::unique_ptr<ClosedHandler> (*)(World&);
template <class H>
std::unique_ptr<ClosedHandler> made(World& world) {
  return std::make_unique<H>(world);
}
struct Kind {
  const char* name;
  Make make;
};
constexpr Kind kinds[] = {
    {"stream", &made<Stream>},       {"file", &made<Stored>}, {"listener", &made<Acceptor>},
    {"datagrams", &made<Datagrams>}, {"timer", &made<Alarm>}, {"notifier", &made<Bell>},
    {"signals", &made<Signals>},
};

/// Tries each kind: opens a handler, closes it, and runs until on_closed() was called `times`.
void each_kind(const std::function<void(World&, ClosedHandler&)>& closing, int times, int begun) {
  for (const Kind& kind : kinds) {
    CAPTURE(kind.name);
    World world;
    const auto handler = kind.make(world);
    handler->begin(world);
    world.run_until("it is open", [&] { return handler->begun == 1; });
    handler->then = [&](ClosedHandler& closed) { closing(world, closed); };
    handler->close();
    world.run_until("on_closed() was called",
                    [&] { return handler->ended >= times && handler->begun >= begun; });
    for (int i = 0; i < 5; ++i) world.turn();
    CHECK(handler->ended == times);
    CHECK(handler->begun == begun);
    CHECK(handler->failures == 0);
    handler->then = {};
    if (!handler->idle()) handler->close();
    world.run_until("it is idle", [&] { return handler->idle(); });
  }
}

TEST_CASE("close() and finish() in on_closed() do nothing", "[R6]") {
  SECTION("close()") {
    each_kind([](World&, ClosedHandler& closed) { closed.close(); }, 1, 1);
  }
  SECTION("finish()") {
    each_kind([](World&, ClosedHandler& closed) { closed.finish(); }, 1, 1);
  }
  SECTION("close() behind verbs that need what the handler does not have") {
    each_kind(
        [](World&, ClosedHandler& closed) {
          closed.need();
          closed.close();
        },
        1, 1);
  }
  SECTION("close() before the verb that opens") {
    each_kind(
        [](World& world, ClosedHandler& closed) {
          closed.close();
          closed.finish();
          if (closed.ended == 1) closed.begin(world);
        },
        1, 2);
  }
  SECTION("and the handler may be destroyed") {
    for (const Kind& kind : kinds) {
      CAPTURE(kind.name);
      World world;
      auto handler = kind.make(world);
      handler->begin(world);
      world.run_until("it is open", [&] { return handler->begun == 1; });
      handler->then = [&](ClosedHandler& closed) {
        closed.close();
        closed.finish();
        handler.reset();
      };
      handler->close();
      world.run_until("it is gone", [&] { return !handler; });
      CHECK(world->run() == 0);
    }
  }
}

TEST_CASE("close() in on_closed() ends what on_closed() has begun", "[R6]") {
  for (const Kind& kind : kinds) {
    CAPTURE(kind.name);
    World world;
    const auto handler = kind.make(world);
    handler->begin(world);
    world.run_until("it is open", [&] { return handler->begun == 1; });
    handler->then = [&](ClosedHandler& closed) {
      if (closed.ended > 1) return;
      closed.begin(world);
      closed.close();
    };
    handler->close();
    world.run_until("on_closed() came again", [&] { return handler->ended == 2; });
    for (int i = 0; i < 5; ++i) world.turn();
    CHECK(handler->ended == 2);
    CHECK(handler->idle());
  }
}

TEST_CASE("what on_closed() closes again and opens again begins behind the next on_closed()",
          "[R6]") {
  for (const Kind& kind : {kinds[0], kinds[1]}) {
    CAPTURE(kind.name);
    World world;
    const auto handler = kind.make(world);
    handler->begin(world);
    world.run_until("it is open", [&] { return handler->begun == 1; });
    handler->then = [&](ClosedHandler& closed) {
      if (closed.ended > 1) return;
      closed.begin(world);
      closed.close();
      closed.begin(world);
    };
    handler->close();
    world.run_until("it is open again", [&] { return handler->begun == 2; });
    CHECK(handler->ended == 2);
    handler->close();
    world.run_until("it is idle", [&] { return handler->idle(); });
    CHECK(handler->ended == 3);
  }
}

TEST_CASE("on_closed() may destroy a handler behind verbs that need a connection or a file",
          "[R6]") {
  const bool begins_behind_close = GENERATE(false, true);
  for (const Kind& kind : kinds) {
    CAPTURE(kind.name);
    World world;
    auto handler = kind.make(world);
    if (!handler->need()) continue;
    handler->close();
    if (begins_behind_close) handler->begin(world);
    handler->then = [&](ClosedHandler& closed) {
      closed.need();
      handler.reset();
    };
    world.run_until("it is gone", [&] { return !handler; });
    CHECK(world->run() == 0);
  }
}

}  // namespace
