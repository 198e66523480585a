// Whatever always has more to do takes its turn behind all others (R8). One source at a time goes
// on by itself, without end, from its own callback; a stream beside it is asked for an echo again
// and again.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <list>
#include <memory>
#include <thread>

#include "contract/accept_rig.hpp"
#include "contract/endpoint_rig.hpp"
#include "contract/fairness_rig.hpp"
#include "contract/raw.hpp"
#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::Transport;

enum class Sink { tcp, path, pipe, null, file };

TEST_CASE("M04: a stream that writes in on_write() starves no other", "[R8][M04]") {
  const Sink sink = GENERATE(Sink::tcp, Sink::path, Sink::pipe, Sink::null, Sink::file);
  CAPTURE(static_cast<int>(sink));
  Source source;
  Streams streams;
  World world;
  std::list<Raw> raw;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(nullptr, &std::fclose);
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  std::function<void()> drain = [] {};
  Stream* flood = nullptr;
  if (sink == Sink::tcp || sink == Sink::path) {
    auto [made, other] = line(streams, world, sink == Sink::tcp ? Link::tcp4 : Link::path);
    flood = &made;
    drain = [peer = &other] { peer->turn(); };
  } else {
    int number = -1;
    if (sink == Sink::pipe) {
      int ends[2];
      REQUIRE(::pipe(ends) == 0);
      raw.emplace_back(ends[0]);
      REQUIRE(::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
      number = ends[1];
      drain = [from = ends[0]] {
        char bytes[65536];
        while (::read(from, bytes, sizeof bytes) > 0) continue;
      };
    } else if (sink == Sink::null) {
      number = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    } else {
      file.reset(std::tmpfile());
      number = ::dup(::fileno(file.get()));
    }
    std::error_code error;
    proa::Socket socket = proa::Socket::borrow(*world, raw.emplace_back(number).number, error);
    REQUIRE(!error);
    flood = &streams.add(*world, std::move(socket));
  }
  source.next = [&] { flood->write("x"); };
  flood->opened = source.next;
  flood->written = [&](std::size_t) {
    flood->writes.clear();
    source.again();
  };
  CHECK(most_turns(world, source, far, drain) <= most_per_echo);
  source.stopped = true;
  flood->close();
  wait_closed(world, *flood);
}

TEST_CASE("M04: a stream that writes nothing in on_write() starves no other", "[R8][M04]") {
  Source source;
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world, Link::path);
  auto [flood, other] = line(streams, world);
  stream.echoes = true;
  wait_open(world, stream);
  source.next = [f = &flood] { f->write(""); };
  flood.opened = source.next;
  flood.written = [&, f = &flood](std::size_t) {
    f->writes.clear();
    source.again();
  };
  if (flood.saw("open")) source.next();
  CHECK(most_turns(world, source, far, [] {}) <= most_per_echo);
  source.stopped = true;
}

TEST_CASE("M04: a datagram handler that sends in on_sent() starves no stream",
          "[datagram][R8][M04]") {
  Source source;
  Streams streams;
  Endpoints endpoints;
  World world;
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  Endpoint& flood = endpoints.bound(world);
  Address to;
  const bool heard = GENERATE(false, true);
  CAPTURE(heard);
  if (heard) {  // in the same loop: then what arrives is another source
    Endpoint& sink = endpoints.bound(world);
    sink.receive = [&sink](proa::Buffer&, const Address&) {
      sink.received.clear();
      sink.sources.clear();
      sink.infos.clear();
    };
    to = sink.address();
  } else {
    std::error_code error;
    proa::Socket& sink =
        world.own(proa::Socket::open(*world, Address::Family::ipv4, Transport::datagram, error));
    REQUIRE(!error);
    REQUIRE(!sink.bind(Address::loopback(0)));
    to = sink.local_address();
  }
  source.next = [&] { flood.send("x", to); };
  flood.sent = [&](const proa::Result&) {
    flood.results.clear();
    flood.targets.clear();
    source.again();
  };
  const std::size_t together = GENERATE(std::size_t{1}, std::size_t{100});
  CAPTURE(together);
  for (std::size_t i = 0; i < together; ++i) source.next();
  CHECK(most_turns(world, source, far) <= most_per_echo_in_line);
  source.stopped = true;
}

TEST_CASE("M04: connections that come and go without end starve no stream", "[R8][M04]") {
  enum class By { handler, request, repeating };
  const By by = GENERATE(By::handler, By::request, By::repeating);
  CAPTURE(static_cast<int>(by));
  Source source;
  Streams streams;
  Accepting accept(by == By::repeating);
  World world;
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  proa::Socket& listener = world.listen(Link::path, 1000);
  const Address address = listener.local_address();
  // As many as the backlog takes, each gone again at once.
  const auto knock = [&] {
    for (int i = 0; i < 128 && !source.stopped; ++i) {
      std::error_code error;
      const proa::Socket guest =
          proa::Socket::open(*world, Address::Family::local, Transport::stream, error);
      REQUIRE(!error);
      if (world.system().connect(guest.descriptor(), address) != 0) return;
    }
  };
  Door door(*world);
  if (by == By::handler) {
    door.then = [&] {
      door.guests.clear();
      source.again();
    };
    source.next = [] {};
    REQUIRE(!door.listen(std::move(listener)));
  } else {
    source.next = [&] {
      if (accept.request.pending()) return;
      accept.request.prepare(listener.descriptor());
      world.submit(accept.request);
    };
    accept.then = [&] {
      accept.request.socket().close();
      accept.results.clear();
      source.again();
    };
    source.next();
  }
  CHECK(most_turns(world, source, far, knock) <= most_connections_per_echo);
  source.stopped = true;
  if (by == By::handler) return door.end(world);
  world->cancel(accept.request);
  world.run_until("accepting has ended", [&] { return !accept.request.pending(); });
}

// Connects again and again.
struct Caller : proa::StreamHandler {
  Caller(proa::Proactor& proactor, Source& source, const Address& address)
      : StreamHandler(proactor), source_(source), address_(address) {
    connect(address_);
  }
  void on_open() override { close(); }
  void on_read(proa::Buffer&) override {}
  void on_closed() override {
    ++source_.turns;
    if (!source_.stopped) connect(address_);
  }

 private:
  Source& source_;
  const Address address_;
};

// The echo of a program that is written with requests.
struct RequestEcho {
  RequestEcho(World& made, proa::Socket& socket) : world(made), descriptor(socket.descriptor()) {
    read.then = [this] {
      if (!read.error() && read.bytes() > 0) world.submit(send.to(descriptor, "x"));
    };
    send.then = [this] { world.submit(read.from(descriptor)); };
    world.submit(read.from(descriptor));
  }
  World& world;
  const proa::Descriptor descriptor;
  Read read{1};
  Sending send;
};

TEST_CASE("M04: connections that are made without end starve no stream", "[R8][M04]") {
  const Link link = GENERATE(Link::tcp4, Link::path);
  const bool by_requests = GENERATE(false, true);
  CAPTURE(static_cast<int>(link), by_requests);
  Source source;
  Streams streams;
  std::list<Caller> callers;
  std::unique_ptr<RequestEcho> echo;
  World world;
  const Connection pair = world.pair(Link::path);
  Peer& far = pair.far;
  if (by_requests) {
    echo = std::make_unique<RequestEcho>(world, world.own(std::move(pair.near)));
  } else {
    Stream& stream = streams.add(*world, std::move(pair.near));
    stream.echoes = true;
    wait_open(world, stream);
  }
  Door door(*world);
  door.then = [&] { door.guests.clear(); };
  proa::Socket& listener = world.listen(link, 1000);
  const Address address = listener.local_address();
  REQUIRE(!door.listen(std::move(listener)));
  for (int i = 0; i < 100; ++i) callers.emplace_back(*world, source, address);
  CHECK(most_turns(world, source, far) <= most_connections_per_echo);
  source.stopped = true;
  world.run_until("all have ended", [&] {
    return std::none_of(callers.begin(), callers.end(),
                        [](const Caller& caller) { return caller.is_open(); });
  });
  door.end(world);
  far.close();
  world.run_until("the echo has ended", [&] { return !echo || !echo->read.request.pending(); });
}

// Connects, and takes it back, again and again.
struct Quitter : proa::StreamHandler {
  Quitter(proa::Proactor& proactor, Source& source, const Address& address)
      : StreamHandler(proactor), source_(source), address_(address) {
    begin();
  }
  void begin() {
    connect(address_);
    close();
  }
  void on_read(proa::Buffer&) override {}
  void on_closed() override {
    ++source_.turns;
    if (!source_.stopped) begin();
  }

 private:
  Source& source_;
  const Address address_;
};

// Opens a stream that echoes; its far end.
Peer& open_echo(World& world, Streams& streams) {
  const Connection pair = world.pair(Link::path);
  Stream& stream = streams.add(*world, std::move(pair.near));
  stream.echoes = true;
  wait_open(world, stream);
  return pair.far;
}

TEST_CASE("M04: connects that are ended at once, again and again, starve no stream", "[R8][M04]") {
  Source source;
  Streams streams;
  std::list<Quitter> quitters;
  World world;
  Peer& far = open_echo(world, streams);
  const Address address = world.listen(Link::tcp4, 4000).local_address();
  for (int i = 0; i < 200; ++i) quitters.emplace_back(*world, source, address);
  CHECK(most_turns(world, source, far) <= most_per_echo);
  source.stopped = true;
  world.run_until("all have ended", [&] {
    return std::none_of(quitters.begin(), quitters.end(),
                        [](const Quitter& quitter) { return quitter.is_open(); });
  });
}

TEST_CASE("M04: accepts that are cancelled, again and again, starve no stream", "[R8][M04]") {
  Source source;
  Streams streams;
  std::list<Accepting> accepts;
  World world;
  Peer& far = open_echo(world, streams);
  for (int i = 0; i < 200; ++i) {
    Accepting& accept = accepts.emplace_back();
    accept.request.prepare(world.listen().descriptor());
    accept.then = [&] {
      accept.results.clear();
      ++source.turns;
      if (source.stopped) return;
      world.submit(accept.request);
      world->cancel(accept.request);
    };
    world.submit(accept.request);
    world->cancel(accept.request);
  }
  CHECK(most_turns(world, source, far) <= most_per_echo);
  source.stopped = true;
  world.run_until("all have ended", [&] {
    return std::none_of(accepts.begin(), accepts.end(),
                        [](const Accepting& accept) { return accept.request.pending(); });
  });
}

TEST_CASE("M04: many writes in flight that are written again when they are told starve no stream",
          "[R8][M04]") {
  constexpr int together = 30;
  Source source;
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world, Link::path);
  auto [flood, other] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  wait_open(world, flood);
  source.next = [f = &flood] { f->write("x"); };
  flood.written = [&, f = &flood](std::size_t) {
    f->writes.clear();
    source.again();
  };
  for (int i = 0; i < together; ++i) source.next();
  CHECK(most_turns(world, source, far, [peer = &other] { peer->turn(); }) <= most_per_echo);
  source.stopped = true;
}

// A UNIX listener whose backlog is full: no event tells of room, so connects are tried again.
TEST_CASE("M04: however many connects wait for room, they starve no stream", "[R8][R11][M04]") {
  if (!on_linux) return;  // such a connect fails
  std::list<Connecting> connects;
  Connecting elsewhere;
  Streams streams;
  World world;
  const auto begin = [&](Connecting& connect, const proa::Socket& listener) {
    std::error_code error;
    const proa::Address to = listener.local_address();
    proa::Socket& socket =
        world.own(proa::Socket::open(*world, to.family(), proa::Transport::stream, error));
    REQUIRE(!error);
    connect.request.prepare(socket.descriptor(), to);
    world.submit(connect.request);
  };
  const auto accept = [&](const proa::Socket& listener) {
    proa::Descriptor accepted;
    const bool brought = world.system().accept(listener.descriptor(), accepted, nullptr) == 0;
    if (brought) world.system().close(accepted);
    return brought;
  };
  const proa::Socket& full = world.listen(Link::abstract, 1);
  const proa::Socket& other = world.listen(Link::abstract, 1);
  fill_backlog(world, full.local_address(), 2);
  fill_backlog(world, other.local_address(), 2);
  auto [stream, far] = line(streams, world);
  stream.echoes = true;
  wait_open(world, stream);
  constexpr std::size_t number = 500;
  const std::uint64_t at_first = world->counters().retries;
  for (std::size_t i = 0; i < number; ++i) begin(connects.emplace_back(), full);
  world.run_until("all wait", [&] { return world->counters().retries - at_first >= number; });

  // What waiting costs is bounded, by round of the loop and by time: 16 are tried every 2 ms.
  const std::uint64_t all = world->counters().retries;
  std::uint64_t beyond = 0;  // most tries above that
  std::size_t echoed = 0;
  const proa::TimePoint begun = world.system().now();
  while (world.system().now() < proa::after(begun, 50ms)) {
    if (far.received_bytes() == echoed) {
      far.send("x");
      ++echoed;
    }
    const proa::Counters before = world->counters();
    world.turn();
    const std::uint64_t tried = world->counters().retries - before.retries;
    const std::uint64_t allowed = 16 * (world->counters().rounds - before.rounds);
    beyond = std::max(beyond, tried - std::min(tried, allowed));
  }
  const auto ticks = static_cast<std::uint64_t>((world.system().now() - begun) / 2ms) + 2;
  CHECK(echoed > 3);
  CHECK(beyond <= 4);
  CHECK(world->counters().retries - all <= 16 * ticks + 2 * echoed + 20);
  wait_received(world, far, echoed);

  // Those that wait for one listener keep nobody from another one.
  begin(elsewhere, other);
  turns(world, 5);
  CHECK(elsewhere.request.pending());
  REQUIRE(accept(other));
  world.run_until("it has connected", [&] { return elsewhere.done(); });
  CHECK(!elsewhere.error());
  for (const Connecting& each : connects) CHECK(each.request.pending());

  // One of them ends at once, wherever it stands in the line.
  Connecting& one = *std::next(connects.begin(), number / 2);
  world->cancel(one.request);
  turns(world, 2);
  REQUIRE(one.done());
  CHECK(one.error() == std::errc::operation_canceled);

  // The others all have their turn.
  world.run_until("all have connected", [&] {
    while (accept(full)) {
    }
    return std::all_of(connects.begin(), connects.end(), [](auto& each) { return each.done(); });
  });
  for (Connecting& each : connects) CHECK(bool(each.error()) == (&each == &one));
}

TEST_CASE("M04: many writes that left together are told in turn with others", "[R8][M04]") {
  constexpr std::size_t many = 20000;
  Source source;
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world, Link::path);
  auto [flood, other] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  wait_open(world, flood);
  std::size_t untold = 0;
  source.next = [&, f = &flood] {
    if (untold > 0) return;
    for (; untold < many; ++untold) f->write("x");
  };
  flood.written = [&, f = &flood](std::size_t) {
    f->writes.clear();
    --untold;
    source.again();
  };
  source.next();
  CHECK(most_turns(
            world, source, far, [peer = &other] { peer->turn(); }, 100) <= most_per_echo);
  source.stopped = true;
  world.run_until("all are told", [&] { return untold == 0; });
}

TEST_CASE("M04: posts and timers without end starve no stream", "[R8][M04]") {
  Source source;
  Timing timer;
  std::function<void()> post;
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  SECTION("a post") {
    post = [&] { source.again(); };
    source.next = [&] { REQUIRE(world->post(post)); };
  }
  SECTION("a timer that is due at once") {
    source.next = [&] { world.submit(timer.request, proa::TimePoint()); };
    timer.then = [&] {
      timer.results.clear();
      source.again();
    };
  }
  source.next();
  CHECK(most_turns(world, source, far, [] {}) <= most_per_echo);
  source.stopped = true;
  world->poll();
}

// A UNIX stream more, whose peer is a descriptor that blocks.
Stream& add_beside(Streams& streams, World& world, std::list<Raw>& raw) {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  raw.emplace_back(ends[1]);
  std::error_code error;
  Stream& stream = streams.add(*world, proa::Socket::adopt(*world, ends[0], error));
  REQUIRE(!error);
  return stream;
}

// A read of a whole block counts as several callbacks, so a round has few of them.
TEST_CASE("M04: peers that send without end starve no quiet stream", "[R8][M04]") {
  Source source;
  Streams streams;
  proa::Options with = options();
  with.buffers = 4096;
  World world(with);
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  source.next = [] {};
  std::vector<std::thread> senders;
  std::list<Raw> raw;
  for (int i = 0; i < 4; ++i) {
    add_beside(streams, world, raw).read = [&](proa::Buffer&) { source.again(); };
    senders.emplace_back([number = raw.back().number] {
      const std::string bytes(std::size_t{256} << 10, 'x');
      while (::send(number, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0) continue;
    });
  }
  CHECK(most_turns(
            world, source, far, [] {}, 300) <= most_per_echo / 2);
  for (const Raw& each : raw) ::shutdown(each.number, SHUT_RDWR);
  for (std::thread& each : senders) each.join();
}

// Linux 6.0 to 6.16 would fill 32 blocks of each such peer in one go.
TEST_CASE("M04: peers whose sockets are always full starve no quiet stream", "[R8][M04]") {
  Source source;
  Streams streams;
  proa::Options with = options();
  with.buffers = 4096;
  if (configuration() == "uring") with.uring_release = GENERATE("", "6.16");
  CAPTURE(with.uring_release);
  World world(with);
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  source.next = [] {};
  std::list<Raw> raw;
  for (int i = 0; i < 4; ++i) {
    add_beside(streams, world, raw).read = [&](proa::Buffer&) { source.again(); };
  }
  const std::string bytes(std::size_t{32} << 10, 'x');
  const auto fill = [&] {
    for (const Raw& each : raw) {
      while (::send(each.number, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
        continue;
      }
    }
  };
  for (int i = 0; i < 100; ++i) {  // until the backend knows them
    fill();
    world->run_once(0ms);
  }
  CHECK(most_turns(world, source, far, fill, 100) <= most_per_echo / 2);
}

// All of them were calm until then, so the backend knows none of them for a busy one.
TEST_CASE("M04: a burst on many calm streams at once starves no quiet one", "[R8][M04]") {
  constexpr std::size_t number = 64;
  Streams streams;
  proa::Options with = options();
  with.buffers = 4096;  // enough for all
  if (configuration() == "uring") with.uring_release = GENERATE("", "6.16", "6.0");
  CAPTURE(with.uring_release);
  World world(with);
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  std::size_t reads = 0;
  std::size_t came = 0;
  std::size_t sent = 0;
  std::list<Raw> raw;
  for (std::size_t i = 0; i < number; ++i) {
    Stream& flood = add_beside(streams, world, raw);
    flood.read = [&, s = &flood](proa::Buffer& data) {
      ++reads;
      came += data.size();
      s->received.clear();
    };
  }
  const std::string bytes(std::size_t{32} << 10, 'x');
  std::size_t echoes = 0;
  // Each burst is twice as large as the one before, until the sockets are full.
  for (int burst = 0; burst < 8; ++burst) {
    CAPTURE(burst);
    for (int calm = 0; calm < 20; ++calm) {
      for (const Raw& each : raw) REQUIRE(::send(each.number, "x", 1, MSG_NOSIGNAL) == 1);
      sent += number;
      world.run_until("the bytes have come", [&] { return came == sent; });
    }
    for (const Raw& each : raw) {
      for (std::size_t left = std::size_t{2048} << burst; left > 0;) {
        const ssize_t more = ::send(each.number, bytes.data(), std::min(left, bytes.size()),
                                    MSG_NOSIGNAL | MSG_DONTWAIT);
        if (more <= 0) break;
        sent += static_cast<std::size_t>(more);
        left -= static_cast<std::size_t>(more);
      }
    }
    far.send("x");
    far.turn();
    ++echoes;
    const std::size_t before = reads;
    for (int rounds = 0; rounds < 1000 && far.received_bytes() < echoes; ++rounds) {
      world->run_once(0ms);
      far.turn();
    }
    REQUIRE(far.received_bytes() == echoes);
    // What a few rounds tell, and twice each of the others.
    CHECK(reads - before <= most_per_echo + 2 * number);
    world.run_until("all has come", [&] { return came == sent; });
  }
}

}  // namespace
