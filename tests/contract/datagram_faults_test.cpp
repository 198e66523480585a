// Faults below datagrams: those that a program does not notice (R11), and those that it is told of,
// once each (U08).
#include <cerrno>

#include "contract/endpoint_rig.hpp"
#include "support/faults.hpp"

namespace {

using namespace proa_test;
using proa::Address;

// An echo of numbers with few of them on their way: nothing is lost but by us.
void check_echo(World& world, Endpoint& server, Endpoint& client, std::size_t number) {
  server.receive = [&](proa::Buffer& data, const Address& from) {
    server.send(std::move(data), from);
  };
  std::size_t next = 0;
  world.run_until(
      "all came back",
      [&] {
        for (; next < number && next < client.received.size() + 50; ++next) {
          client.send(proa::Bytes(std::to_string(next)));
        }
        return client.received.size() >= number;
      },
      20s);
  CHECK(server.received == numbers(number));
  CHECK(client.received == numbers(number));
  CHECK(server.failures() == 0);
  CHECK(client.failures() == 0);
  CHECK(server.told.empty());
  CHECK(client.told.empty());
}

TEST_CASE("datagrams are the same through short batches", "[datagram][R5][R11]") {
  Endpoints endpoints;
  World world;
  Faults faults;
  faults.shorten_batches(GENERATE(1u, 3u));
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.connected(world, server.address());
  check_echo(world, server, client, 1000);
  CHECK(faults.injected() > 20);
  faults.clear();
}

TEST_CASE("datagrams are the same through storms of EINTR and EAGAIN", "[datagram][R5][R11][S02]") {
  Endpoints endpoints;
  World world;
  Faults faults(GENERATE(1u, 2u));
  faults.interrupt(0.3);
  faults.deny(0.3);
  faults.shorten_batches(GENERATE(0u, 5u));
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.connected(world, server.address());
  check_echo(world, server, client, 1000);
  CHECK(faults.injected() > 20);
  faults.clear();
}

TEST_CASE("an error in the midst of a batch fails one datagram, each is told once",
          "[datagram][R2][U08]") {
  Endpoints endpoints;
  World world;
  Faults faults;
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.bound(world);
  // Twice, because a send that fails is tried once more.
  faults.shorten_batches(7);
  faults.fail(Call::sendmmsg, -ENOBUFS, 3, 2);
  send_numbers(client, server.address(), 40);
  wait_told(world, client, 40);
  CHECK(client.failures() == 1);
  CHECK(client.errors() == 1);
  CHECK(client.results[14].error == std::errc::no_buffer_space);
  wait_received(world, server, 39);
  Texts expected = numbers(40);
  expected.erase(expected.begin() + 14);
  CHECK(server.received == expected);
  CHECK(client.told.empty());
  faults.clear();
}

TEST_CASE("ENOBUFS, however often: each send is told once, and the socket is well",
          "[datagram][R2][U10]") {
  Endpoints endpoints;
  World world;
  Faults faults;
  Endpoint& server = endpoints.bound(world);
  Endpoint& client = endpoints.bound(world);
  constexpr std::size_t number = 200;
  faults.fail(Call::sendmmsg, -ENOBUFS, 1, 2 * number);
  send_numbers(client, server.address(), number);
  wait_told(world, client, number);
  CHECK(client.failures() == number);
  CHECK(client.errors() == number);
  CHECK(client.queued() == 0);
  send_numbers(client, server.address(), 20);
  wait_received(world, server, 20);
  CHECK(server.received == numbers(20));
  CHECK(client.results.size() == number + 20);
  CHECK(client.failures() == number);
  faults.clear();
}

TEST_CASE("a receive that fails is told once, and goes on", "[datagram][R2]") {
  Endpoints endpoints;
  World world;
  Faults faults;
  faults.fail(Call::recvmmsg, -ENOMEM, 1, 3);
  Endpoint& server = endpoints.bound(world);  // alone, so that all calls are its own
  send_numbers(server, server.address(), 10);
  wait_received(world, server, 10);
  CHECK(server.received == numbers(10));
  CHECK(server.told.size() == 3);
  for (const std::error_code& error : server.told) CHECK(error == std::errc::not_enough_memory);
  CHECK(server.errors() == 3);
  faults.clear();
}

TEST_CASE("an error that ends receiving is counted, unless the handler receives again or closes",
          "[datagram][R2]") {
  Endpoints endpoints;
  World world;
  Faults faults;
  const bool often = GENERATE(false, true);
  const std::string answer = GENERATE("none", "start_receiving()", "close()");
  CAPTURE(often, answer);
  faults.fail(Call::recvmmsg, often ? -ENOMEM : -EINVAL, 1, often ? 16 : 1);
  Endpoint& server = endpoints.bound(world);  // alone, so that all calls are its own
  const std::size_t last = often ? 16 : 1;
  server.failed = [&](std::error_code) {
    if (server.told.size() < last) return;
    if (answer == "start_receiving()") server.start_receiving();
    if (answer == "close()") server.close();
  };
  const Address to = server.address();
  send_numbers(server, to, 1);
  world.run_until("the error is told", [&] { return server.told.size() == last; });
  CHECK(world->counters().errors_unanswered == (answer == "none"));
  if (answer != "close()") {
    server.stop_receiving();
    server.start_receiving();
    wait_received(world, server, 1);
    CHECK(server.received == numbers(1));
  }
  faults.clear();
}

}  // namespace
