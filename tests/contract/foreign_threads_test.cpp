// Every verb of a proactor and of its handlers, called on another thread than the proactor's, is
// misuse, and the message names the object and the verb. The table below has all public methods
// that are not const; tests/style compares the table with the headers.
#include <cstdio>
#include <optional>
#include <proa/accept_handler.hpp>
#include <proa/datagram_handler.hpp>
#include <proa/file.hpp>
#include <proa/file_handler.hpp>
#include <proa/misuse.hpp>
#include <proa/poll_handler.hpp>
#include <proa/reconnector.hpp>
#include <proa/server.hpp>
#include <proa/signal_handler.hpp>
#include <proa/stream_filter.hpp>
#include <proa/stream_handler.hpp>
#include <proa/timer_handler.hpp>
#include <proa/worker_pool.hpp>
#include <thread>

#include "support/death.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

struct Stream : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  ~Stream() override = default;
  void on_read(proa::Buffer&) override {}
};
struct Acceptor : proa::AcceptHandler {
  using AcceptHandler::AcceptHandler;
  ~Acceptor() override = default;
  void on_accept(proa::Socket, const proa::Address&) override {}
};
struct Datagrams : proa::DatagramHandler {
  using DatagramHandler::DatagramHandler;
  ~Datagrams() override = default;
  void on_receive(proa::Buffer&, const proa::Address&, const proa::DatagramInfo&) override {}
};
struct Stored : proa::FileHandler {
  using FileHandler::FileHandler;
  ~Stored() override = default;
};
struct Alarm : proa::TimerHandler {
  using TimerHandler::TimerHandler;
  ~Alarm() override = default;
  void on_timer(std::uint64_t) override {}
};
struct Watcher : proa::PollHandler {
  using PollHandler::PollHandler;
  ~Watcher() override = default;
  void on_ready(const proa::Poll&) override {}
};
struct Again : proa::Reconnector {
  using Reconnector::Reconnector;
  ~Again() override = default;
  void on_attempt() override {}
};
struct Bell : proa::Notifier {
  using Notifier::Notifier;
  ~Bell() override = default;
  void on_notify() override {}
};
struct Listening : proa::SignalHandler {
  using SignalHandler::SignalHandler;
  ~Listening() override = default;
  void on_signal(int, std::uint64_t) override {}
};
struct Filter : proa::StreamFilter {
  using StreamFilter::fail;
  using StreamFilter::give;
  using StreamFilter::give_end;
  using StreamFilter::send;
  using StreamFilter::send_end;
  void on_received(proa::Buffer) noexcept override {}
  void on_written(proa::Buffer) noexcept override {}
};
Filter& filtering(Stream& stream) {
  auto made = std::make_unique<Filter>();
  Filter& filter = *made;
  stream.set_filter(std::move(made));
  return filter;
}
struct Job {
  void compute() noexcept {}
  void computed(const proa::Result&) {}
  proa::On<proa::Work, &Job::computed> work{*this};
};

// One of each; nobody destroys it, because the process ends by misuse.
struct Cast {
  std::unique_ptr<proa::Proactor> owner = make_proactor();
  proa::Proactor& proactor = *owner;
  Timing timing;
  Stream stream{proactor};
  Acceptor acceptor{proactor};
  Datagrams datagrams{proactor};
  Stored file{proactor};
  Alarm timer{proactor};
  Again again{proactor};
  Bell bell{proactor};
  Watcher watcher{proactor};
  Listening signals{proactor};
  proa::Server<Stream> server{proactor};
  std::optional<proa::WorkerPool> pool{std::in_place, proactor};
  Job job;
  std::optional<proa::KeepAlive> keep{std::in_place, proactor};
  proa::Buffer buffer = proactor.take_buffer();
  proa::Address here = proa::Address::parse("127.0.0.1:0");
  std::error_code error;
  Filter& filter = filtering(stream);
  proa::Socket socket =
      proa::Socket::open(proactor, proa::Address::Family::ipv4, proa::Transport::stream, error);
};

struct Verb {
  const char* name;  // class::method, as the headers have them
  void (*call)(Cast&);
  const char* object;             // how the message begins
  const void* (*address)(Cast&);  // of the object that it names, or nullptr
  const char* says = nullptr;     // the verb in the message, if it is not the method's name
};

const void* of_proactor(Cast& cast) { return &cast.proactor; }
const void* of_nothing(Cast&) { return nullptr; }
const void* of_filter(Cast& cast) { return static_cast<const proa::StreamFilter*>(&cast.filter); }
template <auto Member>
const void* of_handler(Cast& cast) {
  return static_cast<const proa::Handler*>(&(cast.*Member));
}

constexpr auto proactor = &of_proactor;
constexpr auto stream = &of_handler<&Cast::stream>;
constexpr auto acceptor = &of_handler<&Cast::acceptor>;
constexpr auto datagrams = &of_handler<&Cast::datagrams>;
constexpr auto file = &of_handler<&Cast::file>;
constexpr auto timer = &of_handler<&Cast::timer>;
constexpr auto again = &of_handler<&Cast::again>;
constexpr auto bell = &of_handler<&Cast::bell>;
constexpr auto watcher = &of_handler<&Cast::watcher>;
constexpr auto signals = &of_handler<&Cast::signals>;

const Verb verbs[] = {
    {"Proactor::submit", [](Cast& c) { (void)c.proactor.submit(c.timing.request); }, "Proactor",
     proactor},
    {"Proactor::cancel", [](Cast& c) { c.proactor.cancel(c.timing.request); }, "Proactor",
     proactor},
    {"Proactor::run", [](Cast& c) { c.proactor.run(); }, "Proactor", proactor},
    {"Proactor::run_once", [](Cast& c) { c.proactor.run_once(0ns); }, "Proactor", proactor},
    {"Proactor::poll", [](Cast& c) { c.proactor.poll(); }, "Proactor", proactor},
    {"Proactor::shutdown", [](Cast& c) { c.proactor.shutdown(1s); }, "Proactor", proactor},
    {"Proactor::~Proactor", [](Cast& c) { c.owner.reset(); }, "Proactor", proactor},
    {"Proactor::take_buffer", [](Cast& c) { (void)c.proactor.take_buffer(); }, "Proactor",
     proactor},
    {"Proactor::take_direct_buffer", [](Cast& c) { (void)c.proactor.take_direct_buffer(); },
     "Proactor", proactor},
    {"Proactor::next_deadline", [](Cast& c) { (void)c.proactor.next_deadline(); }, "Proactor",
     proactor},
    {"Proactor::check_thread", [](Cast& c) { c.proactor.check_thread("greet"); }, "Proactor",
     proactor, "greet"},
    {"KeepAlive::KeepAlive", [](Cast& c) { const proa::KeepAlive more(c.proactor); }, "Proactor",
     proactor},
    {"KeepAlive::~KeepAlive", [](Cast& c) { c.keep.reset(); }, "Proactor", proactor},
    {"WorkerPool::WorkerPool", [](Cast& c) { const proa::WorkerPool more(c.proactor); }, "Proactor",
     proactor},
    {"WorkerPool::~WorkerPool", [](Cast& c) { c.pool.reset(); }, "Proactor", proactor},
    {"WorkerPool::run", [](Cast& c) { (void)c.pool->run(c.job.work); }, "Proactor", proactor,
     "WorkerPool::run"},
    {"Socket::open",
     [](Cast& c) {
       (void)proa::Socket::open(c.proactor, proa::Address::Family::ipv4, proa::Transport::stream,
                                c.error);
     },
     "Proactor", proactor, "Socket::open"},
    {"Socket::adopt", [](Cast& c) { (void)proa::Socket::adopt(c.proactor, 0, c.error); },
     "Proactor", proactor, "Socket::adopt"},
    {"Socket::borrow", [](Cast& c) { (void)proa::Socket::borrow(c.proactor, 0, c.error); },
     "Proactor", proactor, "Socket::borrow"},
    {"File::open",
     [](Cast& c) {
       (void)proa::File::open(c.proactor, "/dev/null", proa::OpenFlags::read, 0, c.error);
     },
     "Proactor", proactor, "File::open"},
    {"File::adopt", [](Cast& c) { (void)proa::File::adopt(c.proactor, 0, c.error); }, "Proactor",
     proactor, "File::adopt"},
    {"File::borrow", [](Cast& c) { (void)proa::File::borrow(c.proactor, 0, c.error); }, "Proactor",
     proactor, "File::borrow"},
    {"OwnedDescriptor::close", [](Cast& c) { c.socket.close(); }, "Descriptor", &of_nothing},
    {"OwnedDescriptor::release", [](Cast& c) { (void)c.socket.release(); }, "Descriptor",
     &of_nothing},
    {"Buffer::share", [](Cast& c) { (void)c.buffer.share(); }, "Buffer", &of_nothing},

    {"Handler::set_option",
     [](Cast& c) { (void)c.stream.set_option(proa::SocketOption::no_delay, 1); }, "StreamHandler",
     stream},
    {"Handler::close", [](Cast& c) { c.stream.close(); }, "StreamHandler", stream},
    {"StreamHandler::StreamHandler", [](Cast& c) { new Stream(c.proactor, proa::Socket()); },
     "StreamHandler", &of_nothing},
    {"StreamHandler::connect", [](Cast& c) { c.stream.connect(c.here); }, "StreamHandler", stream},
    {"StreamHandler::start_reading", [](Cast& c) { c.stream.start_reading(); }, "StreamHandler",
     stream},
    {"StreamHandler::stop_reading", [](Cast& c) { c.stream.stop_reading(); }, "StreamHandler",
     stream},
    {"StreamHandler::write", [](Cast& c) { c.stream.write("x"); }, "StreamHandler", stream},
    {"StreamHandler::write", [](Cast& c) { c.stream.write(std::move(c.buffer)); }, "StreamHandler",
     stream},
    {"StreamHandler::writev", [](Cast& c) { c.stream.writev(nullptr, 0); }, "StreamHandler",
     stream},
    {"StreamHandler::send_file", [](Cast& c) { c.stream.send_file({}, 0, 1); }, "StreamHandler",
     stream},
    {"StreamHandler::receive_file", [](Cast& c) { c.stream.receive_file({}, 0, 1); },
     "StreamHandler", stream},
    {"StreamHandler::half_close", [](Cast& c) { c.stream.half_close(); }, "StreamHandler", stream},
    {"StreamHandler::finish", [](Cast& c) { c.stream.finish(); }, "StreamHandler", stream},
    {"StreamHandler::set_read_timeout", [](Cast& c) { c.stream.set_read_timeout(1s); },
     "StreamHandler", stream},
    {"StreamHandler::set_idle_timeout", [](Cast& c) { c.stream.set_idle_timeout(1s); },
     "StreamHandler", stream},
    {"StreamHandler::set_watermarks", [](Cast& c) { c.stream.set_watermarks({}); }, "StreamHandler",
     stream},
    {"StreamHandler::set_filter", [](Cast& c) { c.stream.set_filter(nullptr); }, "StreamHandler",
     stream},
    {"StreamFilter::give", [](Cast& c) { c.filter.give(std::move(c.buffer)); }, "StreamFilter",
     &of_filter},
    {"StreamFilter::send", [](Cast& c) { c.filter.send(std::move(c.buffer)); }, "StreamFilter",
     &of_filter},
    {"StreamFilter::give_end", [](Cast& c) { c.filter.give_end(); }, "StreamFilter", &of_filter},
    {"StreamFilter::send_end", [](Cast& c) { c.filter.send_end(); }, "StreamFilter", &of_filter},
    {"StreamFilter::fail", [](Cast& c) { c.filter.fail(c.error); }, "StreamFilter", &of_filter},

    {"AcceptHandler::listen", [](Cast& c) { (void)c.acceptor.listen(c.here); }, "AcceptHandler",
     acceptor},
    {"AcceptHandler::listen", [](Cast& c) { (void)c.acceptor.listen(proa::Socket()); },
     "AcceptHandler", acceptor},
    {"AcceptHandler::pause", [](Cast& c) { c.acceptor.pause(); }, "AcceptHandler", acceptor},
    {"AcceptHandler::finish", [](Cast& c) { c.acceptor.finish(); }, "AcceptHandler", acceptor},
    {"AcceptHandler::resume", [](Cast& c) { c.acceptor.resume(); }, "AcceptHandler", acceptor},

    {"DatagramHandler::bind", [](Cast& c) { (void)c.datagrams.bind(c.here); }, "DatagramHandler",
     datagrams},
    {"DatagramHandler::bind", [](Cast& c) { (void)c.datagrams.bind(proa::Socket()); },
     "DatagramHandler", datagrams},
    {"DatagramHandler::connect", [](Cast& c) { (void)c.datagrams.connect(c.here); },
     "DatagramHandler", datagrams},
    {"DatagramHandler::stop_receiving", [](Cast& c) { c.datagrams.stop_receiving(); },
     "DatagramHandler", datagrams},
    {"DatagramHandler::start_receiving", [](Cast& c) { c.datagrams.start_receiving(); },
     "DatagramHandler", datagrams},
    {"DatagramHandler::send", [](Cast& c) { c.datagrams.send("x", c.here); }, "DatagramHandler",
     datagrams},
    {"DatagramHandler::send", [](Cast& c) { c.datagrams.send(std::move(c.buffer), c.here); },
     "DatagramHandler", datagrams},
    {"DatagramHandler::send", [](Cast& c) { c.datagrams.send("x", c.here, {}); }, "DatagramHandler",
     datagrams},
    {"DatagramHandler::send", [](Cast& c) { c.datagrams.send(std::move(c.buffer), c.here, {}); },
     "DatagramHandler", datagrams},
    {"DatagramHandler::send_segments",
     [](Cast& c) { c.datagrams.send_segments("x", 1, c.here, {}); }, "DatagramHandler", datagrams},
    {"DatagramHandler::send_segments",
     [](Cast& c) { c.datagrams.send_segments(std::move(c.buffer), 1, c.here, {}); },
     "DatagramHandler", datagrams},
    {"DatagramHandler::send_segments", [](Cast& c) { c.datagrams.send_segments("x", 1, c.here); },
     "DatagramHandler", datagrams},
    {"DatagramHandler::send_segments",
     [](Cast& c) { c.datagrams.send_segments(std::move(c.buffer), 1, c.here); }, "DatagramHandler",
     datagrams},
    {"DatagramHandler::join", [](Cast& c) { (void)c.datagrams.join(c.here); }, "DatagramHandler",
     datagrams},
    {"DatagramHandler::leave", [](Cast& c) { (void)c.datagrams.leave(c.here); }, "DatagramHandler",
     datagrams},
    {"DatagramHandler::set_multicast", [](Cast& c) { (void)c.datagrams.set_multicast(0, 1, true); },
     "DatagramHandler", datagrams},
    {"DatagramHandler::finish", [](Cast& c) { c.datagrams.finish(); }, "DatagramHandler",
     datagrams},
    {"DatagramHandler::drain", [](Cast& c) { c.datagrams.drain(); }, "DatagramHandler", datagrams},
    {"DatagramHandler::set_limit", [](Cast& c) { c.datagrams.set_limit(1); }, "DatagramHandler",
     datagrams},

    {"FileHandler::FileHandler", [](Cast& c) { new Stored(c.proactor, proa::File()); },
     "FileHandler", &of_nothing},
    {"FileHandler::open", [](Cast& c) { c.file.open("/dev/null", proa::OpenFlags::read); },
     "FileHandler", file},
    {"FileHandler::start_reading", [](Cast& c) { c.file.start_reading(); }, "FileHandler", file},
    {"FileHandler::start_reading", [](Cast& c) { c.file.start_reading(1); }, "FileHandler", file},
    {"FileHandler::stop_reading", [](Cast& c) { c.file.stop_reading(); }, "FileHandler", file},
    {"FileHandler::write", [](Cast& c) { c.file.write("x"); }, "FileHandler", file},
    {"FileHandler::write", [](Cast& c) { c.file.write(std::move(c.buffer)); }, "FileHandler", file},
    {"FileHandler::writev", [](Cast& c) { c.file.writev(nullptr, 0); }, "FileHandler", file},
    {"FileHandler::set_write_position", [](Cast& c) { c.file.set_write_position(1); },
     "FileHandler", file},
    {"FileHandler::sync", [](Cast& c) { c.file.sync(); }, "FileHandler", file},
    {"FileHandler::finish", [](Cast& c) { c.file.finish(); }, "FileHandler", file},
    {"FileHandler::set_watermarks", [](Cast& c) { c.file.set_watermarks({}); }, "FileHandler",
     file},

    {"PollHandler::open", [](Cast& c) { (void)c.watcher.open(0); }, "PollHandler", watcher},
    {"PollHandler::watch_input", [](Cast& c) { c.watcher.watch_input(true); }, "PollHandler",
     watcher},
    {"PollHandler::watch_output", [](Cast& c) { c.watcher.watch_output(true); }, "PollHandler",
     watcher},
    {"TimerHandler::start", [](Cast& c) { c.timer.start(1s); }, "TimerHandler", timer},
    {"TimerHandler::start_at", [](Cast& c) { c.timer.start_at(proa::never); }, "TimerHandler",
     timer},
    {"TimerHandler::start_every", [](Cast& c) { c.timer.start_every(1s); }, "TimerHandler", timer},
    {"TimerHandler::stop", [](Cast& c) { c.timer.stop(); }, "TimerHandler", timer},
    {"Reconnector::failed", [](Cast& c) { c.again.failed(); }, "Reconnector", again},
    {"Reconnector::succeeded", [](Cast& c) { c.again.succeeded(); }, "Reconnector", again},
    {"Notifier::start", [](Cast& c) { c.bell.start(); }, "Notifier", bell},
    {"Notifier::stop", [](Cast& c) { c.bell.stop(); }, "Notifier", bell},
    {"SignalHandler::start", [](Cast& c) { (void)c.signals.start(10); }, "SignalHandler", signals},
    {"SignalHandler::stop", [](Cast& c) { c.signals.stop(); }, "SignalHandler", signals},

    {"ServerBase::listen", [](Cast& c) { (void)c.server.listen("127.0.0.1:0"); }, "Server",
     &of_nothing},
    {"ServerBase::listen", [](Cast& c) { (void)c.server.listen(proa::Socket()); }, "Server",
     &of_nothing},
    {"ServerBase::addresses", [](Cast& c) { (void)c.server.addresses(); }, "Server", &of_nothing},
    {"ServerBase::set_limit", [](Cast& c) { c.server.set_limit(1); }, "Server", &of_nothing},
    {"ServerBase::drain", [](Cast& c) { c.server.drain(1s); }, "Server", &of_nothing},
    {"ServerBase::set_error_callback", [](Cast& c) { c.server.set_error_callback({}); }, "Server",
     &of_nothing},
};

std::string expected_object(const Verb& verb, Cast& cast) {
  const void* const address = verb.address(cast);
  if (!address) return verb.object;
  char text[64];
  std::snprintf(text, sizeof text, "%s %p", verb.object, address);
  return text;
}

std::string called(const Verb& verb) {
  const std::string name = verb.name;
  return (verb.says ? verb.says : name.substr(name.rfind(':') + 1)) + "() on a foreign thread";
}

TEST_CASE("X04: each verb on a foreign thread names its object and itself", "[R9][X04]") {
  for (const Verb& verb : verbs) {
    // "good", or what was said in its place.
    const std::string outcome = message_of([&] {
      auto& cast = *new Cast;
      cast.proactor.poll();
      static const Verb* tried;
      static std::string object;
      tried = &verb;
      object = expected_object(verb, cast);
      static proa::MisuseHook tell;
      tell = proa::set_misuse_hook([](const char* message) {
        const std::string said = message;
        const bool good = said.rfind(object, 0) == 0 && said.find(called(*tried)) != said.npos;
        tell(good ? "good" : message);
      });
      std::thread([&] { verb.call(cast); }).join();
    });
    INFO(verb.name << ": " << called(verb) << ": it says: " << outcome);
    CHECK(outcome == "good");
  }
}

TEST_CASE("X04: behind shutdown() a buffer belongs to the thread that ran", "[R9][X04]") {
  const bool destroyed = GENERATE(false, true);
  CHECK(message_of([&] {
          auto ran = make_proactor();
          ran->poll();
          proa::Buffer buffer = ran->take_buffer();
          (void)ran->shutdown(1s);
          if (destroyed) ran.reset();
          const proa::Buffer own = buffer.share();
          std::thread([&] { (void)buffer.share(); }).join();
        }) == "Buffer of 0 bytes: share() on a foreign thread");
}

TEST_CASE("X04: before the first run any thread may", "[R9][X04]") {
  World world;
  Stream idle(*world);
  std::thread([&] {
    const proa::Buffer buffer = world->take_buffer();
    idle.set_watermarks({});
    (void)world->next_deadline();
  }).join();
}

}  // namespace
