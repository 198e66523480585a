// RecvDatagrams and SendDatagrams as requests of a program's own, without a handler.
#include <sys/socket.h>

#include <random>

#include "contract/endpoint_rig.hpp"
#include "support/death.hpp"

namespace {

using namespace proa_test;
using proa::Address;

// What came, with what is left over at the end.
struct Reading {
  Reading() {
    recording.then = [this] {
      proa::RecvDatagrams& request = recording.request;
      if (!recording.error()) {
        CHECK(recording.bytes() == request.buffer().size());
        texts.emplace_back(request.buffer().text());
        sources.push_back(request.source());
        if (keeps) kept.push_back(std::move(request.buffer()));
        return;
      }
      CHECK(!request.buffer());
      while (request.take_queued()) texts.emplace_back(request.buffer().text());
      request.buffer().reset();
    };
  }
  std::size_t ends() const {
    return static_cast<std::size_t>(
        std::count_if(recording.results.begin(), recording.results.end(),
                      [](const auto& result) { return bool(result.error); }));
  }
  Recording<proa::RecvDatagrams> recording;
  Texts texts;
  std::vector<Address> sources;
  std::vector<proa::Buffer> kept;
  bool keeps = false;
};

bool push(World& world, proa::DatagramQueue& queue, std::string_view text, const Address& to) {
  proa::Buffer buffer = world->take_buffer();
  buffer.append(text);
  return queue.push(std::move(buffer), to, 0);
}

// Sends a queue with one request, again and again, until it is empty or an error comes.
struct Writing {
  // The test declares it before the World, which is known here when start() is called.
  void start(World& world, proa::TimePoint deadline = proa::never) {
    recording.then = [this, &world] {
      for (std::size_t i = 0; i < recording.bytes(); ++i) queue.pop();
      if (!recording.error() && !queue.empty()) submit(world);
    };
    submit(world, deadline);
  }
  void submit(World& world, proa::TimePoint deadline = proa::never) {
    recording.request.prepare(socket, queue);
    world.submit(recording.request, deadline);
  }
  proa::Descriptor socket;
  proa::DatagramQueue queue;
  Recording<proa::SendDatagrams> recording;
};

TEST_CASE("datagrams by requests of one's own", "[datagram][R2][R3]") {
  Reading read;
  Writing write;
  World world;
  read.keeps = GENERATE(false, true);
  proa::Socket& server = bound_socket(world);
  proa::Socket& client = bound_socket(world);
  read.recording.request.prepare(server.descriptor());
  world.submit(read.recording.request);
  Texts sent = {"first", ""};
  for (const std::string& text : numbers(30)) sent.push_back(text);
  for (const std::string& text : sent) {
    REQUIRE(push(world, write.queue, text, server.local_address()));
  }
  write.socket = client.descriptor();
  write.start(world);
  CHECK(read.texts.empty());  // R1
  world.run_until("all arrived", [&] { return read.texts.size() == sent.size(); });
  world.run_until("all is told", [&] { return write.recording.done() && write.queue.empty(); });
  CHECK(read.texts == sent);
  for (const Address& source : read.sources) CHECK(source == client.local_address());
  for (std::size_t i = 0; i < read.kept.size(); ++i) CHECK(read.kept[i].text() == sent[i]);
  CHECK(write.queue.capacity() == 0);
  CHECK(read.ends() == 0);
  world->cancel(read.recording.request);
  world.run_until("it has ended", [&] { return read.recording.done(); });
  CHECK(read.ends() == 1);
  CHECK(read.recording.error() == std::errc::operation_canceled);
  read.kept.clear();
}

TEST_CASE("a queue of many datagrams leaves in batches that say how many", "[datagram][R2]") {
  Reading read;
  Writing write;
  proa::Options with = options();
  with.buffers = 512;
  World world(with);
  // It loses nothing, and is full soon.
  proa::Socket& server = bound_socket(world, world.local_name());
  proa::Socket& client = bound_socket(world, world.local_name());
  read.recording.request.prepare(server.descriptor());
  world.submit(read.recording.request);
  for (const std::string& text : numbers(300)) {
    REQUIRE(push(world, write.queue, text, server.local_address()));
  }
  write.socket = client.descriptor();
  write.start(world);
  world.run_until("all arrived", [&] { return read.texts.size() == 300; });
  world.run_until("all is told", [&] { return write.recording.done() && write.queue.empty(); });
  CHECK(read.texts == numbers(300));
  std::size_t sum = 0;
  for (const proa::Result& result : write.recording.results) {
    CHECK(!result.error);
    CHECK(result.bytes >= 1);
    CHECK(result.bytes <= proa::SendDatagrams::most);
    sum += result.bytes;
  }
  CHECK(sum == 300);
}

TEST_CASE("the first datagram that cannot be sent names the error, and stays queued",
          "[datagram][R2][U08]") {
  Reading read;
  Writing write;
  World world;
  proa::Socket& server = bound_socket(world);
  proa::Socket& client = bound_socket(world);
  read.recording.request.prepare(server.descriptor());
  world.submit(read.recording.request);
  const Address to = server.local_address();
  REQUIRE(push(world, write.queue, "one", to));
  REQUIRE(push(world, write.queue, "wrong", loopback6(to.port())));
  REQUIRE(push(world, write.queue, "three", to));
  write.socket = client.descriptor();
  write.start(world);
  world.run_until("it has failed",
                  [&] { return write.recording.done() && write.recording.error(); });
  CHECK(write.recording.error() == std::errc::address_family_not_supported);
  CHECK(write.recording.bytes() == 0);
  CHECK(write.recording.results.front().bytes == 1);
  CHECK(write.queue.count() == 2);
  write.queue.pop();
  write.start(world);
  world.run_until("the others arrived", [&] { return read.texts.size() == 2; });
  CHECK(read.texts == Texts{"one", "three"});
  world.run_until("all is told", [&] { return write.recording.done(); });
}

TEST_CASE("sending an empty queue sends nothing", "[datagram][R2]") {
  Writing write;
  World world;
  write.socket = bound_socket(world).descriptor();
  write.start(world);
  world.run_until("it completes", [&] { return write.recording.done(); });
  CHECK(!write.recording.error());
  CHECK(write.recording.bytes() == 0);
}

TEST_CASE("a receive of datagrams may have a deadline", "[datagram][R7]") {
  Reading read;
  Writing write;
  World world;
  proa::Socket& server = bound_socket(world);
  write.socket = bound_socket(world).descriptor();
  const proa::TimePoint deadline = world.in(30ms);
  read.recording.request.prepare(server.descriptor());
  world.submit(read.recording.request, deadline);
  REQUIRE(push(world, write.queue, "in time", server.local_address()));
  write.start(world);
  world.run_until("it has ended", [&] { return read.recording.done() && read.ends() == 1; });
  CHECK(world.system().now() >= deadline);
  CHECK(read.recording.error() == proa::Error::deadline);
  CHECK(read.texts == Texts{"in time"});
  // And again.
  REQUIRE(push(world, write.queue, "after it", server.local_address()));
  write.start(world);
  world.submit(read.recording.request);
  world.run_until("it arrived", [&] { return read.texts.size() == 2; });
}

TEST_CASE("datagrams that wait for room can be cancelled, or be late, and none goes out twice",
          "[datagram][R4][R7]") {
  Reading read;
  Writing write;
  World world;
  proa::Socket& server = bound_socket(world, world.local_name());
  proa::Socket& client = bound_socket(world, world.local_name());
  const bool connected = GENERATE(false, true);
  const Address to = server.local_address();
  if (connected) REQUIRE(world.system().connect(client.descriptor(), to) == 0);
  constexpr std::size_t number = 900;
  for (const std::string& text : numbers(number)) {
    REQUIRE(push(world, write.queue, text, connected ? Address() : to));
  }
  write.socket = client.descriptor();
  write.start(world);
  turns(world, 10);
  REQUIRE(write.recording.request.pending());
  const bool late = GENERATE(false, true);
  for (int i = 0; i < 5; ++i) {
    world->cancel(write.recording.request);
    world.run_until("it is cancelled", [&] { return write.recording.done(); });
    CHECK(write.recording.error() == std::errc::operation_canceled);
    CHECK(write.recording.bytes() == 0);
    write.start(world, late ? world.in(3ms) : proa::never);
    if (!late) {
      turns(world, 1);
      continue;
    }
    world.run_until("it is late", [&] { return write.recording.done(); });
    CHECK(write.recording.error() == proa::Error::deadline);
    write.start(world);
  }
  read.recording.request.prepare(server.descriptor());
  world.submit(read.recording.request);
  world.run_until("all arrived", [&] { return read.texts.size() == number; });
  CHECK(read.texts == numbers(number));
  world.run_until("all is told", [&] { return write.recording.done() && write.queue.empty(); });
}

TEST_CASE("K01: receives of datagrams, each cancelled as one comes", "[datagram][R4][K01]") {
  Reading read;
  Writing write;
  World world;
  proa::Socket& server = bound_socket(world);
  proa::Socket& client = bound_socket(world);
  std::minstd_rand random(1);
  const std::size_t rounds = sanitized() ? 1000 : 5000;
  std::size_t sent = 0;
  const Address to = server.local_address();
  read.recording.request.prepare(server.descriptor());
  for (std::size_t i = 0; i < rounds; ++i) {
    world.submit(read.recording.request);
    const unsigned dice = static_cast<unsigned>(random() >> 8) % 32;
    const auto send_some = [&] {
      const std::size_t number = 1 + dice % 3;
      for (std::size_t n = 0; n < number; ++n, ++sent) {
        const std::string text = std::to_string(sent);
        const PeerAtWork at_work;
        REQUIRE(::sendto(client.descriptor().number, text.data(), text.size(), 0,
                         static_cast<const sockaddr*>(to.data()),
                         static_cast<socklen_t>(to.size())) > 0);
      }
    };
    if (dice & 1u) world->run_once(0ns);
    if (dice / 8 < 2) send_some();
    if (dice & 2u) world->run_once(0ns);
    world->cancel(read.recording.request);
    if (dice / 8 == 2) send_some();
    world.run_until("it has ended", [&] { return !read.recording.request.pending(); });
    REQUIRE(read.ends() == 1);
    REQUIRE(read.recording.error() == std::errc::operation_canceled);
    read.recording.results.clear();
  }
  world.submit(read.recording.request);
  world.run_until("the rest came", [&] { return read.texts.size() == sent; });
  CHECK(read.texts == numbers(sent));
}

TEST_CASE("what was not taken goes back, what was not told can still be taken",
          "[datagram][R3][R4]") {
  Reading read;
  Endpoints endpoints;
  proa::Options with = options();
  with.round_budget = 2;  // so that it is cancelled in the midst of them
  World world(with);
  proa::Socket& server = bound_socket(world);
  Endpoint& client = endpoints.connected(world, server.local_address());
  send_numbers(client, {}, 20);
  wait_told(world, client, 20);
  read.recording.request.prepare(server.descriptor());
  world.submit(read.recording.request);
  world.run_until("some have arrived", [&] { return read.texts.size() >= 4; });
  CHECK(!read.recording.request.buffer());
  world->cancel(read.recording.request);
  world.run_until("it has ended", [&] { return read.recording.done(); });  // see Reading
  world.submit(read.recording.request);
  world.run_until("the rest came", [&] { return read.texts.size() == 20; });
  CHECK(read.texts == numbers(20));
}

TEST_CASE("one receive of datagrams at a time", "[datagram][R5]") {
  Reading read;
  Recording<proa::RecvDatagrams> second;
  Read single;
  World world;
  proa::Socket& server = bound_socket(world);
  read.recording.request.prepare(server.descriptor());
  world.submit(read.recording.request);
  second.request.prepare(server.descriptor());
  CHECK(world->submit(second.request) == proa::Error::reading_is_on);
  CHECK(world->submit(single.from(server.descriptor())) == proa::Error::reading_is_on);
  second.request.prepare(proa::Descriptor());
  CHECK(world->submit(second.request) == std::errc::bad_file_descriptor);
}

TEST_CASE("a receive of datagrams changed or destroyed while it is pending", "[datagram][R3]") {
  const bool destroyed = GENERATE(false, true);
  const std::string message = message_of([destroyed] {
    auto proactor = make_proactor();
    std::error_code error;
    proa::Socket socket =
        proa::Socket::open(*proactor, Address::Family::ipv4, proa::Transport::datagram, error);
    auto read = std::make_unique<Recording<proa::RecvDatagrams>>();
    read->request.prepare(socket.descriptor());
    if (proactor->submit(read->request)) return;
    if (destroyed) {
      read.reset();
    } else {
      read->request.prepare(socket.descriptor());
    }
  });
  INFO("it says: " << message);
  CHECK(message.find("RecvDatagrams 0x") != std::string::npos);
  CHECK(message.find(destroyed ? "destroyed while it was pending"
                               : "prepare while it was pending") != std::string::npos);
}

}  // namespace
