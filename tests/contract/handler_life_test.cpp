// The life of handlers at its edges: before they are open, and when nobody opens any more.
#include <csignal>
#include <memory>
#include <proa/proa.hpp>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "signal_rig.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;
using Events = std::vector<std::string>;

struct Bell : proa::Notifier {
  using Notifier::Notifier;
  ~Bell() override = default;
  int rings = 0;

 private:
  void on_notify() override { ++rings; }
};

TEST_CASE("what was notified before start() is told behind it", "[R9]") {
  World world;
  Bell bell(*world);
  std::thread([&] { bell.notify(); }).join();
  const int rounds = GENERATE(0, 1, 3);
  const proa::KeepAlive keep_alive(*world);
  for (int i = 0; i < rounds; ++i) world.turn();
  CHECK(bell.rings == 0);
  bell.start();
  world.run_until("it rang", [&] { return bell.rings > 0; });
  for (int i = 0; i < 3; ++i) world.turn();
  CHECK(bell.rings == 1);
  bell.close();
  world.run_until("it is closed", [&] { return !bell.is_open(); });
  // As new: what came before is forgotten.
  bell.start();
  for (int i = 0; i < 3; ++i) world.turn();
  CHECK(bell.rings == 1);
  bell.close();
  world.run_until("it is closed", [&] { return !bell.is_open(); });
}

TEST_CASE("a notifier that was notified and never started may be destroyed", "[R6]") {
  World world;
  Bell bell(*world);
  {
    Bell other(*world);
    other.notify();
    if (GENERATE(true, false)) world.turn();
  }
  bell.start();
  bell.notify();
  world.run_until("it rang", [&] { return bell.rings == 1; });
  bell.close();
  world.run_until("it is closed", [&] { return !bell.is_open(); });
}

// Whoever starts to listen when nobody opens any more must not be left in the table of the process.
TEST_CASE("signals: a handler started behind shutdown() is refused, and may be destroyed", "[R6]") {
  World world;
  CHECK(world->shutdown(hang) == 0);
  for (int i = 0; i < 2; ++i) {
    Listening listening(*world);
    std::string detail;
    CHECK(listening.start(SIGUSR1, &detail) == proa::Error::closing);
    CHECK(detail.find(std::to_string(SIGUSR1)) != std::string::npos);
    CHECK(!listening.is_open());
    if (i == 1) listening.close();
  }
  struct sigaction action {};
  REQUIRE(::sigaction(SIGUSR1, nullptr, &action) == 0);
  CHECK(action.sa_handler == SIG_DFL);
  world.end();
}

struct Connection : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  ~Connection() override = default;
  Events events;
  std::error_code error;

 private:
  void on_open() override { events.push_back("open"); }
  void on_read(proa::Buffer&) override {}
  void on_error(std::error_code code) override {
    events.push_back("error");
    error = code;
    close();
  }
  void on_closed() override { events.push_back("closed"); }
};

struct OpenFile : proa::FileHandler {
  using FileHandler::FileHandler;
  ~OpenFile() override = default;
  Events events;
  std::error_code error;

 private:
  void on_open() override { events.push_back("open"); }
  void on_error(std::error_code code) override {
    events.push_back("error");
    error = code;
    close();
  }
  void on_closed() override { events.push_back("closed"); }
};

template <class Handler, class Given>
void check_refused(World& world, Given given) {
  Handler handler(*world, std::move(given));
  CHECK(handler.events.empty());
  world.run_until("it is closed", [&] { return !handler.is_open(); });
  CHECK(handler.events == Events{"error", "closed"});
  CHECK(handler.error == std::errc::bad_file_descriptor);
}

TEST_CASE("a handler that is given an invalid descriptor says so, and does not open", "[R2]") {
  World world;
  check_refused<Connection>(world, proa::Socket());
  check_refused<OpenFile>(world, proa::File());
}

// Names that a protocol is likely to use. The library's own virtual functions have others.
struct Own final : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
  void on_closed() override { closed = true; }
  void drain() { ++called; }
  void flush() noexcept { ++called; }
  void dispatch(int) { ++called; }
  void closing_down() noexcept { ++called; }
  void release_resources() noexcept { ++called; }
  void leave_process() noexcept { ++called; }
  int called = 0;
  bool closed = false;
};

TEST_CASE("a program's handler may name its methods as it likes", "[R6]") {
  std::unique_ptr<Own> echo;
  World world;
  const auto pair = world.pair();
  echo = std::make_unique<Own>(*world, std::move(pair.near));
  pair.far.send("hello");
  world.run_until("the echo", [&] { return pair.far.received() == "hello"; });
  echo->close();
  world.run_until("it was closed", [&] { return echo->closed; });
  CHECK(echo->called == 0);
}

}  // namespace
