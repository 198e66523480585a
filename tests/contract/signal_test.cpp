// SignalHandler: each signal told in the loop, to everybody who asked, and the process left as it
// was found.
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <proa/notifier.hpp>
#include <proa/signal_handler.hpp>
#include <proa/stream_handler.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "file_rig.hpp"
#include "signal_rig.hpp"
#include "support/death.hpp"
#include "support/faults.hpp"
#include "support/patterns.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

struct RaisingPost {
  void run() { ::raise(SIGUSR1); }
  proa::OnPost<&RaisingPost::run> post{*this};
};

using Signals = std::vector<std::pair<int, std::uint64_t>>;

struct sigaction action_of(int signal) {
  struct sigaction action {};
  ::sigaction(signal, nullptr, &action);
  return action;
}

std::atomic<int> own_calls{0};
void own_handler(int) { ++own_calls; }

// The program's own handler, put back to what was there.
class OwnAction {
 public:
  explicit OwnAction(int signal) : signal_(signal) {
    struct sigaction action {};
    action.sa_handler = own_handler;
    action.sa_flags = SA_NODEFER;
    ::sigaction(signal_, &action, &before_);
  }
  ~OwnAction() { ::sigaction(signal_, &before_, nullptr); }
  OwnAction(const OwnAction&) = delete;
  OwnAction& operator=(const OwnAction&) = delete;

 private:
  int signal_;
  struct sigaction before_ {};
};

TEST_CASE("S01: a signal is told from the loop, once", "[R9][S01]") {
  World world;
  Listening listening(*world);
  REQUIRE(!listening.start(SIGUSR1));
  ::raise(SIGUSR1);
  CHECK(listening.signals.empty());
  world.run_until("it was told", [&] { return !listening.signals.empty(); });
  for (int i = 0; i < 3; ++i) world.turn();
  CHECK(listening.signals == Signals{{SIGUSR1, 1}});
}

TEST_CASE("S01: and again every time", "[R9][S01]") {
  World world;
  Listening listening(*world);
  REQUIRE(!listening.start(SIGUSR1));
  for (std::uint64_t i = 1; i <= 10; ++i) {
    ::raise(SIGUSR1);
    world.run_until("it was told", [&] { return listening.total == i; });
  }
  CHECK(listening.signals.size() == 10);
}

TEST_CASE("signals that come together are told together", "[R8]") {
  World world;
  Listening listening(*world);
  REQUIRE(!listening.start(SIGUSR1));
  for (int i = 0; i < 5; ++i) ::raise(SIGUSR1);
  world.run_until("they were told", [&] { return !listening.signals.empty(); });
  CHECK(listening.signals == Signals{{SIGUSR1, 5}});
}

TEST_CASE("one handler may listen to several signals", "[R9]") {
  World world;
  Listening listening(*world);
  REQUIRE(!listening.start(SIGUSR1));
  REQUIRE(!listening.start(SIGUSR2));
  REQUIRE(!listening.start(SIGUSR2));
  ::raise(SIGUSR1);
  ::raise(SIGUSR2);
  ::raise(SIGUSR2);
  world.run_until("all were told", [&] { return listening.total == 3; });
  CHECK(listening.signals.size() == 2);
}

TEST_CASE("S01: several handlers of two proactors are all told", "[R9][S01]") {
  World world;
  const auto other = make_proactor();
  Listening first(*world), second(*world), third(*other);
  for (Listening* one : {&first, &second, &third}) REQUIRE(!one->start(SIGUSR1));
  ::raise(SIGUSR1);
  world.run_until("two were told", [&] { return first.total == 1 && second.total == 1; });
  while (third.total == 0) other->run_once(1s);
  second.stop();
  ::raise(SIGUSR1);
  world.run_until("one was told", [&] { return first.total == 2; });
  while (third.total < 2) other->run_once(1s);
  CHECK(second.total == 1);
  CHECK(third.total == 2);
}

TEST_CASE("a signal ends the wait of a loop that sleeps, whichever thread it hits", "[R9]") {
  World world;
  Listening listening(*world);
  REQUIRE(!listening.start(SIGUSR1));
  world->run_once(0ms);
  const auto before = world.system().now();
  SECTION("sent by another thread") {
    const pthread_t here = ::pthread_self();
    std::thread thread([here] { ::pthread_kill(here, SIGUSR1); });
    world->run_once(hang);
    thread.join();
  }
  SECTION("handled in another thread") {
    std::thread thread([] { ::raise(SIGUSR1); });
    world->run_once(hang);
    thread.join();
  }
  world.run_until("it was told", [&] { return listening.total == 1; });
  CHECK(world.system().now() - before < hang);
}

TEST_CASE("signal handlers do not keep run() going", "[R9]") {
  World world;
  Listening listening(*world);
  REQUIRE(!listening.start(SIGUSR1));
  CHECK(world->run() == 0);
  ::raise(SIGUSR1);
  world->run();  // but what has arrived is told
  CHECK(listening.total == 1);
}

TEST_CASE("a signal that arrives in the last turn of run() is told by it", "[R9]") {
  RaisingPost raise;
  World world;
  Listening listening(*world);
  REQUIRE(!listening.start(SIGUSR1));
  for (std::uint64_t i = 1; i <= 3; ++i) {
    REQUIRE(world->post(raise.post));
    world->run();
    CHECK(listening.total == i);
  }
}

TEST_CASE("of two signals in two turns both are told before run() ends", "[R9]") {
  RaisingPost raise;
  World world;
  Listening listening(*world);
  REQUIRE(!listening.start(SIGUSR2));
  REQUIRE(!listening.start(SIGUSR1));
  ::raise(SIGUSR2);
  REQUIRE(world->post(raise.post));
  world->run();
  CHECK(listening.total == 2);
}

TEST_CASE("a signal that was blocked until somebody listened is told", "[R9]") {
  World world;
  Listening listening(*world);
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  REQUIRE(::pthread_sigmask(SIG_BLOCK, &blocked, &before) == 0);
  ::raise(SIGUSR1);
  const std::error_code error = listening.start(SIGUSR1);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  REQUIRE(!error);
  for (std::uint64_t i = 1; i <= 2; ++i) {
    world.run_until("it was told", [&] { return listening.total == i; });
    for (int turn = 0; turn < 3; ++turn) world.turn();
    CHECK(listening.total == i);
    ::raise(SIGUSR1);
  }
}

// docs/BACKENDS.md
TEST_CASE("where the system counts signals, another action takes none away", "[R9][kqueue]") {
  if (!over_kqueue() || files_by_workers()) return;
  World world;
  const OwnAction restored_at_the_end(SIGUSR2);
  Listening listening(*world), brief(*world);
  REQUIRE(!listening.start(SIGUSR2));
  REQUIRE(!brief.start(SIGUSR2));
  brief.stop();
  std::signal(SIGUSR2, SIG_IGN);
  ::raise(SIGUSR2);
  const proa::KeepAlive keep_alive(*world);
  world.run_until("it was told", [&] { return listening.total == 1; });
}

TEST_CASE("one that starts again hears nothing of before", "[R9]") {
  const Folder folder;
  ReadingAt reading(4);  // all there is: one request of aio(4)
  proa::Options embedded = options();
  embedded.embedded = true;
  World world(embedded);
  const proa::File file = open_file(world, folder.file("a", "text"));
  world->poll();  // requests on files begin with the first round
  Listening listening(*world);
  REQUIRE(!listening.start(SIGUSR1));
  std::uint64_t told = 0;
  reading.then = [&] {
    told = listening.total;
    listening.stop();
    REQUIRE(!listening.start(SIGUSR1));
  };
  REQUIRE(!world->submit(reading.from(file.descriptor())));
  if (over_kqueue() && !files_by_workers()) {
    // So that one wait brings both, the end of the read first.
    pollfd end{world->native_handle(), POLLIN, 0};
    REQUIRE(::poll(&end, 1, 10'000) == 1);
  }
  ::raise(SIGUSR1);
  world.run_until("it was read", [&] { return reading.done(); });
  for (int i = 0; i < 3; ++i) world.turn();
  CHECK(listening.total == told);
  ::raise(SIGUSR1);
  world.run_until("it was told", [&] { return listening.total == told + 1; });
}

TEST_CASE("a signal that nobody listens to any more wakes no loop", "[R9]") {
  proa::Options embedded = options();
  embedded.embedded = true;
  World world(embedded);
  const OwnAction own(SIGUSR2);
  Listening listening(*world);
  REQUIRE(!listening.start(SIGUSR2));
  ::raise(SIGUSR2);
  world.run_until("it was told", [&] { return listening.total == 1; });
  listening.stop();
  world->poll();
  ::raise(SIGUSR2);
  pollfd readable{world->native_handle(), POLLIN, 0};
  REQUIRE(readable.fd >= 0);
  CHECK(::poll(&readable, 1, 0) == 0);
}

TEST_CASE("the previous action comes back with the last subscriber", "[R9]") {
  World world;
  const OwnAction own(SIGUSR2);
  own_calls = 0;
  Listening first(*world), second(*world);
  REQUIRE(!first.start(SIGUSR2));
  REQUIRE(!second.start(SIGUSR2));
  CHECK(action_of(SIGUSR2).sa_handler != own_handler);
  CHECK((action_of(SIGUSR2).sa_flags & SA_RESTART) != 0);
  first.stop();
  ::raise(SIGUSR2);
  CHECK(own_calls == 0);
  SECTION("by stop()") { second.stop(); }
  SECTION("by close()") {
    second.close();
    CHECK(action_of(SIGUSR2).sa_handler == own_handler);
    world.run_until("it was closed", [&] { return second.closed == 1; });
  }
  CHECK(action_of(SIGUSR2).sa_handler == own_handler);
  CHECK((action_of(SIGUSR2).sa_flags & SA_NODEFER) != 0);
  ::raise(SIGUSR2);
  CHECK(own_calls == 1);
  CHECK(second.total == 0);
}

TEST_CASE("an action that the program has set meanwhile is left alone", "[R9]") {
  World world;
  const OwnAction restored_at_the_end(SIGUSR2);
  Listening listening(*world);
  REQUIRE(!listening.start(SIGUSR2));
  std::signal(SIGUSR2, SIG_IGN);
  listening.stop();
  CHECK(action_of(SIGUSR2).sa_handler == SIG_IGN);
}

// As system(3) does with SIGINT and SIGQUIT, while it waits in another thread.
TEST_CASE("an action of the library that somebody kept and sets again passes the signal on",
          "[R9]") {
  World world;
  const OwnAction own(SIGUSR2);
  own_calls = 0;
  Listening listening(*world);
  REQUIRE(!listening.start(SIGUSR2));
  const struct sigaction kept = action_of(SIGUSR2);
  std::signal(SIGUSR2, SIG_IGN);
  listening.stop();
  REQUIRE(::sigaction(SIGUSR2, &kept, nullptr) == 0);
  ::raise(SIGUSR2);
  CHECK(own_calls == 1);
  CHECK(action_of(SIGUSR2).sa_handler == own_handler);
  REQUIRE(::sigaction(SIGUSR2, &kept, nullptr) == 0);
  REQUIRE(!listening.start(SIGUSR2));
  ::raise(SIGUSR2);
  world.run_until("it was told", [&] { return listening.total == 1; });
  listening.stop();
  ::raise(SIGUSR2);
  CHECK(own_calls == 2);
}

TEST_CASE("signals that cannot be handled are refused by number", "[T06]") {
  World world;
  Listening listening(*world);
  const int signal = GENERATE(SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, 0, -1, 1000);
  const struct sigaction before = action_of(SIGSEGV);
  std::string detail;
  CHECK(listening.start(signal, &detail) == std::errc::invalid_argument);
  CHECK(detail.find("signal " + std::to_string(signal) + ": ") != std::string::npos);
  CHECK(!listening.is_open());
  CHECK(action_of(SIGSEGV).sa_handler == before.sa_handler);
  REQUIRE(!listening.start(SIGUSR1, &detail));
  CHECK(detail.empty());
  CHECK(listening.start(signal) == std::errc::invalid_argument);
  CHECK(listening.is_open());
}

TEST_CASE("a handler that closes cannot be started, and hears nothing", "[R6][K08]") {
  World world;
  Listening listening(*world);
  REQUIRE(!listening.start(SIGUSR1));
  ::raise(SIGUSR1);
  listening.close();
  CHECK(listening.start(SIGUSR1) == proa::Error::closing);
  world.run_until("it was closed", [&] { return listening.closed == 1; });
  CHECK(listening.signals.empty());
  REQUIRE(!listening.start(SIGUSR1));
  ::raise(SIGUSR1);
  world.run_until("it was told", [&] { return listening.total == 1; });
}

TEST_CASE("a handler may stop, close and delete itself when it is told", "[R6][K06]") {
  World world;
  struct Once : proa::SignalHandler {
    Once(proa::Proactor& proactor, int& told) : SignalHandler(proactor), told_(told) {}
    void on_signal(int, std::uint64_t) override {
      ++told_;
      stop();
      delete this;
    }
    int& told_;
  };
  int told = 0;
  const OwnAction own(SIGUSR1);
  own_calls = 0;
  auto* const once = new Once(*world, told);
  REQUIRE(!once->start(SIGUSR1));
  REQUIRE(!once->start(SIGUSR2));
  ::raise(SIGUSR1);
  ::raise(SIGUSR2);
  world.run_until("it was told", [&] { return told > 0; });
  for (int i = 0; i < 3; ++i) world.turn();
  CHECK(told == 1);
  ::raise(SIGUSR1);
  CHECK(own_calls == 1);
}

TEST_CASE("destroying a started handler aborts and names it", "[R6]") {
  const std::string message = message_of([] {
    const auto proactor = make_proactor();
    struct Bare : proa::SignalHandler {
      using SignalHandler::SignalHandler;
      void on_signal(int, std::uint64_t) override {}
    };
    Bare bare(*proactor);
    if (bare.start(SIGUSR1)) return;
  });
  CHECK(message.find("SignalHandler") != std::string::npos);
}

TEST_CASE("handlers come and go while other threads raise their signal", "[R9]") {
  World world;
  const OwnAction own(SIGUSR1);  // between subscriptions the signal must not kill the test
  std::atomic<bool> enough{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!enough) ::raise(SIGUSR1);
    });
  }
  const proa::KeepAlive keep_alive(*world);
  std::uint64_t told = 0;
  // On a busy machine the threads may not have had their turn by then.
  const auto late = world.in(hang);
  for (int round = 0; round < 300 || (told == 0 && world.system().now() < late); ++round) {
    Listening brief(*world), briefer(*world);
    REQUIRE(!brief.start(SIGUSR1));
    REQUIRE(!briefer.start(SIGUSR1));
    for (int i = 0; i < 20; ++i) ::sched_yield();  // the other threads' handlers end meanwhile
    REQUIRE(action_of(SIGUSR1).sa_handler != own_handler);
    if (round % 3 == 0) world->run_once(1ms);
    briefer.stop();
    told += brief.total;
  }
  enough = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(told > 0);
}

TEST_CASE("two loops hear of each signal while one's handlers come and go", "[R9][thread]") {
  World world;
  Listening steady(*world);
  REQUIRE(!steady.start(SIGUSR1));
  constexpr std::uint64_t number = 2000;
  std::thread raises([] {
    for (std::uint64_t i = 0; i < number; ++i) ::raise(SIGUSR1);
  });
  std::atomic<bool> enough{false};
  std::thread comes_and_goes([&] {
    const auto other = make_proactor();
    while (!enough) {
      Listening brief(*other);
      if (brief.start(SIGUSR1)) return;
      other->poll();
    }
  });
  world.run_until("all were told", [&] { return steady.total == number; });
  raises.join();
  enough = true;
  comes_and_goes.join();
  CHECK(steady.total == number);
}

TEST_CASE("S02: signals at a high rate disturb no transfer", "[R11][S02]") {
  struct Outcome {
    std::error_code error;
    bool over = false;
  };
  Outcome echo;
  World world;
  Listening alarms(*world);
  REQUIRE(!alarms.start(SIGALRM));
  const Connection line = world.pair();
  struct Echo : proa::StreamHandler {
    Echo(proa::Proactor& proactor, proa::Socket socket, Outcome& record)
        : StreamHandler(proactor, std::move(socket)), outcome(record) {}
    void on_read(proa::Buffer& data) override { write(std::move(data)); }
    void on_error(std::error_code error) override {
      outcome.error = error;
      close();
    }
    void on_closed() override {
      outcome.over = true;
      delete this;
    }
    Outcome& outcome;
  };
  new Echo(*world, std::move(line.near), echo);

  // Besides the ordinary handler with SA_RESTART, calls that wait say EINTR: epoll_wait(2) does so
  // for every signal (signal(7)).
  const itimerval rate = {{0, 100}, {0, 100}};
  REQUIRE(::setitimer(ITIMER_REAL, &rate, nullptr) == 0);
  line.far.expect_pattern(7);
  const std::size_t size = std::size_t{4} << 20;
  line.far.send_pattern(7, size);
  line.far.half_close();
  world.run_until("all came back", [&] { return line.far.ended(); });
  world.run_until("alarms were told", [&] { return alarms.total > 100; });
  const itimerval off{};
  ::setitimer(ITIMER_REAL, &off, nullptr);
  CHECK(line.far.received_bytes() == size);
  CHECK(line.far.difference() == no_difference);
  world.run_until("the echo closed", [&] { return echo.over; });
  CHECK(!echo.error);
}

}  // namespace
