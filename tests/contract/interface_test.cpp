// What the public interface takes: bytes from what holds bytes, work that can only be moved,
// methods that are const.
#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <proa/proa.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "support/world.hpp"

namespace {

using namespace proa_test;
using namespace std::string_view_literals;

TEST_CASE("post() takes work that can only be moved, and destroys it once", "[R9]") {
  World world;
  auto number = std::make_unique<int>(41);
  const std::weak_ptr<int> lives = [&] {
    auto owned = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = owned;
    REQUIRE(world->post(
        [number = std::move(number), owned = std::move(owned)]() mutable { ++*number; }));
    return watched;
  }();
  CHECK(!lives.expired());
  CHECK(world->run() == 1);
  CHECK(lives.expired());

  auto dropped = std::make_shared<int>(2);
  const std::weak_ptr<int> unrun = dropped;
  REQUIRE(world->post([dropped = std::move(dropped)] { FAIL("it was shut down"); }));
  CHECK(world->shutdown(1s) == 0);
  CHECK(unrun.expired());
  auto refused = std::make_shared<int>(3);
  const std::weak_ptr<int> untaken = refused;
  CHECK(!world->post([refused = std::move(refused)] {}));
  CHECK(untaken.expired());
  world.end(true);
}

void plain_function() {}

TEST_CASE("post() takes functions and lvalues", "[R9]") {
  World world;
  int calls = 0;
  const auto counts = [&calls] { ++calls; };
  REQUIRE(world->post(counts));
  REQUIRE(world->post(std::function<void()>(counts)));
  REQUIRE(world->post(&plain_function));
  REQUIRE(world->post(plain_function));
  CHECK(world->run() == 4);
  CHECK(calls == 2);
}

std::string text_of(proa::Bytes bytes) { return std::string(bytes.text()); }

TEST_CASE("bytes are made of what holds bytes", "[R3]") {
  CHECK(text_of("literal") == "literal");
  CHECK(text_of("with\0nul"sv) == "with\0nul"sv);
  CHECK(text_of(std::string("string")) == "string");
  CHECK(text_of(std::vector<char>{'a', 'b'}) == "ab");
  CHECK(text_of(std::vector<unsigned char>{'a', 'b'}) == "ab");
  CHECK(text_of(std::vector<std::byte>{std::byte{'c'}}) == "c");
  CHECK(text_of(std::array<char, 3>{'x', 'y', '\0'}) == "xy\0"sv);
  const unsigned char raw[] = {'r', 'a', 'w', 0};
  CHECK(text_of(raw) == "raw\0"sv);
  char room[16] = "room";
  CHECK(text_of(room) == "room");
  CHECK(text_of({room, 2}) == "ro");
  constexpr proa::Bytes constant = "constant"sv;
  static_assert(constant.size == 8);
  static_assert(!std::is_convertible_v<std::vector<int>, proa::Bytes>);
  static_assert(!std::is_convertible_v<int, proa::Bytes>);
}

TEST_CASE("a request may call a const method", "[R1]") {
  struct Watch {
    void expired(const proa::Result&) const { ++*calls; }
    void expired_with(proa::Timer&, const proa::Result&) const noexcept { ++*calls; }
    int* calls;
  };
  int calls = 0;
  const Watch watch{&calls};
  proa::On<proa::Timer, &Watch::expired> first{watch};
  proa::On<proa::Timer, &Watch::expired_with> second{watch};
  World world;
  world.submit(first, world.in(0ns));
  world.submit(second, world.in(0ns));
  CHECK(world->run() == 2);
  CHECK(calls == 2);
}

TEST_CASE("a post and work may call a const method", "[R1]") {
  struct Watch {
    void post() const noexcept { ++*calls; }
    void work() const noexcept { ++*calls; }
    void done(const proa::Result&) const {}
    std::atomic<int>* calls;
  };
  std::atomic<int> calls{0};
  const Watch watch{&calls};
  proa::OnPost<&Watch::post> post{watch};
  proa::On<proa::Work, &Watch::done> work{watch};
  World world;
  proa::WorkerPool pool(*world);
  REQUIRE(world->post(post));
  work.prepare<&Watch::work>(watch);
  REQUIRE(!pool.run(work));
  world->run();
  CHECK(calls == 2);
}

// Names that a program may well have, at namespace scope.
enum class State { waiting, greeted };
struct Connection {
  int number = 0;
};
struct Input {};
struct Timing {};
using Files = std::vector<int>;
bool check(const std::error_code& error) { return !error; }
int fail(const char*) { return 1; }
int sent(int bytes) { return bytes; }
int take(int bytes) { return bytes; }
int live() { return 1; }

struct OwnStream : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void on_read(proa::Buffer&) override { read += check({}) + sent(1) + take(1) + live(); }
  State state = State::waiting;
  Connection connection;
  Files files;
  int read = fail("");
};
struct OwnDatagrams : proa::DatagramHandler {
  using DatagramHandler::DatagramHandler;
  void on_receive(proa::Buffer&, const proa::Address&, const proa::DatagramInfo&) override {
    received += check({}) + sent(1) + take(1) + live();
  }
  State state = State::waiting;
  Files files;
  int received = fail("");
};
struct OwnFile : proa::FileHandler {
  using FileHandler::FileHandler;
  State state = State::waiting;
  Files files;
  int read = check({}) + sent(1) + take(1) + live() + fail("");
};
struct OwnTimer : proa::TimerHandler {
  using TimerHandler::TimerHandler;
  void on_timer(std::uint64_t) override { state = State::greeted; }
  State state = State::waiting;
  int read = check({}) + sent(1) + take(1) + live() + fail("");
};

TEST_CASE("a handler uses the names that its program has at namespace scope", "[interface]") {
  World world;
  OwnStream stream(*world);
  OwnDatagrams datagrams(*world);
  OwnFile file(*world);
  OwnTimer timer(*world);
  CHECK(stream.read + datagrams.received == 2);
  CHECK(file.read + timer.read == 10);
}

}  // namespace
