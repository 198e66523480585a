// fork(2): a child goes on with what its parent made and never ran; of anything else it lets go
// without the parent's noticing. What a child finds comes back as its exit status.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <proa/proa.hpp>
#include <string>
#include <thread>
#include <vector>

#include "fork_rig.hpp"
#include "support/death.hpp"
#include "support/plain.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;
using proa::Address;

class Echo : public proa::StreamHandler {
 public:
  using StreamHandler::StreamHandler;

 protected:
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
  void on_closed() override { delete this; }
};

// A handler that deletes itself would be lost in a child that only exits.
struct Kept : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  ~Kept() override = default;
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
};

struct Alarm : proa::TimerHandler {
  using TimerHandler::TimerHandler;
  ~Alarm() override = default;
  void on_timer(std::uint64_t) override {
    ++fired;
    if (then) then();
  }
  int fired = 0;
  std::function<void()> then;
};

struct Ears : proa::SignalHandler {
  using SignalHandler::SignalHandler;
  ~Ears() override { stop(); }
  void on_signal(int, std::uint64_t) override { ++heard; }
  int heard = 0;
};

struct Bell : proa::Notifier {
  using Notifier::Notifier;
  ~Bell() override = default;
  void on_notify() override { ++rung; }
  int rung = 0;
};

struct Posted {
  void run() { ++ran; }
  int ran = 0;
  proa::OnPost<&Posted::run> post{*this};
};

// Turns the proactor until it has come back.
bool echoes(proa::Proactor& proactor, const Client& client, char one) {
  client.say(one);
  const auto until = proa::after(proactor.system().now(), hang);
  while (proactor.system().now() < until) {
    proactor.run_once(5ms);
    if (client.hear() == one) return true;
  }
  return false;
}

TEST_CASE("R14: what was made before fork(2) and never run goes on in the child", "[R14]") {
  auto proactor = make_proactor();
  auto server = std::make_unique<proa::Server<Echo>>(*proactor, "127.0.0.1:0");
  const Address where = server->addresses().at(0);
  Alarm alarm(*proactor);
  alarm.start(1ms);
  Bell bell(*proactor);
  bell.start();
  bell.notify();
  Ears ears(*proactor);
  REQUIRE(!ears.start(SIGUSR1));
  Posted posted;
  REQUIRE(proactor->post(posted.post));
  Read read;
  int ends[2];
  REQUIRE(plain_pair(ends, false));
  std::error_code error;
  auto near = std::make_unique<proa::Socket>(proa::Socket::borrow(*proactor, ends[0], error));
  REQUIRE(!proactor->submit(read.from(near->descriptor())));

  Child child([&] {
    (void)::write(ends[1], "x", 1);
    ::raise(SIGUSR1);
    const Client client(where);
    if (!client.connected()) return 2;
    if (!echoes(*proactor, client, 'a')) return 3;
    const auto until = proa::after(proactor->system().now(), hang);
    const auto all = [&] {
      return alarm.fired == 1 && bell.rung > 0 && ears.heard == 1 && posted.ran == 1 && read.done();
    };
    while (!all() && proactor->system().now() < until) proactor->run_once(5ms);
    if (!all()) return 4;
    ears.close();
    bell.close();
    if (proactor->shutdown(10s) != 0) return 5;
    return read.text() == "x" ? 0 : 6;
  });
  CHECK(good(child.wait()));

  // The parent's is as it was: the child took nothing with it.
  const Client client(where);
  CHECK(echoes(*proactor, client, 'b'));
  CHECK((alarm.fired == 1 && posted.ran == 1 && ears.heard == 0));
  ears.close();
  bell.close();
  server.reset();
  CHECK(proactor->shutdown(10s) == 0);
  near.reset();
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("R14: verbs between fork(2) and the first run work in the child", "[R14]") {
  auto proactor = make_proactor();
  CHECK(good(status_of([&] {
    proa::Server<Echo> server(*proactor, "127.0.0.1:0");
    const Client client(server.addresses().at(0));
    return client.connected() && echoes(*proactor, client, 'a') ? 0 : 1;
  })));
  proactor->poll();
}

enum class End { exits, destroys, closes, cancels, executes, owns };

TEST_CASE("R14: a Connect of before fork(2) succeeds in the parent and in the child", "[R14]") {
  Connecting connect;
  World world;
  std::error_code error;
  proa::Socket& socket =
      world.own(proa::Socket::open(*world, Address::Family::ipv4, proa::Transport::stream, error));
  REQUIRE(!error);
  const bool child_first = GENERATE(false, true);
  CAPTURE(child_first);
  connect.request.prepare(socket.descriptor(), world.listen().local_address());
  world.submit(connect.request);
  Child child([&] {
    while (!connect.done()) world->run_once(1s);
    return connect.error() ? 1 : 0;
  });
  if (child_first) CHECK(good(child.wait()));
  world.run_until("the parent has connected", [&] { return connect.done(); });
  CHECK(!connect.error());
  if (!child_first) CHECK(good(child.wait()));
}

TEST_CASE("R14: a Connect that ends in a child goes on in the parent", "[R14]") {
  const bool cancels = GENERATE(false, true);
  CAPTURE(cancels);
  Connecting connect;
  World world;
  const Address silent = world.full_listener();
  if (silent.family() == Address::Family::none) return;  // this system refuses in place of waiting
  std::error_code error;
  proa::Socket& socket =
      world.own(proa::Socket::open(*world, Address::Family::ipv4, proa::Transport::stream, error));
  REQUIRE(!error);
  connect.request.prepare(socket.descriptor(), silent);
  // full_listener() has run this world's proactor, and a child takes over only what never ran.
  auto fresh = std::make_unique<proa::Proactor>(options());
  REQUIRE(!fresh->submit(connect.request));
  int go[2];
  REQUIRE(::pipe(go) == 0);
  Child child([&] {
    char byte = 0;
    if (::read(go[0], &byte, 1) != 1) return 1;
    if (cancels) fresh->cancel(connect.request);
    fresh->shutdown(1s);
    return connect.done() ? 0 : 2;
  });
  fresh->poll();
  const Address local = socket.local_address();
  REQUIRE(::write(go[1], "x", 1) == 1);
  CHECK(good(child.wait()));
  fresh->poll();
  CHECK(!connect.done());
  CHECK(socket.local_address() == local);  // another Connect would have another port
  ::close(go[0]);
  ::close(go[1]);
  fresh->cancel(connect.request);
  fresh->shutdown(1s);
  CHECK(connect.error() == std::errc::operation_canceled);
}

TEST_CASE("R14: a child that ends does not disturb its parent", "[R14]") {
  const bool ran = GENERATE(true, false);
  const End how =
      GENERATE(End::exits, End::destroys, End::closes, End::cancels, End::executes, End::owns);
  INFO("how " << static_cast<int>(how) << ", ran " << ran);
  auto proactor = make_proactor();
  auto server = std::make_unique<proa::Server<Kept>>(*proactor);
  std::vector<Kept*> served;
  server =
      std::make_unique<proa::Server<Kept>>(*proactor, [&](proa::Socket socket, const Address&) {
        return served.emplace_back(new Kept(*proactor, std::move(socket)));
      });
  REQUIRE(!server->listen("127.0.0.1:0"));
  const Address where = server->addresses().at(0);
  auto alarm = std::make_unique<Alarm>(*proactor);
  alarm->start(1h);
  auto ears = std::make_unique<Ears>(*proactor);
  REQUIRE(!ears->start(SIGUSR1));
  auto keep = std::make_unique<proa::KeepAlive>(*proactor);
  auto timing = std::make_unique<Timing>();
  REQUIRE(!proactor->submit(timing->request, proactor->system().now() + 1h));
  auto posted = std::make_unique<Posted>();
  auto pool = std::make_unique<proa::WorkerPool>(*proactor);
  const Client first(where);
  if (ran) {
    CHECK(echoes(*proactor, first, 'a'));
    REQUIRE(served.size() == 1);
  }
  REQUIRE(proactor->post(posted->post));

  const int status = status_of([&] {
    switch (how) {
      case End::exits:
        return 0;
      case End::closes:
        for (Kept* const stream : served) stream->close();
        ears->close();
        alarm->stop();
        if (alarm->armed()) return 1;
        return (ran ? !ears->is_open() : ears->closing()) ? 0 : 2;
      case End::cancels:
        proactor->cancel(timing->request);
        proactor->stop();
        return proactor->post([] {}) == ran ? 1 : 0;
      case End::executes:
        ::execlp("true", "true", nullptr);
        return 1;
      case End::owns: {
        auto own = make_proactor();
        proa::Server<Echo> serves(*own, "127.0.0.1:0");
        Ears hears(*own);
        if (hears.start(SIGUSR1)) return 1;
        ::raise(SIGUSR1);
        const Client client(serves.addresses().at(0));
        if (!echoes(*own, client, 'c')) return 2;
        while (hears.heard == 0) own->run_once(5ms);
        hears.close();
        return own->shutdown(10s) == 0 ? 0 : 3;
      }
      case End::destroys:
        break;
    }
    timing.reset();
    for (Kept* const stream : served) delete stream;
    keep.reset();
    alarm.reset();
    server.reset();
    ears.reset();
    posted.reset();
    pool.reset();
    proactor.reset();
    return 0;
  });
  INFO("status " << status);
  CHECK(good(status));

  const Client second(where);
  CHECK(echoes(*proactor, first, 'x'));
  CHECK(echoes(*proactor, second, 'y'));
  ears->close();
  alarm->close();
  keep.reset();
  proactor->cancel(timing->request);
  while (timing->request.pending()) proactor->run_once(5ms);
  server.reset();
  for (Kept* const stream : served) stream->close();
  pool.reset();
  CHECK(proactor->shutdown(10s) == 0);
  for (Kept* const stream : served) delete stream;
  alarm.reset();
  ears.reset();
  proactor.reset();
}

TEST_CASE("R14: handlers may outlive the proactor in a child that ends", "[R14]") {
  auto proactor = make_proactor();
  auto server = std::make_unique<proa::Server<Echo>>(*proactor, "127.0.0.1:0");
  auto alarm = std::make_unique<Alarm>(*proactor);
  alarm->start(1h);
  auto ears = std::make_unique<Ears>(*proactor);
  REQUIRE(!ears->start(SIGUSR1));
  proactor->poll();
  CHECK(good(status_of([&] {
    proactor.reset();
    server.reset();
    alarm.reset();
    return 0;
  })));
  alarm->stop();
  ears->stop();
  server.reset();
  CHECK(proactor->shutdown(10s) == 0);
}

TEST_CASE("R14: a notifier that was notified may outlive the proactor", "[R14]") {
  auto proactor = make_proactor();
  auto bell = std::make_unique<Bell>(*proactor);
  SECTION("that was shut down") {
    if (GENERATE(true, false)) bell->start();
    bell->close();
    proactor->shutdown(10s);
    bell->notify();
    proactor.reset();
    bell.reset();
    return;
  }
  SECTION("in a child that ends") {
    const bool before = GENERATE(true, false);
    bell->start();
    proactor->poll();
    if (before) bell->notify();
    CHECK(good(status_of([&] {
      bell->notify();
      proactor.reset();
      bell.reset();
      return 0;
    })));
    bell->close();
    CHECK(proactor->shutdown(10s) == 0);
  }
}

TEST_CASE("R14: misuse of what a child has taken over is told there", "[R14]") {
  auto proactor = make_proactor();
  int ends[2];
  REQUIRE(plain_pair(ends, false));
  std::error_code error;
  auto near = std::make_unique<proa::Socket>(proa::Socket::borrow(*proactor, ends[0], error));
  auto first = std::make_unique<Read>();
  auto second = std::make_unique<Read>();
  auto timing = std::make_unique<Timing>();
  auto posted = std::make_unique<Posted>();
  REQUIRE(!proactor->submit(first->from(near->descriptor())));
  REQUIRE(!proactor->submit(second->from(near->descriptor())));
  REQUIRE(!proactor->submit(timing->request, proactor->system().now() + 1h));
  REQUIRE(proactor->post(posted->post));
  const auto says = [&](const std::function<void()>& misuse, const std::string& part) {
    const std::string message = message_of([&] {
      proactor->check_thread("main");
      misuse();
    });
    INFO("it says: " << message);
    CHECK(message.find(part) != std::string::npos);
  };
  says([&] { first.reset(); }, "Recv 0x");
  says([&] { second.reset(); }, "destroyed while it was pending");
  says([&] { timing.reset(); }, "Timer 0x");
  says([&] { posted.reset(); }, "destroyed while it was queued");
  // A post of the child's own is what takes over then, or what comes first.
  const std::string message = message_of([&] {
    auto own = std::make_unique<Posted>();
    if (proactor->post(own->post)) own.reset();
  });
  INFO("it says: " << message);
  CHECK(message.find("destroyed while it was queued") != std::string::npos);

  proactor->cancel(first->request);
  proactor->cancel(second->request);
  proactor->cancel(timing->request);
  CHECK(proactor->shutdown(10s) == 0);
  near.reset();
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("R14: misuse of a file's request in a child is told there", "[R14]") {
  auto proactor = make_proactor();
  std::error_code error;
  auto file = std::make_unique<proa::File>(
      proa::File::open(*proactor, "/bin/sh", proa::OpenFlags::read, 0, error));
  REQUIRE(!error);
  struct Reading {
    void done(const proa::Result&) {}
    char space[8];
    proa::On<proa::ReadAt, &Reading::done> request{*this};
  };
  auto reading = std::make_unique<Reading>();
  reading->request.prepare(file->descriptor(), 0, {reading->space, sizeof reading->space});
  REQUIRE(!proactor->submit(reading->request));
  const std::string message = message_of([&] {
    proactor->check_thread("main");
    reading.reset();
  });
  INFO("it says: " << message);
  CHECK(message.find("ReadAt 0x") == 0);
  CHECK(message.find("destroyed while it was pending") != std::string::npos);
  while (reading->request.pending()) proactor->run_once(5ms);
  file.reset();
}

TEST_CASE("R14: to go on with what the parent has run is misuse", "[R14]") {
  auto proactor = make_proactor();
  proa::Server<Echo> server(*proactor, "127.0.0.1:0");
  Kept stream(*proactor);
  Alarm alarm(*proactor);
  proactor->poll();
  proa::Buffer buffer = proactor->take_buffer();
  REQUIRE(buffer.append("lent") == 4);
  const auto says = [](const std::string& message, const std::string& part) {
    INFO("it says: " << message);
    CHECK(message.find(part + "() in a child of fork(2)") != std::string::npos);
  };
  says(message_of([&] { proactor->run(); }), "run");
  says(message_of([&] { proactor->poll(); }), "poll");
  says(message_of([&] { stream.connect(Address::parse("127.0.0.1:1")); }), "connect");
  says(message_of([&] { alarm.start(1ms); }), "start");
  says(message_of([&] { (void)server.listen("127.0.0.1:0"); }), "listen");
  says(message_of([&] { (void)proactor->take_buffer(); }), "take_buffer");
  says(message_of([&] { (void)buffer.share(); }), "share");
  CHECK(message_of([&] { buffer.reset(); }) == "survived");
  CHECK(message_of([&] { (void)proactor->post([] {}); }) == "survived");
  proactor->poll();
}

TEST_CASE("R14: a buffer is shared by the process that its proactor belongs to", "[R14]") {
  auto proactor = make_proactor();
  proa::Buffer buffer = proactor->take_buffer();
  REQUIRE(buffer.append("lent") == 4);
  const bool verb = GENERATE(false, true);
  CAPTURE(verb);
  // Before the first run the child may take the proactor over, by a verb or by running it.
  CHECK(good(status_of([&] {
    if (verb && !proactor->take_buffer()) return 1;
    proa::Buffer second = buffer.share();
    if (second.text() != "lent") return 2;
    proactor->poll();
    return buffer.share().text() == "lent" ? 0 : 3;
  })));
  const auto in_a_child = [&] { return message_of([&] { (void)buffer.share(); }); };
  proactor->poll();
  CHECK(buffer.share().text() == "lent");
  CHECK(in_a_child().find("share() in a child of fork(2)") != std::string::npos);
  CHECK(proactor->shutdown(10s) == 0);
  CHECK(buffer.share().text() == "lent");
  CHECK(in_a_child().find("share() in a child of fork(2)") != std::string::npos);
  proactor.reset();
  CHECK(buffer.share().text() == "lent");
  CHECK(in_a_child().find("share() in a child of fork(2)") != std::string::npos);
}

TEST_CASE("R14: a callback forks: in the child run() returns, and nothing happens twice", "[R14]") {
  auto proactor = make_proactor();
  std::vector<Kept*> served;
  proa::Server<Kept> server(*proactor, [&](proa::Socket socket, const Address&) {
    return served.emplace_back(new Kept(*proactor, std::move(socket)));
  });
  REQUIRE(!server.listen("127.0.0.1:0"));
  const Client client(server.addresses().at(0));
  CHECK(echoes(*proactor, client, 'a'));
  Alarm alarm(*proactor);
  Alarm other(*proactor);
  pid_t child = -1;
  alarm.then = [&] {
    served.at(0)->write("w");
    child = ::fork();
    if (child == 0) ::alarm(120);
  };
  other.then = [&] {
    if (child == 0) ::_exit(7);  // the parent's to tell
    proactor->stop();
  };
  alarm.start(1ms);
  other.start(1ms);
  proactor->run();
  if (child == 0) ::_exit(0);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(good(status));
  CHECK(other.fired == 1);
  client.say('z');
  std::string heard;
  while (heard.find('z') == std::string::npos) {
    proactor->run_once(5ms);
    while (const char one = client.hear()) heard += one;
  }
  CHECK(heard == "wz");
  served.at(0)->close();
  proactor->poll();
  delete served.at(0);
}

struct Job {
  void compute() noexcept {}
  void computed(const proa::Result&) { done = true; }
  bool done = false;
  proa::On<proa::Work, &Job::computed> work{*this};
};

class Reader : public proa::FileHandler {
 public:
  using FileHandler::FileHandler;
  ~Reader() override = default;
  std::string text;
  bool done = false;

 private:
  void on_read(proa::Buffer& data) override { text += data.text(); }
  void on_end() override { close(); }
  void on_closed() override { done = true; }
};

TEST_CASE("R14: requests on files, and work, go on in the child and in the parent", "[R14]") {
  const std::string path = "/tmp/proa-test-fork-" + std::to_string(::getpid());
  std::ofstream(path) << "abc";
  auto proactor = make_proactor();
  proa::WorkerPool pool(*proactor);
  Job job;
  job.work.prepare<&Job::compute>(job);
  REQUIRE(!pool.run(job.work));
  std::error_code error;
  auto file = std::make_unique<proa::File>(
      proa::File::open(*proactor, path, proa::OpenFlags::read | proa::OpenFlags::write, 0, error));
  REQUIRE(!error);
  Recording<proa::Sync> sync;
  sync.request.prepare(file->descriptor());
  REQUIRE(!proactor->submit(sync.request));
  Reader opens(*proactor);
  opens.open(path, proa::OpenFlags::read);
  opens.start_reading();
  Reader reads(*proactor, proa::File::open(*proactor, path, proa::OpenFlags::read, 0, error));
  reads.start_reading();
  Reader closes(*proactor);
  closes.open(path, proa::OpenFlags::read);
  closes.close();

  const auto all_done = [&] {
    return job.done && sync.done() && opens.done && reads.done && closes.done;
  };
  const auto goes_on = [&] {
    const auto until = proa::after(proactor->system().now(), hang);
    while (!all_done() && proactor->system().now() < until) proactor->run_once(5ms);
    return all_done() && !sync.error() && opens.text == "abc" && reads.text == "abc";
  };
  CHECK(good(status_of([&] { return goes_on() ? 0 : 1; })));
  CHECK(goes_on());
  file.reset();
  CHECK(proactor->shutdown(10s) == 0);
  ::unlink(path.c_str());
}

TEST_CASE("R14: a signal to a child does what it did before its parent listened", "[R14]") {
  auto proactor = make_proactor();
  Ears ears(*proactor);
  REQUIRE(!ears.start(SIGUSR1));
  proactor->poll();
  Child child([] {
    ::raise(SIGUSR1);
    return 1;
  });
  const int status = child.wait();
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1));
  proactor->poll();
  CHECK(ears.heard == 0);
  ::raise(SIGUSR1);
  while (ears.heard == 0) proactor->run_once(5ms);
  CHECK(ears.heard == 1);
  ears.stop();
}

TEST_CASE("R14: signals that hit the parent at fork(2) hold up no child", "[R14]") {
  auto proactor = make_proactor();
  Ears ears(*proactor);
  REQUIRE(!ears.start(SIGUSR1));
  proactor->poll();
  std::atomic<bool> enough{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!enough) ::raise(SIGUSR1);
    });
  }
  bool all_good = true;
  for (int i = 0; i < 50 && all_good; ++i) {
    all_good = good(status_of([] {
      auto own = make_proactor();
      Ears hears(*own);
      if (hears.start(SIGUSR1)) return 1;
      ::raise(SIGUSR1);
      while (hears.heard == 0) own->run_once(5ms);
      hears.stop();
      return 0;
    }));
    proactor->poll();
  }
  enough = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(all_good);
  ears.stop();
}

TEST_CASE("R14: a child's own handler leaves a signal as it was before the parent's", "[R14]") {
  auto proactor = make_proactor();
  Ears ears(*proactor);
  REQUIRE(!ears.start(SIGUSR1));
  proactor->poll();
  const int status = status_of([] {
    auto own = make_proactor();
    Ears hears(*own);
    if (hears.start(SIGUSR1)) return 1;
    ::raise(SIGUSR1);
    while (hears.heard == 0) own->run_once(5ms);
    hears.stop();
    struct sigaction now {};
    ::sigaction(SIGUSR1, nullptr, &now);
    return now.sa_handler == SIG_DFL ? 0 : 2;
  });
  CHECK(good(status));
  ears.stop();
}

}  // namespace
