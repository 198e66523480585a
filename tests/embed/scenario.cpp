// A proactor inside the event loop of another library, which begins everything from its own timers:
// echoes, then verbs one by one, so that nothing but the verb's own wake-up brings its end, then
// rest. Arguments: a backend, and how many verbs of each kind.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <list>
#include <optional>
#include <proa/proa.hpp>
#include <random>
#include <thread>

#include "foreign_loop.hpp"

namespace {

using namespace std::chrono_literals;
using proa_test::ForeignLoop;

int reported = 0;
int failed = 0;

void report(bool good, const std::string& what) {
  std::printf("%s %d - %s\n", good ? "ok" : "not ok", ++reported, what.c_str());
  std::fflush(stdout);
  if (!good) ++failed;
}

// What is lost hangs. SIGALRM ends the program then, behind this line.
void begin_step(const char* name) {
  std::printf("# %s\n", name);
  std::fflush(stdout);
  alarm(120);
}

struct Echo : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
  void on_closed() override { delete this; }
};

/// Asks for echoes, one after the other, and tells when the last one has come.
struct Client : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void ask(int times) {
    left = times;
    write("x");
  }
  void on_read(proa::Buffer& data) override {
    if (data.size() != 1 || data.text() != "x") std::abort();
    if (--left > 0) {
      write("x");
    } else if (done) {
      done();
    }
  }
  void on_open() override {
    start_reading();
    if (opened) opened();
  }
  void on_closed() override {
    if (closed) closed();
  }
  int left = 0;
  std::function<void()> done, opened, closed;
};

struct Timer : proa::TimerHandler {
  using TimerHandler::TimerHandler;
  void on_timer(std::uint64_t) override { fired(); }
  std::function<void()> fired;
};

struct Read {
  explicit Read(std::function<void()> told) : done(std::move(told)) {}
  void ended(const proa::Result& result) {
    if (result.error || result.bytes != sizeof memory) std::abort();
    done();
  }
  char memory[4] = {};
  std::function<void()> done;
  proa::On<proa::ReadAt, &Read::ended> request{*this};
};

/// How often its threads have begun to wait for something.
long waits_of_process() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nvcsw;
}

double seconds_of_process() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

class Scenario {
 public:
  Scenario(const char* backend, int times) : times_(times) {
    proa::Options options;
    options.backend = backend;
    options.fallback = false;
    options.embedded = true;
    std::error_code error;
    std::string detail;
    proactor_ = proa::Proactor::create(options, error, &detail);
    if (!proactor_) {
      std::printf("1..0 # SKIP %s\n", detail.c_str());
      std::exit(std::getenv("CI") ? 1 : 0);
    }
    loop_->attach(*proactor_);
  }
  ~Scenario() {
    loop_->detach();
    proactor_->shutdown(5s);
  }

  void run() {
    server_.emplace(*proactor_, "127.0.0.1:0");
    echoes();
    verbs();
    busy();
    nested();
    rest();
    server_.reset();
  }

 private:
  void echoes() {
    begin_step("echoes");
    constexpr int connections = 100;
    int left = connections;
    loop_->after(1, [&] {
      for (int i = 0; i < connections; ++i) {
        Client& client = clients_.emplace_back(*proactor_);
        client.done = [&] {
          if (--left == 0) loop_->quit();
        };
        client.connect(server_->addresses().front());
        client.ask(100);
      }
    });
    loop_->run();
    report(left == 0, "100 connections have had 100 echoes each");
  }

  /// Begins the verb `times_` times, each from a timer of the other loop when the last has ended.
  void one_by_one(const char* name, const std::function<void()>& verb) {
    begin_step(name);
    left_ = times_;
    verb_ = verb;
    loop_->after(0, verb_);
    loop_->run();
    report(left_ == 0, name);
  }
  void verb_ended() {
    if (--left_ == 0) return loop_->quit();
    if (left_ % 1000 == 0) alarm(120);
    loop_->after(pause_(random_), verb_);
  }

  void verbs() {
    Client& client = clients_.front();
    client.done = [&] { verb_ended(); };
    one_by_one("a write brings its echo", [&] { client.ask(1); });
    one_by_one("a post runs", [&] {
      if (!proactor_->post([&] { verb_ended(); })) std::abort();
    });
    timers();
    files();
    connections();
  }

  void timers() {
    Timer timer(*proactor_);
    proa::TimePoint due;
    std::vector<proa::Duration> late;
    timer.fired = [&] {
      late.push_back(proactor_->system().now() - due);
      verb_ended();
    };
    one_by_one("a timer fires", [&] {
      const proa::Duration delay = pause_(random_) * 500us;
      due = proactor_->now() + delay;
      timer.start(delay);
    });
    std::sort(late.begin(), late.end());
    report(late.front() >= proa::Duration::zero(), "no timer was early");
    const proa::Duration half = late[late.size() / 2];
    std::printf("# median of what they were late: %lld us\n", static_cast<long long>(half / 1us));
    report(half < 20ms, "timers are on time");
  }

  void files() {
    std::FILE* const temporary = std::tmpfile();
    if (!temporary || ::pwrite(fileno(temporary), "file", 4, 0) != 4) std::abort();
    std::error_code error;
    const proa::File file = proa::File::borrow(*proactor_, fileno(temporary), error);
    if (error) std::abort();
    Read read([&] { verb_ended(); });
    one_by_one("a file is read", [&] {
      read.request.prepare(file.descriptor(), 0, {read.memory, sizeof read.memory});
      if (proactor_->submit(read.request)) std::abort();
    });
    std::fclose(temporary);
  }

  void connections() {
    const std::string name = "unix:@proa-embed-" + std::to_string(getpid());
    proa::Server<Echo> server(*proactor_);
    if (server.listen(name)) std::abort();
    const proa::Address address = proa::Address::parse(name);
    Client client(*proactor_);
    client.opened = [&] { loop_->after(pause_(random_), [&] { client.close(); }); };
    client.closed = [&] { verb_ended(); };
    one_by_one("a connection opens and closes", [&] { client.connect(address); });
  }

  // A timer that is due again and again: the other loop has its turns all the same, and can be
  // ended.
  void busy() {
    begin_step("busy");
    Timer timer(*proactor_);
    std::size_t fired = 0;
    timer.fired = [&] {
      ++fired;
      timer.start(0ms);
    };
    std::size_t turns = 0;
    std::function<void()> turn = [&] { ++turns == 20 ? loop_->quit() : loop_->after(1, turn); };
    loop_->after(1, [&] {
      timer.start(0ms);
      turn();
    });
    loop_->run();
    timer.stop();
    report(fired > 0, "beside a busy proactor the loop goes on, and ends");
  }

  // As a modal dialog does that a callback opens. Meanwhile another thread posts, and a timer
  // becomes due; both are told when the callback has returned.
  void nested() {
    begin_step("nested");
    Client& client = clients_.front();
    bool nests = false;
    bool inside = false;
    bool told_inside = false;
    int left = 3;  // a timer, a post, an echo
    const auto tell = [&] {
      told_inside = told_inside || inside;
      if (--left == 0) loop_->quit();
    };
    Timer timer(*proactor_);
    timer.fired = tell;
    client.done = [&] {
      if (nests) return tell();
      std::thread other([&] {
        if (!proactor_->post([&] { tell(); })) std::abort();
      });
      inside = true;
      const double before = seconds_of_process();
      nests = loop_->nest(200);
      const double used = seconds_of_process() - before;
      inside = false;
      other.join();
      if (!nests) return tell();  // there is no echo to come
      report(used < 0.05, "a loop inside of a callback rests");
      client.ask(1);
    };
    loop_->after(1, [&] {
      timer.start(50ms);
      loop_->after(10, [&] { client.ask(1); });
    });
    loop_->run();
    if (nests) report(!told_inside, "a loop inside of a callback goes on without the proactor");
  }

  void rest() {
    begin_step("rest");
    Timer far(*proactor_);
    far.fired = [] { std::abort(); };
    far.start(1h);
    long waits = 0;
    double used = 0;
    loop_->after(100, [&] {
      waits = waits_of_process();
      used = seconds_of_process();
      loop_->after(1000, [&] {
        waits = waits_of_process() - waits;
        used = seconds_of_process() - used;
        loop_->quit();
      });
    });
    loop_->run();
    far.stop();
    std::printf("# %ld waits and %.3f ms in a second\n", waits, used * 1e3);
    // One wait until the timer; a loop that turns without waiting uses all of the time.
    report(waits <= 4 && used < 0.2, "nothing wakes a loop at rest with 100 connections");
  }

  const std::unique_ptr<ForeignLoop> loop_ = ForeignLoop::make();
  std::unique_ptr<proa::Proactor> proactor_;
  std::optional<proa::Server<Echo>> server_;
  std::list<Client> clients_;
  const int times_;
  int left_ = 0;
  std::function<void()> verb_;
  std::minstd_rand random_{1};
  std::uniform_int_distribution<int> pause_{0, 2};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s BACKEND TIMES\n", argv[0]);
    return 2;
  }
  Scenario(argv[1], std::atoi(argv[2])).run();
  std::printf("1..%d\n", reported);
  return failed == 0 ? 0 : 1;
}
