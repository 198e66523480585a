// Descriptors of every kind that can be polled, borrowed in either mode: they are read when they
// have something, and never hold the loop up.
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <proa/accept_handler.hpp>
#include <proa/poll.hpp>
#include <proa/stream_handler.hpp>

#include "contract/file_rig.hpp"
#include "raw.hpp"
#include "support/patterns.hpp"
#include "support/plain.hpp"
#include "tun.hpp"

namespace {

using namespace proa_test;

constexpr std::uint64_t seven = 7;
const std::string seven_bytes(reinterpret_cast<const char*>(&seven), sizeof seven);

// A descriptor, what gives it something to read, and whether that was read.
struct Source {
  int number = -1;
  std::function<void()> poke;
  std::function<bool(std::string_view)> right;
};

int mode(bool blocking, int flag) { return blocking ? 0 : flag; }

Source an_eventfd(bool blocking) {
  const int number = ::eventfd(0, EFD_CLOEXEC | mode(blocking, EFD_NONBLOCK));
  return {number, [number] { REQUIRE(::eventfd_write(number, seven) == 0); },
          [](std::string_view read) { return read == seven_bytes; }};
}

Source a_timerfd(bool blocking) {
  const int number = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | mode(blocking, TFD_NONBLOCK));
  return {number,
          [number] {
            const itimerspec soon = {{}, {0, 1}};
            REQUIRE(::timerfd_settime(number, 0, &soon, nullptr) == 0);
          },
          [](std::string_view read) { return read.size() == 8 && read[0] == 1; }};
}

Source an_inotify(bool blocking, const Folder& folder) {
  const int number = ::inotify_init1(IN_CLOEXEC | mode(blocking, IN_NONBLOCK));
  REQUIRE(::inotify_add_watch(number, folder.path().c_str(), IN_CREATE) >= 0);
  return {number,
          [&folder, next = 0]() mutable { folder.file("made" + std::to_string(next++), "bytes"); },
          [](std::string_view read) { return read.find("made") != std::string_view::npos; }};
}

// Blocks a signal in this thread, which is the only one that could take it.
class Blocked {
 public:
  explicit Blocked(int number) {
    sigemptyset(&set);
    sigaddset(&set, number);
    REQUIRE(::pthread_sigmask(SIG_BLOCK, &set, &before_) == 0);
  }
  ~Blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  sigset_t set;

 private:
  sigset_t before_;
};

Source a_signalfd(bool blocking, const Blocked& blocked) {
  const int number = ::signalfd(-1, &blocked.set, SFD_CLOEXEC | mode(blocking, SFD_NONBLOCK));
  return {number, [] { REQUIRE(::kill(::getpid(), SIGUSR2) == 0); },
          [](std::string_view read) {
            return read.size() == sizeof(signalfd_siginfo) && read[0] == SIGUSR2;
          }};
}

// The master of a pseudoterminal, into which its other end writes.
Source a_master(bool blocking, int& slave) {
  const int number = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | mode(blocking, O_NONBLOCK));
  REQUIRE((::grantpt(number) == 0 && ::unlockpt(number) == 0));
  slave = ::open(::ptsname(number), O_RDWR | O_NOCTTY | O_CLOEXEC);
  return {number, [&slave] { REQUIRE(::write(slave, "typed", 5) == 5); },
          [](std::string_view read) { return read == "typed"; }};
}

void check_reading(const Source& source) {
  const Raw raw(source.number);
  Read read(512);
  World world;
  proa::Socket& borrowed = borrow(world, raw);
  const int flags = raw.flags();
  for (std::size_t times = 1; times <= 2; ++times) {
    world.submit(read.from(borrowed.descriptor()));
    Timing timer;
    world.submit(timer.request, world.in(5ms));
    world.run_until("the timer fired", [&] { return timer.done(); });
    CHECK(!read.done());
    source.poke();
    world.run_until("the read completed", [&] { return read.done(); });
    CHECK(!read.error());
    CHECK(source.right(read.text()));
    read.results.clear();
  }
  world.submit(read.from(borrowed.descriptor()));
  turns(world, 3);
  world->cancel(read.request);
  world.run_until("the read ended", [&] { return read.done(); });
  CHECK(read.error() == std::errc::operation_canceled);
  CHECK(raw.flags() == flags);
}

TEST_CASE("what can be polled is polled, and its reader does not hold the loop up",
          "[R12][readiness]") {
  const bool blocking = GENERATE(true, false);
  CAPTURE(blocking);
  SECTION("an eventfd") { check_reading(an_eventfd(blocking)); }
  SECTION("a timerfd") { check_reading(a_timerfd(blocking)); }
  SECTION("inotify") {
    const Folder folder;
    check_reading(an_inotify(blocking, folder));
  }
  SECTION("a signalfd") {
    const Blocked blocked(SIGUSR2);
    check_reading(a_signalfd(blocking, blocked));
  }
  SECTION("the master of a pseudoterminal") {
    int slave = -1;
    check_reading(a_master(blocking, slave));
    ::close(slave);
  }
}

// No event comes for what a descriptor cannot do, so the system call has to tell it, also when the
// backend knows the descriptor by other requests.
TEST_CASE("what a descriptor cannot do is told, whatever was asked of it before", "[R2][R12]") {
  enum class What { read_end, write_end, timer, listener };
  const What what = GENERATE(What::read_end, What::write_end, What::timer, What::listener);
  enum class Before { nothing, what_it_can, poll_of_what_it_cannot };
  const Before before =
      GENERATE(Before::nothing, Before::what_it_can, Before::poll_of_what_it_cannot);
  if (what == What::timer && over_kqueue()) return;  // there is none with kqueue
  CAPTURE(static_cast<int>(what), static_cast<int>(before));
  Read read;
  Sending send;
  const proa::Direction can = what == What::write_end ? proa::Direction::out : proa::Direction::in;
  const proa::Direction cannot =
      what == What::write_end ? proa::Direction::in : proa::Direction::out;
  Recording<proa::Poll> other(can);
  Recording<proa::Poll> in_vain(cannot);
  World world;
  int ends[2];
  REQUIRE(plain_pipe(ends));
  const Raw reads(ends[0]);
  const Raw writes(ends[1]);
  const Raw timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  const Raw listener(plain_socket(AF_INET, SOCK_STREAM));
  REQUIRE(::listen(listener.number, 1) == 0);
  const Raw& raw = what == What::read_end    ? reads
                   : what == What::write_end ? writes
                   : what == What::timer     ? timer
                                             : listener;
  const proa::Descriptor descriptor = borrow(world, raw).descriptor();
  if (before != Before::nothing) {
    other.request.prepare(descriptor);
    world.submit(other.request);
    for (int i = 0; i < 3; ++i) world.turn();
  }
  if (before == Before::poll_of_what_it_cannot) {
    in_vain.request.prepare(descriptor);
    world.submit(in_vain.request);
    for (int i = 0; i < 3; ++i) world.turn();
    world->cancel(in_vain.request);
    world.run_until("the poll ended", [&] { return !in_vain.request.pending(); });
  }
  for (int times = 0; times < 2; ++times) {
    send.results.clear();
    read.results.clear();
    if (what == What::write_end) {
      world.submit(read.from(descriptor));
      world.run_until("the receive ended", [&] { return read.done(); });
      CHECK(read.error());
    } else {
      world.submit(send.to(descriptor, "x"));
      world.run_until("the send ended", [&] { return send.done(); });
      CHECK(send.error());
    }
  }
  world->cancel(other.request);
  world.run_until("the other one ended", [&] { return !other.request.pending(); });
}

TEST_CASE("a FIFO that has had no writer has not ended", "[R2][R12]") {
  const Folder folder;
  const std::string path = folder.path("fifo");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  Recording<proa::RecvBuffers> receive;
  World world;
  std::error_code error;
  const proa::Socket& fifo = world.own(
      proa::Socket::adopt(*world, ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC), error));
  REQUIRE(!error);
  std::string read;
  receive.then = [&] { read += receive.request.buffer().text(); };
  receive.request.prepare(fifo.descriptor());
  world.submit(receive.request);
  for (int i = 0; i < 5; ++i) world.turn();
  CHECK(receive.results.empty());
  const Raw writer(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  writer.write("hello");
  world.run_until("it came", [&] { return read == "hello"; });
  world->cancel(receive.request);
  world.run_until("the receive ended", [&] { return !receive.request.pending(); });
}

TEST_CASE("a borrowed descriptor that does not listen is an error of its handler", "[R2][R12]") {
  const bool blocking = GENERATE(true, false);
  struct Door : proa::AcceptHandler {
    using AcceptHandler::AcceptHandler;
    ~Door() override = default;
    void on_accept(proa::Socket, const proa::Address&) override {}
    void on_error(std::error_code error) override { told = error; }
    std::error_code told;
  };
  World world;
  int ends[2];
  REQUIRE(plain_pair(ends, blocking));
  const Raw one(ends[0]);
  const Raw two(ends[1]);
  REQUIRE(plain_pipe(ends));
  const Raw pipe(ends[0]);
  const Raw other(ends[1]);
  const Raw datagrams(plain_socket(AF_INET, SOCK_DGRAM));
  for (const Raw* const raw : {&one, &pipe, &datagrams}) {
    if (!blocking) ::fcntl(raw->number, F_SETFL, O_NONBLOCK);
    Door door(*world);
    std::error_code error;
    error = door.listen(proa::Socket::borrow(*world, raw->number, error));
    world.run_until("it is told", [&] { return error || door.told; });
    door.close();
    world.run_until("it is closed", [&] { return !door.is_open(); });
  }
}

TEST_CASE("a tun interface is read and written a packet at a time", "[R12][readiness]") {
  const bool blocking = GENERATE(true, false);
  Read read(Tun::mtu);
  Sending send;
  World world;
  const Tun tun(blocking);
  if (!tun.works()) return skip("no tun interface: " + tun.why_not, true);
  std::error_code error;
  proa::Socket& device = world.own(proa::Socket::borrow(*world, tun.device, error));
  REQUIRE(!error);
  // The system may have said something of its own there, as IPv6 does.
  const auto read_until = [&](const std::string& wanted) {
    const auto came = [&] {
      return !read.results.empty() && read.text().find(wanted) != std::string_view::npos;
    };
    read.then = [&] {
      REQUIRE(!read.error());
      if (!came()) world.submit(read.from(device.descriptor()));
    };
    world.submit(read.from(device.descriptor()));
    world.run_until("the packet was read", [&] { return came() && !read.request.pending(); });
    read.then = {};
  };
  for (const std::size_t size : {std::size_t{100}, std::size_t{8000}}) {
    const std::string bytes = pattern(1, size);
    REQUIRE(tun.send(bytes));
    read_until(bytes);
    CHECK(read.bytes() == size + 28);
    const std::string packet = Tun::packet(bytes);
    world.submit(send.to(device.descriptor(), packet));
    world.run_until("the packet was written", [&] { return send.done(); });
    CHECK(!send.error());
    CHECK(send.bytes() == packet.size());
    send.results.clear();
    std::string came;
    world.run_until("the datagram came", [&] {
      if (came.empty()) came = tun.received();
      return !came.empty();
    });
    CHECK(came == bytes);
  }
}

class Counter : public proa::StreamHandler {
 public:
  using StreamHandler::StreamHandler;
  std::string text;
  std::vector<std::error_code> errors;
  bool closed = false;

 protected:
  void on_read(proa::Buffer& data) override { text += data.text(); }
  void on_error(std::error_code error) override {
    errors.push_back(error);
    close();
  }
  void on_closed() override { closed = true; }
};

TEST_CASE("a stream on an eventfd in blocking mode counts up and down", "[R12][readiness]") {
  World world;
  const Raw event(::eventfd(0, EFD_CLOEXEC));
  std::error_code error;
  Counter counter(*world, proa::Socket::borrow(*world, event.number, error));
  REQUIRE(!error);
  counter.start_reading();
  turns(world, 3);
  CHECK(counter.text.empty());
  counter.write(proa::Bytes(seven_bytes));
  world.run_until("the number came back", [&] { return counter.text == seven_bytes; });
  counter.close();
  world.run_until("it is closed", [&] { return counter.closed; });
  CHECK(counter.errors.empty());
  CHECK(::eventfd_write(event.number, 1) == 0);  // still open
}

// A child that does nothing until it is killed, and its pidfd.
struct Process {
  Process() : id(begin()), pidfd(static_cast<int>(::syscall(SYS_pidfd_open, id, 0))) {}
  ~Process() {
    kill();
    ::waitpid(id, nullptr, 0);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  void kill() const { ::kill(id, SIGKILL); }

  const pid_t id;
  const Raw pidfd;

 private:
  static pid_t begin() {
    const pid_t child = ::fork();
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
    REQUIRE(child > 0);
    return child;
  }
};

struct Terminal {
  Terminal() {
    REQUIRE(::unlockpt(master.number) == 0);
    slave = std::make_unique<Raw>(
        ::open(::ptsname(master.number), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    termios settings{};
    REQUIRE(::tcgetattr(slave->number, &settings) == 0);
    ::cfmakeraw(&settings);
    REQUIRE(::tcsetattr(slave->number, TCSANOW, &settings) == 0);
  }
  Raw master{::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)};  // in blocking mode
  std::unique_ptr<Raw> slave;
};

TEST_CASE("a long send to the master of a pseudoterminal does not hold the loop up",
          "[R7][R12][readiness]") {
  const std::string bytes = pattern(1, 300000);
  Sending send;
  World world;
  Terminal terminal;
  const proa::Socket& master = borrow(world, terminal.master);
  std::string received;
  SECTION("whose other side reads in the loop's thread") {
    world.submit(send.to(master.descriptor(), bytes));
    world.run_until("all has come", [&] {
      char memory[1000];
      const ssize_t got = ::read(terminal.slave->number, memory, sizeof memory);
      if (got > 0) received.append(memory, static_cast<std::size_t>(got));
      return received.size() == bytes.size() && send.done();
    });
    CHECK(!send.error());
    CHECK((received == bytes));
  }
  SECTION("whose other side does not read: the deadline ends it") {
    world.submit(send.to(master.descriptor(), bytes), world.in(20ms));
    world.run_until("it is late", [&] { return send.done(); });
    CHECK(send.error() == proa::Error::deadline);
    CHECK(send.bytes() < bytes.size());
  }
  CHECK((terminal.master.flags() & O_NONBLOCK) == 0);
}

TEST_CASE("what has nothing to read says so, whatever can be polled of it", "[R2][readiness]") {
  World world;
  const Process process;
  std::error_code error;
  Counter counter(*world, proa::Socket::borrow(*world, process.pidfd.number, error));
  REQUIRE(!error);
  counter.start_reading();
  turns(world, 3);
  process.kill();
  world.run_until("the error was told", [&] { return counter.closed; });
  REQUIRE(counter.errors.size() == 1);
  CHECK(counter.errors[0] == std::errc::invalid_argument);
}

TEST_CASE("a Poll hears of the end of a process", "[poll][R12]") {
  Recording<proa::Poll> poll(proa::Direction::in, false);
  World world;
  const Process process;
  poll.request.prepare(process.pidfd.number);
  world.submit(poll.request);
  turns(world, 3);
  CHECK(!poll.done());
  process.kill();
  world.run_until("the end was told", [&] { return poll.done(); });
  CHECK(!poll.error());
}

}  // namespace
