// What an operation costs in calls of the system, counted at the seam: the difference between the
// configurations, which is not allowed to be one in results (R12).
#include "support/ledger.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

// One byte comes and goes back, `number` times.
void echo(World& world, const Connection& line, Read& read, Sending& send, std::size_t number) {
  std::size_t echoed = send.results.size();
  const std::size_t goal = echoed + number;
  read.then = [&] { world.submit(send.to(line.descriptor(), read.text())); };
  send.then = [&] { ++echoed; };
  while (echoed < goal) {
    const std::size_t before = echoed;
    world.submit(read.from(line.descriptor()));
    line.far.send("x");
    world.run_until("it was echoed", [&] { return echoed > before; });
  }
  read.then = send.then = nullptr;
}

TEST_CASE("the configuration under test is the one in use", "[R12]") {
  World world;
  CHECK(world->backend().name == configuration().substr(0, configuration().find('-')));
  CHECK(world->backend().chosen_by == "options");
  CHECK(world->backend().refused.empty());
  CHECK(!world->backend().features.empty());
}

TEST_CASE("a descriptor is registered once, and data moves by the calls of its backend", "[R12]") {
  Read read;
  Sending send;
  World world;
  const Connection line = world.pair();
  constexpr std::size_t number = 500;
  {
    Ledger ledger;
    echo(world, line, read, send, number);
    if (configuration() == "uring-filtered") {
      CHECK(ledger.count(Call::recv) >= number);
      CHECK(ledger.count(Call::recv) <= 2 * number + 2);
    } else if (over_uring()) {
      CHECK(ledger.count(Call::recv) + ledger.count(Call::send) == 0);
      CHECK(ledger.submitted().opcodes.size() > 1);
      CHECK(ledger.submitted().number >= 2 * number);
      // A round to submit and one to fetch, for each of the two.
      CHECK(ledger.count(Call::uring_submit_and_wait) <= 5 * number);
    } else {
      CHECK(ledger.count(Call::send) == number);
      CHECK(ledger.count(Call::recv) <= 2 * number + 2);
      CHECK(ledger.count(Call::epoll_ctl) ==
            (over_epoll() ? 1 : 0));  // kqueue needs no call for it
      CHECK(ledger.count(over_epoll() ? Call::epoll_wait : Call::kevent) <= 5 * number);
    }
  }
}

// Only a repeating Accept has to know whether its listener is in blocking mode.
TEST_CASE("an Accept that does not repeat asks for no mode of its listener", "[R12]") {
  Accepting accept;
  World world;
  const proa::Socket& listener = world.listen();
  const Ledger ledger;
  for (int i = 0; i < 10; ++i) {
    world.peer().connect(listener.local_address());
    accept.results.clear();
    accept.request.prepare(listener.descriptor());
    world.submit(accept.request);
    world.run_until("it was accepted", [&] { return accept.done(); });
    CHECK(!accept.error());
    accept.request.socket().close();
  }
  CHECK(ledger.count(Call::file_flags) == 0);
}

TEST_CASE("an idle proactor sleeps", "[R8]") {
  Read read;
  Accepting accept(true);
  World world;
  const Connection line = world.pair();
  proa::Socket& listener = world.listen();
  world.submit(read.from(line.descriptor()));
  accept.request.prepare(listener.descriptor());
  world.submit(accept.request);
  world->run_once(0ns);
  {
    Ledger ledger;
    CHECK(world->run_once(100ms) == 0);
    CHECK(ledger.entries() <= 5);
  }
  {
    Ledger ledger;
    for (int i = 0; i < 10; ++i) CHECK(world->poll() == 0);
    CHECK(ledger.entries() <= 20);
  }
}

}  // namespace
