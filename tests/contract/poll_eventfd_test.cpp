// Poll of an eventfd, which other threads and other libraries count up.
#include <sys/eventfd.h>

#include <cstdint>
#include <proa/poll.hpp>
#include <thread>

#include "raw.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

TEST_CASE("a Poll hears of each eventfd_write(3) of another thread", "[poll][thread]") {
  const bool repeating = GENERATE(false, true);
  Recording<proa::Poll> poll(proa::Direction::in, repeating);
  const Raw event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  World world;
  constexpr std::uint64_t number = 1000;
  std::uint64_t heard = 0;
  poll.then = [&] {
    if (poll.error()) return;
    eventfd_t count = 0;
    if (::eventfd_read(event.number, &count) == 0) heard += count;
    if (repeating || heard == number) return;
    poll.request.prepare(event.number);
    world.submit(poll.request);
  };
  poll.request.prepare(event.number);
  world.submit(poll.request);
  std::thread other([&] {
    for (std::uint64_t i = 0; i < number; ++i) ::eventfd_write(event.number, 1);
  });
  world.run_until("all was heard", [&] { return heard == number; });
  other.join();
  world->cancel(poll.request);
  world.run_until("it ended", [&] { return poll.done(); });
}

}  // namespace
