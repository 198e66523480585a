// What one round delivers: nothing starves (R8), and a foreign loop can drive it.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <list>
#include <string>
#include <thread>
#include <vector>

#include "raw.hpp"
#include "support/patterns.hpp"
#include "support/plain.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

// Posts itself again and again.
struct Flood {
  void again() {
    ++runs;
    if (!stopped) posted = proactor->post(post);
  }
  proa::Proactor* proactor = nullptr;
  std::size_t runs = 0;
  bool stopped = false;
  bool posted = false;
  proa::OnPost<&Flood::again> post{*this};
};

TEST_CASE("M04: nothing starves: data, 0-delay timers and posts all go on", "[R8][M04]") {
  Read chatty(16);
  Read quiet;
  Timing timer;
  std::size_t timer_fired = 0;
  std::size_t chatted = 0;
  bool stopped = false;
  proa::Options small = options();
  small.round_budget = 4;
  Flood flood;
  World world(small);
  flood.proactor = &*world;
  const Connection busy = world.pair();
  const Connection line = world.pair();
  chatty.then = [&] {
    chatted += chatty.bytes();
    if (!stopped) world.submit(chatty.from(busy.descriptor()));
  };
  timer.then = [&] {
    ++timer_fired;
    if (!stopped) world.submit(timer.request, proa::TimePoint());
  };
  busy.far.send_pattern(1, std::size_t{64} << 20);
  world.submit(chatty.from(busy.descriptor()));
  world.submit(timer.request, world.system().now());
  REQUIRE(world->post(flood.post));
  world.run_until("the flood is on", [&] { return chatted > 1000 && timer_fired > 50; });

  // In the midst of it, one byte for the quiet one: it comes within a few rounds.
  world.submit(quiet.from(line.descriptor()));
  world.turn();
  line.far.send("q");
  line.far.turn();
  const std::uint64_t rounds = world->counters().rounds;
  world.run_until("the quiet one was served", [&] { return quiet.done(); });
  CHECK(world->counters().rounds - rounds < 50);
  CHECK(timer_fired > 50);
  CHECK(flood.runs > 50);
  CHECK(chatted > 1000);
  stopped = true;
  flood.stopped = true;
  busy.far.close();
  world.run_until("the flood is over",
                  [&] { return !chatty.request.pending() && !timer.request.pending(); });
  world->poll();
}

TEST_CASE("M04: a 0-delay timer fires at most once per round", "[R8][M04]") {
  Timing timer;
  World world;
  std::size_t fired = 0;
  // In the past, hence due in the very round that it is submitted in.
  timer.then = [&] {
    if (++fired < 20) world.submit(timer.request, proa::TimePoint());
  };
  world.submit(timer.request, proa::TimePoint());
  const std::uint64_t before = world->counters().rounds;
  CHECK(world->run() == 20);
  CHECK(world->counters().rounds - before >= 20);
}

TEST_CASE("a timer that is due as it is set has its turn in every round", "[R8]") {
  Timing timer;
  World world;
  std::size_t fired = 0;
  timer.then = [&] {
    if (++fired < 20) world.submit(timer.request, world.system().now());
  };
  world.submit(timer.request, world.system().now());
  const std::uint64_t before = world->counters().rounds;
  CHECK(world->run() == 20);
  CHECK(world->counters().rounds - before <= 22);
}

TEST_CASE("a round delivers at most its budget", "[R8]") {
  std::list<Timing> timers;
  std::list<Read> reads;
  std::size_t told = 0;
  proa::Options small = options();
  small.round_budget = 8;
  World world(small);
  const Connection line = world.pair();
  constexpr std::size_t many = 100;
  SECTION("of timers") {
    for (std::size_t i = 0; i < many; ++i) {
      timers.emplace_back().then = [&] { ++told; };
      world.submit(timers.back().request, proa::TimePoint());
    }
  }
  SECTION("of completions") {
    for (std::size_t i = 0; i < many; ++i) {
      reads.emplace_back(0).then = [&] { ++told; };
      world.submit(reads.back().from(line.descriptor()));
    }
  }
  SECTION("of posts") {
    for (std::size_t i = 0; i < many; ++i) REQUIRE(world->post([&] { ++told; }));
  }
  while (told < many) {
    const std::size_t before = told;
    CHECK(world->run_once(0ns) <= 8);
    REQUIRE(told > before);
  }
}

TEST_CASE("a foreign loop drives it by descriptor and deadline", "[R1][R13]") {
  Read read(1);
  Timing timer;
  std::size_t received = 0;
  bool fired = false;
  proa::Options embedded = options();
  embedded.embedded = true;
  World world(embedded);
  const int handle = world->native_handle();
  REQUIRE(handle >= 0);
  const Connection line = world.pair();
  // Until our descriptor says so, or until the next deadline; at most 5 s.
  const auto wait = [&] {
    const proa::TimePoint deadline = world->next_deadline();
    const auto left =
        deadline == proa::never
            ? 5000ms
            : std::chrono::ceil<std::chrono::milliseconds>(deadline - world.system().now());
    pollfd readable = {handle, POLLIN, 0};
    const int timeout = static_cast<int>(std::clamp<long>(left.count(), 0, 5000));
    return ::poll(&readable, 1, timeout);
  };
  read.then = [&] {
    if (++received < 100) world.submit(read.from(line.descriptor()));
  };
  timer.then = [&] { fired = true; };
  world.submit(read.from(line.descriptor()));
  world.submit(timer.request, world.in(30ms));
  world->poll();
  while (!fired) {
    wait();
    world->poll();
  }
  for (std::size_t i = 0; i < 100; ++i) {
    line.far.send("x");
    line.far.turn();
    for (int tries = 0; received == i && tries < 10; ++tries) {
      REQUIRE(wait() == 1);
      world->poll();
    }
    REQUIRE(received == i + 1);
  }
  CHECK(world->next_deadline() == proa::never);
}

TEST_CASE("a foreign loop is woken by stop() and posts of other threads", "[R9][thread]") {
  proa::Options embedded = options();
  embedded.embedded = true;
  World world(embedded);
  bool ran = false;
  world->poll();
  std::thread other([&] {
    if (!world->post([&] { ran = true; })) std::abort();
  });
  pollfd readable = {world->native_handle(), POLLIN, 0};
  CHECK(::poll(&readable, 1, 5000) == 1);
  other.join();
  const proa::TimePoint until = world.in(hang);
  while (!ran && world.system().now() < until) world->poll();
  CHECK(ran);
}

TEST_CASE("M01: equal deadlines fire in the order in which they were set", "[R7][M01]") {
  std::list<Timing> timers;
  std::vector<int> order;
  World world;
  const proa::TimePoint when = world.in(5ms);
  for (int i = 0; i < 500; ++i) {
    Timing& timer = timers.emplace_back();
    timer.then = [&order, i] { order.push_back(i); };
    world.submit(timer.request, when);
  }
  world.run_until("all fired", [&] { return order.size() == 500; });
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("M05: no timer fires early", "[R7][M05]") {
  std::list<Timing> timers;
  World world;
  std::size_t fired = 0;
  std::size_t early = 0;
  for (int i = 0; i < 300; ++i) {
    Timing& timer = timers.emplace_back();
    const proa::TimePoint when = world.in(std::chrono::microseconds((i * 7919) % 30000));
    timer.then = [&, when] {
      ++fired;
      if (world.system().now() < when || world->now() < when) ++early;
    };
    world.submit(timer.request, when);
  }
  CHECK(world->run() == 300);
  CHECK(fired == 300);
  CHECK(early == 0);
}

TEST_CASE("M07: a timer cancelled by one of the same batch is cancelled only", "[R4][R7][M07]") {
  Timing first;
  Timing second;
  Timing third;
  World world;
  const proa::TimePoint when = world.in(2ms);
  first.then = [&] { world->cancel(second.request); };
  for (Timing* timer : {&first, &second, &third}) world.submit(timer->request, when);
  world->run();
  CHECK(!first.error());
  REQUIRE(second.results.size() == 1);
  CHECK(second.error() == std::errc::operation_canceled);
  CHECK(!third.error());
}

TEST_CASE("a Send of many pieces leaves the rounds to others", "[R8]") {
  const std::vector<proa::Bytes> pieces(50000, proa::Bytes("x", 1));
  Sending send;
  Timing timer;
  std::size_t fired = 0;
  World world;
  const Raw nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  timer.then = [&] {
    ++fired;
    if (!send.done()) world.submit(timer.request, proa::TimePoint());
  };
  send.request.prepare(borrow(world, nowhere).descriptor(), pieces.data(), pieces.size());
  world.submit(timer.request, proa::TimePoint());
  world.submit(send.request);
  world.run_until("it is sent", [&] { return send.done() && timer.done(); });
  CHECK(!send.error());
  CHECK(send.bytes() == pieces.size());
  CHECK(fired >= 40);  // 1,024 pieces are a share
}

TEST_CASE("a large Recv of what is always ready leaves the rounds to others", "[R8]") {
  constexpr std::size_t share = std::size_t{256} << 10;
  Read read(4 * share);
  World world;
  // The first cannot be polled on Linux, and the others can.
  const char* const path = GENERATE("/dev/zero", "/dev/random", "/dev/urandom");
  const Raw endless(::open(path, O_RDONLY | O_CLOEXEC));
  proa::Socket* from = nullptr;
  if (GENERATE(false, true)) {
    std::error_code error;
    from = &world.own(proa::Socket::adopt(*world, ::dup(endless.number), error));
    REQUIRE(!error);
  } else {
    from = &borrow(world, endless);
  }
  world.submit(read.from(from->descriptor()));
  world.run_until("it is read", [&] { return read.done(); });
  CHECK(!read.error());
  CHECK(read.bytes() > 0);
  CHECK(read.bytes() <= share);
}

TEST_CASE("a large Send whose peer keeps up leaves the rounds to others", "[R8]") {
  constexpr std::size_t size = std::size_t{64} << 20;
  const std::string bytes(size, 'x');
  Sending send;
  Timing timer;
  std::size_t fired = 0;
  World world;
  int both[2];
  REQUIRE(plain_pair(both));
  const int room = 4 << 20;
  (void)::setsockopt(both[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  std::error_code error;
  const proa::Socket& near = world.own(proa::Socket::adopt(*world, both[0], error));
  REQUIRE(!error);
  std::thread reader([far = both[1]] {
    std::vector<char> memory(std::size_t{1} << 20);
    for (std::size_t got = 0; got < size;) {
      const ssize_t part = ::read(far, memory.data(), memory.size());
      if (part <= 0) break;
      got += static_cast<std::size_t>(part);
    }
    ::close(far);
  });
  timer.then = [&] {
    ++fired;
    if (!send.done()) world.submit(timer.request, proa::TimePoint());
  };
  world.submit(timer.request, proa::TimePoint());
  world.submit(send.to(near.descriptor(), bytes));
  world.run_until("it is sent", [&] { return send.done() && timer.done(); });
  reader.join();
  CHECK(!send.error());
  CHECK(fired >= 100);  // a share of it is 256 KiB
}

// The child's loop sleeps in the kernel with a timer, and says when that is due; it exits with 1 if
// the timer comes first. `submits`: the call in which it sleeps gives the kernel another request.
[[noreturn]] void be_stopped(int ready, int data, proa::Duration length, bool submits) {
  Read read;
  Read silent;
  Timing timer;
  auto proactor = make_proactor();
  std::error_code error;
  proa::Socket line = proa::Socket::adopt(*proactor, data, error);
  read.then = [] { ::_exit(0); };
  timer.then = [] { ::_exit(1); };
  const proa::TimePoint due = proactor->system().now() + length;
  std::array<int, 2> other{};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, other.data()) < 0) ::_exit(2);
  proa::Socket beside = proa::Socket::adopt(*proactor, other[0], error);
  auto tell = [&] {
    if (submits && proactor->submit(silent.from(beside.descriptor()))) ::_exit(2);
    if (::write(ready, &due, sizeof due) != sizeof due) ::_exit(3);
  };
  if (error || proactor->submit(read.from(line.descriptor())) ||
      proactor->submit(timer.request, due) || !proactor->post(tell)) {
    ::_exit(2);
  }
  proactor->run();
  ::_exit(4);
}

// False if the child was not stopped before its timer was due: that says nothing.
bool hears_what_came(proa::Duration length, bool submits) {
  std::array<int, 2> ready{};
  std::array<int, 2> data{};
  REQUIRE(::pipe(ready.data()) == 0);
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, data.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) be_stopped(ready[1], data[1], length, submits);
  REQUIRE(child > 0);
  proa::TimePoint due;
  int status = 0;
  CHECK(::read(ready[0], &due, sizeof due) == sizeof due);
  CHECK(::kill(child, SIGSTOP) == 0);
  CHECK(::waitpid(child, &status, WUNTRACED) == child);
  const bool in_time = WIFSTOPPED(status) && std::chrono::steady_clock::now() < due;
  if (WIFSTOPPED(status)) {
    CHECK(::write(data[0], "x", 1) == 1);
    // The time that passes is what is tested.
    while (in_time && std::chrono::steady_clock::now() <= due) std::this_thread::sleep_for(1ms);
    CHECK(::kill(child, SIGCONT) == 0);
    CHECK(::waitpid(child, &status, 0) == child);
  }
  if (in_time) {
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
  for (const int each : {ready[0], ready[1], data[0], data[1]}) ::close(each);
  return in_time;
}

TEST_CASE("what comes while the process is stopped goes before a timer that is due then", "[R7]") {
  const bool submits = GENERATE(false, true);
  CAPTURE(submits);
  for (proa::Duration length = 100ms; !hears_what_came(length, submits); length *= 4) {
  }
}

}  // namespace
