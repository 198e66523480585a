// Inside another event loop, on an eventfd: whoever writes to it, and on which thread, the foreign
// loop hears of each write.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <proa/poll.hpp>
#include <proa/stream_handler.hpp>
#include <thread>

#include "embedding_rig.hpp"
#include "raw.hpp"

namespace {

using namespace proa_test;

/// A loop that sleeps in poll(2) or in epoll_wait(2), and counts what the proactor has told.
class ForeignLoop {
 public:
  explicit ForeignLoop(bool uses_epoll) : uses_epoll_(uses_epoll) {}

  /// Writes to the eventfd fifteen times, each time when this loop has nothing to do but to sleep.
  void hear_writes_to(const Raw& event, World& world) {
    epoll_event wanted = {};
    wanted.events = EPOLLIN;
    REQUIRE(::epoll_ctl(epoll_.number, EPOLL_CTL_ADD, world->native_handle(), &wanted) == 0);
    const auto write = [&event] { ::eventfd_write(event.number, 1); };
    for (int i = 0; i < 5; ++i) {
      INFO("write " << i << " of each kind");
      quieten(world);
      write();  // on the loop's own thread
      REQUIRE(hears(world));

      quieten(world);
      std::thread other(write);
      const bool heard = hears(world);
      other.join();
      REQUIRE(heard);

      quieten(world);
      std::atomic<bool> written{false};
      std::thread third([&write, &written] {
        write();
        written = true;
      });
      while (!written) {
        // The loop's thread computes, and makes no system call.
      }
      const bool heard_too = hears(world);
      third.join();
      REQUIRE(heard_too);
    }
  }

  std::size_t told = 0;

 private:
  /// Whether the proactor tells one more. Once nothing is due, only the descriptor ends the sleep.
  bool hears(World& world) {
    const std::size_t before = told;
    const proa::TimePoint limit = world.in(hang);
    while (told == before && world.system().now() < limit) {
      if (world->next_deadline() > world.system().now() && !sleeps_until_readable(world))
        return false;
      world->poll();
    }
    return told == before + 1;
  }

  bool sleeps_until_readable(World& world) const {
    constexpr auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(hang).count();
    constexpr int longest = static_cast<int>(whole);
    if (!uses_epoll_) {
      pollfd wanted{world->native_handle(), POLLIN, 0};
      return ::poll(&wanted, 1, longest) == 1;
    }
    epoll_event found = {};
    int ready = 0;
    do {
      ready = ::epoll_wait(epoll_.number, &found, 1, longest);
    } while (ready < 0 && errno == EINTR);
    return ready == 1;
  }

  const Raw epoll_{::epoll_create1(EPOLL_CLOEXEC)};
  const bool uses_epoll_;
};

struct Counter : proa::StreamHandler {
  Counter(ForeignLoop& counts, proa::Proactor& proactor, proa::Socket socket)
      : StreamHandler(proactor, std::move(socket)), loop(counts) {}
  void on_read(proa::Buffer&) override { ++loop.told; }
  ForeignLoop& loop;
};

TEST_CASE("each write to an eventfd ends a foreign loop's sleep", "[embedding][R13][R1][thread]") {
  ForeignLoop loop(GENERATE(false, true));
  const Raw event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  SECTION("of a Poll") {
    Recording<proa::Poll> poll(proa::Direction::in, true);
    World world(embedded());
    poll.then = [&] {
      eventfd_t count = 0;
      if (!poll.error() && ::eventfd_read(event.number, &count) == 0) ++loop.told;
    };
    poll.request.prepare(event.number);
    world.submit(poll.request);
    loop.hear_writes_to(event, world);
    world->cancel(poll.request);
    world.run_until("it ended", [&] { return poll.done(); });
  }
  SECTION("of a Recv") {
    Read read;
    World world(embedded());
    const proa::Descriptor descriptor = borrow(world, event).descriptor();
    read.then = [&] {
      if (read.error()) return;
      ++loop.told;
      world.submit(read.from(descriptor));
    };
    world.submit(read.from(descriptor));
    loop.hear_writes_to(event, world);
    world->cancel(read.request);
    world.run_until("it ended", [&] { return read.done(); });
  }
  SECTION("of a stream") {
    World world(embedded());
    Counter stream(loop, *world, std::move(borrow(world, event)));
    stream.start_reading();
    loop.hear_writes_to(event, world);
    stream.close();
    world.run_until("it is closed", [&] { return !stream.is_open(); });
  }
}

}  // namespace
