// A socket in blocking mode, as inetd(8) or another library may have made it, that the library
// connects: the loop goes on meanwhile, and the socket keeps its mode.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "accept_rig.hpp"
#include "raw.hpp"
#include "stream_rig.hpp"
#include "support/patterns.hpp"
#include "support/plain.hpp"
#include "support/replaced.hpp"

namespace {

using namespace proa_test;
using proa::Address;

bool blocks(const Raw& raw) { return (raw.flags() & O_NONBLOCK) == 0; }

TEST_CASE("a borrowed socket in blocking mode connects without blocking the loop",
          "[R2][R7][R12][readiness]") {
  Connecting connect;
  Timing timer;
  Read read;
  World world;
  const Link link = GENERATE(Link::tcp4, Link::path);
  const bool accepted = GENERATE(true, false);
  CAPTURE(static_cast<int>(link), accepted);
  proa::Socket& listener = world.listen(link, 1);
  const Address address = listener.local_address();
  // Linux takes backlog + 1 connections into the queue; what follows is left without an answer.
  for (int i = 0; i < (link == Link::tcp4 ? 4 : 2); ++i) world.peer().connect(address);
  turns(world, 20);
  if (!on_linux) return skip("a listener without room refuses connections here", true);
  const Raw raw(plain_socket(link == Link::tcp4 ? AF_INET : AF_UNIX, SOCK_STREAM));
  proa::Socket& socket = borrow(world, raw);
  connect.request.prepare(socket.descriptor(), address);
  world.submit(connect.request, accepted ? proa::never : world.in(50ms));
  world.submit(timer.request, world.in(5ms));
  world.run_until("the timer fired", [&] { return timer.done(); });
  CHECK(!connect.done());
  CHECK(blocks(raw));
  if (accepted) {
    Door door(*world);
    REQUIRE(!door.listen(std::move(listener)));
    world.run_until("it is connected", [&] { return connect.done(); });
    CHECK(!connect.error());
    CHECK(socket.peer_address() == address);
    door.end(world);
  } else {
    world.run_until("the deadline ended it", [&] { return connect.done(); });
    CHECK(connect.error() == proa::Error::deadline);
  }
  CHECK(blocks(raw));
}

TEST_CASE("a borrowed socket in blocking mode is told that nobody listens", "[R2][readiness]") {
  Connecting connect;
  World world;
  proa::Socket& listener = world.listen(Link::tcp4);
  const Address address = listener.local_address();
  listener.close();
  const Raw raw(plain_socket(AF_INET, SOCK_STREAM));
  proa::Socket& socket = borrow(world, raw);
  connect.request.prepare(socket.descriptor(), address);
  world.submit(connect.request);
  world.run_until("the connect completed", [&] { return connect.done(); });
  CHECK(connect.error() == std::errc::connection_refused);
  CHECK(blocks(raw));
}

TEST_CASE(
    "a borrowed UNIX socket in blocking mode: its Connect to a full listener can be cancelled",
    "[R2][R4][readiness]") {
  Connecting connect;
  World world;
  proa::Socket& listener = world.listen(Link::path, 1);
  const Address full = listener.local_address();
  for (int i = 0; i < 4; ++i) world.peer().connect(full);
  turns(world, 20);
  const Raw raw(plain_socket(AF_UNIX, SOCK_STREAM));
  connect.request.prepare(borrow(world, raw).descriptor(), full);
  world.submit(connect.request);
  world->poll();
  world->cancel(connect.request);
  world.run_until("the connect ended", [&] { return connect.done(); });
  CHECK(connect.error());
}

TEST_CASE("a Connect on a borrowed socket that ends with its handler leaves nothing to come",
          "[R4][readiness]") {
  if (over_kqueue()) return skip("this system goes on connecting", true);
  Connecting connect;
  Streams streams;
  World world;
  proa::Socket* listener = nullptr;
  const Address full = world.full_listener(&listener);
  if (full.family() == Address::Family::none) return;  // this system refuses in place of waiting
  const Raw raw(plain_socket(AF_INET, SOCK_STREAM));
  proa::Socket& socket = borrow(world, raw);
  connect.request.prepare(socket.descriptor(), full);
  world.submit(connect.request);
  Stream& stream = streams.add(*world, std::move(socket));
  world->poll();
  stream.close();
  wait_closed(world, stream);
  CHECK(connect.error() == std::errc::operation_canceled);
#ifdef TCP_INFO
  tcp_info info{};
  socklen_t size = sizeof info;
  REQUIRE(::getsockopt(raw.number, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  CHECK(info.tcpi_state != 2);  // SYN_SENT
#endif
}

// Others may be receiving from it: to them the mode must not change, even for a moment.
TEST_CASE("a datagram socket keeps its mode while it is connected", "[R2][readiness]") {
  World world;
  const Raw raw(plain_socket(AF_INET, SOCK_DGRAM));
  static long changes = 0;
  changes = 0;
  const Replaced watch(
      proa::sys::table.set_nonblocking, +[](int fd) noexcept {
        ++changes;
        return proa::sys::direct::set_nonblocking(fd);
      });
  CHECK(world.system().connect(borrow(world, raw).descriptor(), Address::loopback(9)) == 0);
  CHECK(changes == 0);
}

TEST_CASE("an urgent byte that has no room does not block the loop", "[R12][readiness]") {
  World world;
  const Connection line = world.pair(Link::tcp4);
  const Raw raw(::dup(line.descriptor().number));
  REQUIRE(::fcntl(raw.number, F_SETFL, 0) == 0);
  proa::Socket& socket = borrow(world, raw);
  const std::string bytes = pattern(1, 100000);
  while (world.system().send(socket.descriptor(), bytes) > 0) continue;
  CHECK(world.system().send_urgent(socket.descriptor(), bytes) == -EAGAIN);
  REQUIRE(::fcntl(raw.number, F_SETFL, O_NONBLOCK) == 0);
}

}  // namespace
