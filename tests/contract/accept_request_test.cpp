// Accept as a request, one at a time and repeating.
#include <list>

#include "support/world.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::Socket;

TEST_CASE("T19: who connects before the first accept is accepted later", "[R2][T19]") {
  Accepting accept(true);
  std::list<Socket> accepted;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  Socket& listener = world.listen(kind);
  std::list<Peer*> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(&world.peer());
    clients.back()->connect(listener.local_address());
  }
  accept.then = [&] {
    if (!accept.error()) accepted.push_back(std::move(accept.request.socket()));
  };
  accept.request.prepare(listener.descriptor());
  world.submit(accept.request);
  world.run_until("all were accepted", [&] { return accepted.size() == 20; });
  CHECK(accept.request.pending());
  world->cancel(accept.request);
  world.run_until("the accept ended", [&] { return accept.done(); });
  CHECK(accept.error() == std::errc::operation_canceled);
  CHECK(accept.results.size() == 21);
  for (Peer* const client : clients) CHECK(client->connected());
  accepted.clear();
}

TEST_CASE("a repeating accept closes what nobody took", "[R4]") {
  Accepting accept(true);
  World world;
  Socket& listener = world.listen();
  accept.request.prepare(listener.descriptor());
  world.submit(accept.request);
  Peer& first = world.peer();
  first.connect(listener.local_address());
  world.run_until("the first was accepted", [&] { return accept.results.size() == 1; });
  Peer& second = world.peer();
  second.connect(listener.local_address());
  world.run_until("the second was accepted", [&] { return accept.results.size() == 2; });
  world.run_until("the first was closed", [&] { return first.ended() || first.error() != 0; });
  CHECK(!second.ended());
}

TEST_CASE("T22: a pending accept ends with the proactor", "[R4][T22]") {
  Accepting accept(true);
  World world;
  Socket& listener = world.listen();
  accept.request.prepare(listener.descriptor());
  world.submit(accept.request);
  world.turn();
  CHECK(world->shutdown(hang) == 0);
  CHECK(accept.results.size() == 1);
  CHECK(accept.error() == std::errc::operation_canceled);
}

TEST_CASE("accept on a socket that does not listen fails once", "[R2]") {
  Accepting accept(GENERATE(false, true));
  World world;
  std::error_code error;
  Socket& socket =
      world.own(Socket::open(*world, Address::Family::ipv4, proa::Transport::stream, error));
  REQUIRE(!error);
  accept.request.prepare(socket.descriptor());
  world.submit(accept.request);
  world.run_until("the accept completed", [&] { return accept.done(); });
  CHECK(accept.error() == std::errc::invalid_argument);
  CHECK(accept.results.size() == 1);
}

TEST_CASE("a receive on a socket that was never connected fails once", "[R2]") {
  Read read;
  World world;
  std::error_code error;
  Socket& socket =
      world.own(Socket::open(*world, Address::Family::ipv4, proa::Transport::stream, error));
  REQUIRE(!error);
  world.submit(read.from(socket.descriptor()));
  world.run_until("the receive completed", [&] { return read.done(); });
  CHECK(read.error() == std::errc::not_connected);
  CHECK(read.results.size() == 1);
}

TEST_CASE("T24: bursts of clients: as many accepts as connects", "[R2][T24]") {
  Accepting accept(true);
  std::size_t accepted = 0;
  World world;
  Socket& listener = world.listen();
  const Address address = listener.local_address();
  accept.then = [&] {
    if (!accept.error()) ++accepted;
    accept.request.socket().close();
  };
  accept.request.prepare(listener.descriptor());
  world.submit(accept.request);
  std::size_t connected = 0;
  for (int burst = 0; burst < 4; ++burst) {
    for (int i = 0; i < 50; ++i) world.peer().connect(address);
    connected += 50;
    world.run_until("the burst was accepted", [&] { return accepted == connected; });
  }
  for (int i = 0; i < 1000; ++i) {
    Peer again(world.system());
    again.connect(address);
    ++connected;
    if (i % 10 == 0) world.run_until("they were accepted", [&] { return accepted == connected; });
    again.reset();
  }
  world.run_until("all were accepted", [&] { return accepted == connected; });
  world.turn();
  CHECK(accepted == connected);
}

TEST_CASE("a connection accepted after all is closed when the proactor shuts down", "[R4]") {
  // Connections and the end at the same moment: those that were accepted and not delivered are
  // closed. The guards see a descriptor that is not.
  Accepting accept(true);
  World world;
  Socket& listener = world.listen();
  accept.request.prepare(listener.descriptor());
  world.submit(accept.request);
  world.turn();
  std::list<Peer*> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(&world.peer());
    clients.back()->connect(listener.local_address());
  }
  CHECK(world->shutdown(hang) == 0);
  for (const proa::Result& result : accept.results) {
    if (&result == &accept.results.back()) CHECK(result.error == std::errc::operation_canceled);
  }
  CHECK(!accept.request.socket().valid());
}

TEST_CASE("B09: data, end and hang-up at the same moment are all seen", "[R2][B09]") {
  Read read(4);
  Sending send;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  const Connection line = world.pair(kind);
  world.submit(read.from(line.descriptor()));
  world.turn();
  line.far.send("12345678");
  line.far.turn();
  line.far.close();
  std::string all;
  for (std::size_t times = 1; times <= 3; ++times) {
    if (times > 1) world.submit(read.from(line.descriptor()));
    world.run_until("the receive completed", [&] { return read.results.size() == times; });
    REQUIRE(!read.error());
    all += read.text();
  }
  CHECK(all == "12345678");
  CHECK(read.bytes() == 0);
}

}  // namespace
