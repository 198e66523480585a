// Inside another event loop: poll(2) on native_handle() until next_deadline(), then poll().
#include <poll.h>

#include <algorithm>
#include <optional>
#include <proa/embed/poll.hpp>
#include <proa/server.hpp>
#include <proa/stream_handler.hpp>
#include <thread>

#include "contract/file_rig.hpp"
#include "embedding_rig.hpp"
#include "support/death.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;

/// A foreign loop: it knows a descriptor and a time, and nothing else of the proactor.
class ForeignLoop {
 public:
  explicit ForeignLoop(World& world) : world_(world) {}

  /// Sleeps until the descriptor or the deadline says so, at most until `limit`.
  void turn(proa::TimePoint limit) {
    const proa::TimePoint until = std::min(world_->next_deadline(), limit);
    const auto left = until - world_.system().now();
    const auto whole = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    pollfd wanted{world_->native_handle(), POLLIN, 0};
    ::poll(&wanted, 1, static_cast<int>(std::max<long>(whole, 0)));
    ++sleeps;
    world_->poll();
  }
  void run_until(const char* what, const std::function<bool()>& holds) {
    const proa::TimePoint limit = world_.in(hang);
    world_->poll();
    while (!holds()) {
      INFO("waited for: " << what);
      REQUIRE(world_.system().now() < limit);
      turn(limit);
    }
  }
  std::size_t sleeps = 0;

 private:
  World& world_;
};

struct Echo : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
  void on_closed() override { closed = true; }
  bool closed = false;
};

TEST_CASE("a foreign loop that polls the descriptor serves a stream", "[embedding][R13]") {
  std::unique_ptr<Echo> echo;
  World world(embedded());
  REQUIRE(world->native_handle() >= 0);
  const Connection line = world.pair();
  echo = std::make_unique<Echo>(*world, std::move(line.near));
  ForeignLoop loop(world);

  // The peer lives on a thread of its own, so that nothing but the descriptor wakes the loop.
  std::string returned;
  std::thread client([&line, &returned] {
    for (int i = 0; i < 50; ++i) {
      line.far.send("ping");
      const auto limit = std::chrono::steady_clock::now() + hang;
      while (line.far.received_bytes() < static_cast<std::size_t>(i + 1) * 4 &&
             std::chrono::steady_clock::now() < limit) {
        line.far.turn();
      }
    }
    returned = line.far.received();
    line.far.half_close();
    line.far.turn();
  });
  loop.run_until("the stream has ended", [&] { return echo->closed; });
  client.join();
  CHECK(returned.size() == 200);
  CHECK(loop.sleeps > 0);
}

TEST_CASE("next_deadline() is the next timer's, and now when something waits",
          "[embedding][R7][R13]") {
  Timing timer;
  World world(embedded());
  world->poll();
  CHECK(world->next_deadline() == proa::never);
  const proa::TimePoint due = world.in(20ms);
  world.submit(timer.request, due);
  CHECK(world->next_deadline() == due);
  ForeignLoop loop(world);
  loop.run_until("the timer fired", [&] { return timer.done(); });
  CHECK(world.system().now() >= due);
  REQUIRE(world->post([] {}));
  CHECK(world->next_deadline() <= world.system().now());
}

TEST_CASE("a post from another thread ends the foreign loop's sleep", "[embedding][thread][R13]") {
  World world(embedded());
  const proa::KeepAlive alive(*world);
  world->poll();
  bool accepted = false;
  bool ran = false;
  std::thread other([&] { accepted = world->post([&ran] { ran = true; }); });
  ForeignLoop loop(world);
  loop.run_until("the post ran", [&] { return ran; });
  other.join();
  CHECK(accepted);
}

// Each is long, and takes several calls (io_uring takes 64 pieces in one).
TEST_CASE("a foreign loop that comes late to many long reads goes on with them",
          "[embedding][file][R8][R13]") {
  const Folder folder;
  const std::string bytes = pattern(1, std::size_t{130} << 14);
  std::list<Recording<proa::ReadAt>> reads;
  std::string memory(std::size_t{1} << 14, '?');
  std::vector<proa::MutableBytes> pieces(130, {memory.data(), memory.size()});
  World world(embedded());
  const proa::File file = open_file(world, folder.file("a", bytes));
  for (std::size_t i = 0; i < 40; ++i) {
    proa::ReadAt& request = reads.emplace_back().request;
    request.prepare(file.descriptor(), 0, pieces.data(), pieces.size());
    world.submit(request);
  }
  world->poll();
  ForeignLoop loop(world);
  const auto all_done = [&] {
    return std::all_of(reads.begin(), reads.end(), [](auto& each) { return each.done(); });
  };
  const proa::TimePoint limit = world.in(hang);
  while (!all_done() && world.system().now() < limit) {
    std::this_thread::sleep_for(20ms);  // it has other things to do
    loop.turn(limit);
  }
  for (auto& each : reads) CHECK(each.bytes() == bytes.size());
}

/// Whether a foreign loop that has gone to sleep hears of what is done then.
template <class Deed>
bool wakes(World& world, const Deed& deed) {
  quieten(world);
  deed();
  return readable(world->native_handle());
}

TEST_CASE("what begins while a foreign loop sleeps ends its sleep", "[embedding][R1][R13]") {
  Timing timer;
  Timing later;
  Read read;
  Sending send;
  World world(embedded());
  const Connection line = world.pair();
  const Connection other = world.pair();
  Echo echo(*world, std::move(other.near));
  CHECK(wakes(world, [&] { world.submit(read.from(line.descriptor())); }));
  CHECK(wakes(world, [&] { world.submit(send.to(line.descriptor(), "out")); }));
  CHECK(wakes(world, [&] { world->cancel(read.request); }));
  CHECK(wakes(world, [&] { world.submit(timer.request, world.in(hang)); }));
  CHECK_FALSE(wakes(world, [&] { world.submit(later.request, world.in(2 * hang)); }));
  CHECK(wakes(world, [&] { world->cancel(timer.request); }));
  CHECK(wakes(world, [&] { (void)world->post([] {}); }));
  CHECK(wakes(world, [&] { echo.write("hello"); }));
  CHECK(wakes(world, [&] { echo.set_read_timeout(1ms * 500); }));
  CHECK(wakes(world, [&] { echo.close(); }));
  world->cancel(later.request);
  world.run_until("all have ended", [&] { return later.done() && timer.done() && echo.closed; });
}

// Nothing of the proactor has run when the foreign loop begins.
TEST_CASE("what begins before the first poll() ends a foreign loop's sleep", "[embedding][R13]") {
  const bool asks = GENERATE(false, true);  // for the time, which a loop may do only after poll()
  const auto heard = [asks](const std::function<void(World&)>& deed) {
    World world(embedded());
    if (asks) CHECK(world->next_deadline() == proa::never);
    deed(world);
    const bool told = readable(world->native_handle());
    world->shutdown(hang);
    return told;
  };
  Timing timer;
  CHECK(heard([&](World& world) { world.submit(timer.request, world.in(hang)); }));
  CHECK(heard([](World& world) { (void)world->post([] {}); }));
  Read read;
  CHECK(heard([&](World& world) {
    const Connection line = world.pair();
    world.submit(read.from(line.descriptor()));
    world->cancel(read.request);
  }));
  std::optional<Echo> echo;
  CHECK(heard([&](World& world) { echo.emplace(*world, std::move(world.pair().near)); }));
  std::optional<proa::Server<Echo>> server;
  CHECK(heard([&](World& world) { server.emplace(*world, "127.0.0.1:0"); }));
}

struct Keeper : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void on_read(proa::Buffer& data) override { kept.push_back(std::move(data)); }
  std::vector<proa::Buffer> kept;
};

TEST_CASE("a buffer that comes back while a foreign loop sleeps ends its sleep",
          "[embedding][R1][R11][R13]") {
  proa::Options with = embedded();
  with.buffers = 2;
  World world(with);
  const Connection line = world.pair();
  Keeper keeper(*world, std::move(line.near));
  keeper.start_reading();
  const auto send = [&](std::size_t kept) {
    line.far.send("one");
    line.far.turn();
    ForeignLoop(world).run_until("it was received", [&] { return keeper.kept.size() == kept; });
  };
  send(1);
  send(2);
  line.far.send("one");
  line.far.turn();
  CHECK(wakes(world, [&] { keeper.kept.pop_back(); }));
  ForeignLoop(world).run_until("all was received", [&] { return keeper.kept.size() == 2; });
  keeper.close();
  keeper.kept.clear();
  world.run_until("it is closed", [&] { return !keeper.is_open(); });
}

TEST_CASE("an adapter is not destroyed in a callback of its proactor", "[embedding][R13]") {
  const std::string message = message_of([] {
    const auto proactor = make_proactor(embedded());
    std::optional<proa::embed::PollAdapter> adapter(*proactor);
    (void)proactor->post([&] { adapter.reset(); });
    adapter->turn(true);
  });
  CHECK(message == "an adapter was destroyed in a callback of its own proactor");
}

TEST_CASE("poll() never blocks and flushes what was submitted", "[embedding][C09][R13]") {
  Read read;
  Sending send;
  World world(embedded());
  const Connection line = world.pair();
  world.submit(read.from(line.descriptor()));
  const auto began = world.system().now();
  CHECK(world->poll() == 0);
  CHECK(world.system().now() - began < hang);
  world.submit(send.to(line.descriptor(), "out"));
  world->poll();
  line.far.turn();
  world.run_until("the bytes are out", [&] { return line.far.received() == "out"; });
}

}  // namespace
