// Poll: descriptors of the program's own become ready, on every backend alike.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <list>
#include <proa/poll.hpp>
#include <string>
#include <vector>

#include "raw.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;
using proa::Direction;
using proa::Error;

using Polling = Recording<proa::Poll>;

struct Ends {
  Raw read;
  Raw write;
};

Ends ends(const std::array<int, 2>& both) {
  for (const int each : both) REQUIRE(::fcntl(each, F_SETFL, O_NONBLOCK) == 0);
  return {Raw(both[0]), Raw(both[1])};
}

Ends make_pipe() {
  std::array<int, 2> both{};
  REQUIRE(::pipe(both.data()) == 0);
  return ends(both);
}

Ends make_sockets() {
  std::array<int, 2> both{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, both.data()) == 0);
  return ends(both);
}

Ends make(bool sockets) { return sockets ? make_sockets() : make_pipe(); }

void fill(const Raw& raw) {
  const std::string bytes(4096, 'x');
  while (::write(raw.number, bytes.data(), bytes.size()) > 0) {
  }
  while (::write(raw.number, "x", 1) > 0) {
  }
  REQUIRE(errno == EAGAIN);
}

std::size_t drain(const Raw& raw) {
  std::array<char, 4096> memory;
  std::size_t all = 0;
  for (;;) {
    const ssize_t got = ::read(raw.number, memory.data(), memory.size());
    if (got <= 0) return all;
    all += static_cast<std::size_t>(got);
  }
}

void begin(World& world, Polling& poll, const Raw& raw, proa::TimePoint deadline = proa::never) {
  poll.request.prepare(raw.number);
  world.submit(poll.request, deadline);
}

void run_until_told(World& world, Polling& poll, std::size_t results = 1) {
  world.run_until("the poll told something", [&] { return poll.results.size() >= results; });
}

TEST_CASE("a Poll completes when there is something to read", "[poll][R2][R12]") {
  Polling poll(Direction::in);
  const Ends line = make(GENERATE(false, true));
  World world;
  begin(world, poll, line.read);
  for (int i = 0; i < 3; ++i) world.turn();
  CHECK(poll.results.empty());
  line.write.write("hello");
  run_until_told(world, poll);
  CHECK(poll.done());
  CHECK(!poll.error());
  CHECK(poll.request.ready());
  CHECK(!poll.request.hung_up());
  CHECK(!poll.request.failed());
  CHECK(drain(line.read) == 5);  // nothing was taken

  begin(world, poll, line.read);
  for (int i = 0; i < 3; ++i) world.turn();
  CHECK(poll.results.size() == 1);  // it was read, so there is nothing
  line.write.write("again");
  run_until_told(world, poll, 2);
  CHECK(poll.request.ready());
}

TEST_CASE("a Poll of what is ready already completes, from the loop", "[poll][R1]") {
  Polling in(Direction::in);
  Polling out(Direction::out);
  const Ends line = make(GENERATE(false, true));
  World world;
  line.write.write("x");
  for (std::size_t i = 1; i < 4; ++i) {
    begin(world, in, line.read);
    begin(world, out, line.write);
    CHECK(in.results.size() == i - 1);
    CHECK(out.results.size() == i - 1);
    run_until_told(world, in, i);
    run_until_told(world, out, i);
    CHECK((in.request.ready() && out.request.ready()));
  }
}

TEST_CASE("a Poll completes when there is room", "[poll][R12]") {
  Polling poll(Direction::out);
  const bool sockets = GENERATE(false, true);
  const Ends line = make(sockets);
  World world;
  fill(line.write);
  begin(world, poll, line.write);
  for (int i = 0; i < 3; ++i) world.turn();
  CHECK(poll.results.empty());
  drain(line.read);
  run_until_told(world, poll);
  CHECK(!poll.error());
  CHECK(poll.request.ready());
  line.write.write("x");
}

TEST_CASE("a Poll tells of a hang-up", "[poll][R12]") {
  const bool sockets = GENERATE(false, true);
  const bool repeating = GENERATE(false, true);
  Polling in(Direction::in, repeating);
  Polling out(Direction::out, repeating);
  World world;
  Ends line = make(sockets);
  SECTION("of the one who writes") {
    begin(world, in, line.read);
    world.turn();
    { const Raw gone(std::move(line.write)); }
    run_until_told(world, in);
    CHECK(!in.error());
    CHECK(in.request.ready());
    CHECK(in.request.hung_up());
    CHECK(in.request.pending() == repeating);
  }
  SECTION("of the one who reads") {
    fill(line.write);
    begin(world, out, line.write);
    world.turn();
    { const Raw gone(std::move(line.read)); }
    run_until_told(world, out);
    CHECK(!out.error());
    CHECK(out.request.ready());
    CHECK((out.request.hung_up() || out.request.failed()));
    CHECK(out.request.pending() == repeating);
  }
  CHECK(world->shutdown(5s) == 0);
}

TEST_CASE("a Poll can be cancelled, and has a deadline", "[poll][R4][R7]") {
  const bool repeating = GENERATE(false, true);
  Polling poll(Direction::in, repeating);
  const Ends line = make_pipe();
  World world;
  SECTION("cancelled before the first turn") {
    begin(world, poll, line.read);
    world->cancel(poll.request);
  }
  SECTION("cancelled later") {
    begin(world, poll, line.read);
    world.turn();
    world->cancel(poll.request);
  }
  SECTION("its deadline") { begin(world, poll, line.read, world.in(5ms)); }
  world.run_until("it ended", [&] { return poll.done(); });
  CHECK((poll.error() == std::errc::operation_canceled || poll.error() == Error::deadline));
  CHECK(poll.results.size() == 1);
  line.write.write("x");
  begin(world, poll, line.read);
  run_until_told(world, poll, 2);
  CHECK(!poll.error());
  if (repeating) world->cancel(poll.request);
  world.run_until("it ended", [&] { return poll.done(); });
}

TEST_CASE("a Poll whose descriptor became ready before its deadline says so", "[poll][R7]") {
  Polling poll(Direction::in);
  const Ends line = make_pipe();
  World world;
  const proa::TimePoint deadline = world.in(1ms);
  begin(world, poll, line.read, deadline);
  line.write.write("x");
  while (world.system().now() <= deadline) {
  }
  run_until_told(world, poll);
  CHECK(!poll.error());
}

TEST_CASE("a repeating Poll tells of each change, and does not repeat itself", "[poll][R8]") {
  Polling poll(Direction::in, true);
  const Ends line = make(GENERATE(false, true));
  World world;
  line.write.write("there before");
  begin(world, poll, line.read);
  run_until_told(world, poll);
  CHECK(poll.request.ready());
  std::size_t told = 0;
  for (int i = 0; i < 20; ++i) {
    drain(line.read);
    told = poll.results.size();
    line.write.write("x");
    run_until_told(world, poll, told + 1);
    CHECK(!poll.error());
    CHECK(poll.request.ready());
    CHECK(poll.request.pending());
  }
  CHECK(poll.results.size() <= 2 * 21);
  // What is not read is not told again, ...
  for (int i = 0; i < 20; ++i) world.turn();
  CHECK(poll.results.size() <= told + 2);
  told = poll.results.size();
  for (int i = 0; i < 20; ++i) world.turn();
  CHECK(poll.results.size() == told);
  // ... but more is.
  line.write.write("more");
  run_until_told(world, poll, told + 1);
  world->cancel(poll.request);
  world.run_until("it ended", [&] { return poll.done(); });
  CHECK(poll.error() == std::errc::operation_canceled);
}

TEST_CASE("a repeating Poll tells each time when there is room again", "[poll][R12]") {
  Polling poll(Direction::out, true);
  const Ends line = make(GENERATE(false, true));
  World world;
  fill(line.write);
  begin(world, poll, line.write);
  for (int i = 0; i < 5; ++i) {
    world.turn();
    const std::size_t told = poll.results.size();
    drain(line.read);
    run_until_told(world, poll, told + 1);
    CHECK(poll.request.ready());
    fill(line.write);
  }
  world->cancel(poll.request);
  world.run_until("it ended", [&] { return poll.done(); });
}

TEST_CASE("a repeating Poll that has ended goes on when it is submitted again", "[poll][R2][R3]") {
  const bool writes = GENERATE(true, false);
  Polling poll(writes ? Direction::out : Direction::in, true);
  const Ends line = make_sockets();
  World world;
  std::error_code error;
  proa::Socket& adopted = world.own(proa::Socket::adopt(*world, ::dup(line.write.number), error));
  REQUIRE(!error);
  if (!writes) REQUIRE(::write(line.read.number, "x", 1) == 1);
  for (int i = 0; i < 3; ++i) {
    const std::size_t told = poll.results.size();
    poll.request.prepare(adopted.descriptor());
    world.submit(poll.request);
    run_until_told(world, poll, told + 1);
    CHECK(!poll.error());
    world->cancel(poll.request);
    world.run_until("it ended", [&] { return poll.done(); });
    CHECK(poll.error() == std::errc::operation_canceled);
  }
  CHECK(poll.results.size() == 6);
}

TEST_CASE("what is always ready is told once", "[poll][R8][R12]") {
  const char* const path = GENERATE("/dev/null", "/bin/sh");
  const bool repeating = GENERATE(false, true);
  Polling poll(Direction::in, repeating);
  const Raw file(::open(path, O_RDONLY | O_CLOEXEC));
  World world;
  begin(world, poll, file);
  run_until_told(world, poll);
  CHECK(!poll.error());
  CHECK(poll.request.ready());
  for (int i = 0; i < 20; ++i) world.turn();
  CHECK(poll.results.size() == 1);
  CHECK(poll.request.pending() == repeating);
  world->cancel(poll.request);
  world.run_until("it ended", [&] { return poll.done(); });
  CHECK(poll.results.size() == (repeating ? 2 : 1));
}

#ifdef __linux__
TEST_CASE("an error that stays is told once by a repeating Poll, though nothing can be waited for",
          "[poll][R8][R12]") {
  if (over_kqueue()) return;  // no such files there
  Polling polling(Direction::in, true);
  World world;
  const int opened = ::open("/proc/pressure/io", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (opened < 0) return skip("the kernel does not account for pressure", true);
  const Raw pressure(opened);
  polling.request.prepare(pressure.number);
  world.submit(polling.request);
  world.run_until("it was told", [&] { return !polling.results.empty(); });
  CHECK(polling.request.failed());
  turns(world, 10);
  CHECK(polling.results.size() == 1);
  world->cancel(polling.request);
  world.run_until("it has ended", [&] { return !polling.request.pending(); });
}
#endif

TEST_CASE("the callback of a Poll may close the descriptor, whose number is used again",
          "[poll][R3]") {
  const bool repeating = GENERATE(false, true);
  Polling poll(Direction::in, repeating);
  World world;
  for (std::size_t i = 0; i < 5; ++i) {
    Ends line = make_pipe();
    const std::size_t before = poll.results.size();
    poll.then = [&] {
      if (!poll.request.pending()) const Raw gone(std::move(line.read));
    };
    begin(world, poll, line.read);
    world.turn();
    CHECK(poll.results.size() == before);
    line.write.write("x");
    run_until_told(world, poll, before + 1);
    CHECK(!poll.results[before].error);
    world->cancel(poll.request);
    world.run_until("it ended", [&] { return poll.done(); });
    CHECK(line.read.number == -1);
  }
}

TEST_CASE("a Poll of a descriptor that is not open says so", "[poll][R2]") {
  Polling poll(Direction::in, GENERATE(false, true));
  World world;
  int number = 0;
  { number = make_pipe().read.number; }
  poll.request.prepare(number);
  world.submit(poll.request);
  world.run_until("it ended", [&] { return poll.done(); });
  CHECK(poll.error() == std::errc::bad_file_descriptor);
  poll.request.prepare(-1);
  CHECK(world->submit(poll.request) == std::errc::bad_file_descriptor);
  Polling nothing(Direction::none, false);
  nothing.request.prepare(0);
  CHECK(world->submit(nothing.request) == std::errc::invalid_argument);
}

TEST_CASE("polls and receives of one socket take turns", "[poll][R5]") {
  Polling poll(Direction::in);
  Read read;
  World world;
  const Connection line = world.pair();
  poll.request.prepare(line.descriptor());
  world.submit(poll.request);
  world.submit(read.from(line.descriptor()));
  world.turn();
  line.far.send("bytes");
  world.run_until("the receive completed", [&] { return read.done(); });
  CHECK(poll.done());
  CHECK(poll.request.ready());
  CHECK(read.text() == "bytes");
}

TEST_CASE("behind a repeating Poll there is no turn", "[poll][R5]") {
  Polling in(Direction::in, true);
  Polling out(Direction::out, true);
  Read read;
  Sending send;
  World world;
  const Connection line = world.pair();
  in.request.prepare(line.descriptor());
  out.request.prepare(line.descriptor());
  world.submit(in.request);
  world.submit(out.request);
  CHECK(world->submit(read.from(line.descriptor())) == Error::reading_is_on);
  CHECK(world->submit(send.to(line.descriptor(), "x")) == std::errc::device_or_resource_busy);
  world.turn();
  line.far.send("bytes");
  world.run_until("both told", [&] { return !in.results.empty() && !out.results.empty(); });
  world->cancel(in.request);
  world->cancel(out.request);
  world.run_until("both ended", [&] { return in.done() && out.done(); });
  world.submit(read.from(line.descriptor()));
  world.submit(send.to(line.descriptor(), "x"));
  world.run_until("both completed", [&] { return read.done() && send.done(); });
  CHECK(read.text() == "bytes");
}

TEST_CASE("many polls of many descriptors, and the end of all", "[poll][R2]") {
  std::list<Polling> polls;
  World world;
  std::list<Ends> lines;
  for (int i = 0; i < 100; ++i) {
    begin(world, polls.emplace_back(Direction::in, i % 2 == 0),
          lines.emplace_back(make_pipe()).read);
  }
  world.turn();
  for (const Ends& line : lines) line.write.write("x");
  for (Polling& poll : polls) run_until_told(world, poll);
  CHECK(world->shutdown(5s) == 0);
  for (const Polling& poll : polls) CHECK(poll.done());
}

TEST_CASE("repeating Polls of many descriptors are told each time, whatever was ready at once",
          "[poll][R2][R11]") {
  constexpr std::size_t number = 150;
  std::list<Polling> polls;
  proa::Options with = options();
  with.uring_entries = 8;  // a small queue, which overflows
  World world(with);
  std::vector<Ends> lines;
  for (std::size_t i = 0; i < number; ++i) {
    lines.push_back(make_pipe());
    begin(world, polls.emplace_back(Direction::in, true), lines.back().read);
  }
  for (int i = 0; i < 3; ++i) world.turn();
  for (int i = 0; i < 5; ++i) {
    for (Polling& poll : polls) poll.results.clear();
    for (const Ends& line : lines) line.write.write("x");
    world.run_until("all were told", [&] {
      return std::none_of(polls.begin(), polls.end(),
                          [](const Polling& poll) { return poll.results.empty(); });
    });
    for (const Ends& line : lines) drain(line.read);
    for (int turns = 0; turns < 3; ++turns) world.turn();
  }
  for (Polling& poll : polls) world->cancel(poll.request);
  world.run_until("they ended", [&] {
    return std::all_of(polls.begin(), polls.end(), [](const Polling& poll) { return poll.done(); });
  });
}

TEST_CASE("R14: a repeating Poll of before fork(2) is told in the parent and in the child",
          "[poll][R14]") {
  Polling poll(Direction::in, true);
  const Ends line = make_pipe();
  const Ends answers = make_pipe();
  World world;
  begin(world, poll, line.read);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(120);
    for (std::size_t told = 0;;) {
      world->run_once(1s);
      for (; told < poll.results.size(); ++told) {
        if (::write(answers.write.number, "x", 1) != 1) ::_exit(1);
      }
    }
  }
  for (int i = 0; i < 5; ++i) {
    const std::size_t told = poll.results.size();
    line.write.write("x");
    run_until_told(world, poll, told + 1);
    world.run_until("the child was told", [&] { return drain(answers.read) > 0; });
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  world->cancel(poll.request);
  world.run_until("it ended", [&] { return poll.done(); });
}

}  // namespace
