// Options of TCP that a handler sets on its socket: each has the value that was set, and does what
// it is for.
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <climits>
#include <proa/file_handler.hpp>
#include <proa/stream_handler.hpp>

#include "accept_rig.hpp"
#include "raw.hpp"
#include "support/plain.hpp"

namespace {

using namespace proa_test;
using proa::SocketOption;

class Talker : public proa::StreamHandler {
 public:
  using StreamHandler::StreamHandler;
  std::string text;
  std::error_code error;
  bool opened = false;
  bool closed = false;

 protected:
  void on_open() override { opened = true; }
  void on_read(proa::Buffer& data) override { text += data.text(); }
  void on_error(std::error_code told) override {
    error = told;
    close();
  }
  void on_closed() override { closed = true; }
};

template <class Handler>
void check_set(Handler& handler, SocketOption option, int value) {
  CAPTURE(static_cast<int>(option));
  CHECK(!handler.set_option(option, value));
  int told = -1;
  CHECK(!handler.socket().get_option(option, told));
  CHECK(told == value);
}

TEST_CASE("a handler sets the options of its connection", "[options][R12]") {
  World world;
  const Connection line = world.pair(GENERATE(Link::tcp4, Link::tcp6));
  Talker talker(*world, std::move(line.near));
  check_set(talker, SocketOption::keep_alive, 1);
  check_set(talker, SocketOption::keep_alive_idle, 17);
  check_set(talker, SocketOption::keep_alive_interval, 3);
  check_set(talker, SocketOption::keep_alive_count, 4);
  check_set(talker, SocketOption::user_timeout, 12345);
  check_set(talker, SocketOption::unsent_limit, 16384);
  CHECK(!talker.set_option(SocketOption::quick_acknowledge, 1));
  CHECK(talker.set_option(SocketOption::keep_alive_count, 0) == std::errc::invalid_argument);
  talker.close();
  world.run_until("it is closed", [&] { return talker.closed; });
  CHECK(talker.set_option(SocketOption::keep_alive, 1) == std::errc::bad_file_descriptor);
}

TEST_CASE("what is no TCP socket has none of its options", "[options][R12]") {
  World world;
  const Connection line = world.pair(Link::path);
  Talker talker(*world, std::move(line.near));
  CHECK(talker.set_option(SocketOption::keep_alive_idle, 17));
  CHECK(talker.set_option(SocketOption::user_timeout, 17));
  talker.close();
  world.run_until("it is closed", [&] { return talker.closed; });
}

TEST_CASE("a time to linger is none, or not negative", "[options][R12]") {
  World world;
  const Connection line = world.pair();
  const auto set = [&](int seconds) {
    return line.near.set_option(proa::SocketOption::linger, seconds);
  };
  int value = 7;
  CHECK(!set(5));
  for (const int wrong : {-2, INT_MIN}) CHECK(set(wrong) == std::errc::invalid_argument);
  CHECK(!line.near.get_option(proa::SocketOption::linger, value));
  CHECK(value == 5);
  CHECK(!set(-1));
  CHECK(!line.near.get_option(proa::SocketOption::linger, value));
  CHECK(value == -1);
}

TEST_CASE("a connection that brings no bytes is not given out before it may", "[options][R12]") {
  World world;
  Door door(*world);
  REQUIRE(!door.listen(proa::Address::loopback(0)));
  CHECK(!door.set_option(SocketOption::defer_accept, 30));
  Peer& silent = world.peer();
  silent.connect(door.address());
  world.run_until("it is connected", [&] { return silent.connected(); });
  turns(world, 20);
  CHECK(door.guests.empty());
  silent.send("hello");
  world.run_until("it was accepted", [&] { return door.guests.size() == 1; });
  CHECK(!door.set_option(SocketOption::defer_accept, 0));
  Peer& other = world.peer();
  other.connect(door.address());
  world.run_until("it was accepted without a byte", [&] { return door.guests.size() == 2; });
  door.end(world);
}

// The address with a cookie of the server's, or, if the system does not use them, without.
TEST_CASE("the first bytes of a connection go out with its SYN", "[options][R12]") {
  Connecting connect;
  World world;
  Door door(*world);
  REQUIRE(!door.listen(proa::Address::loopback(0)));
  CHECK(!door.set_option(SocketOption::fast_open, 16));
  for (int times = 0; times < 2; ++times) {
    std::error_code error;
    proa::Socket socket =
        proa::Socket::open(*world, proa::Address::Family::ipv4, proa::Transport::stream, error);
    REQUIRE(!error);
    CHECK(!socket.set_option(SocketOption::fast_open_connect, 1));
    connect.request.prepare(socket.descriptor(), door.address());
    connect.results.clear();
    world.submit(connect.request);
    world.run_until("the connect completed", [&] { return connect.done(); });
    REQUIRE(!connect.error());
    Talker client(*world, std::move(socket));
    client.start_reading();
    client.write("hello");
    world.run_until("it was accepted", [&] { return !door.guests.empty(); });
    Peer& server = world.peer(std::move(door.guests[0].socket));
    door.guests.clear();
    world.run_until("the bytes came", [&] { return server.received() == "hello"; });
    server.send("welcome");
    world.run_until("the answer came", [&] { return client.text == "welcome"; });
    CHECK(!client.error);
    client.close();
    world.run_until("it is closed", [&] { return client.closed; });
  }
  door.end(world);
}

// Nobody answers: a system without a route there drops all, as the other end of a pulled cable.
TEST_CASE("bytes that nobody acknowledges end the connection", "[options][R12]") {
  World world;
  const Connection line = world.pair(Link::tcp4);
  Talker talker(*world, std::move(line.near));
  talker.start_reading();
  CHECK(!talker.set_option(SocketOption::user_timeout, 200));
  // From now on the kernel takes what arrives on the socket for nothing (SO_ATTACH_FILTER, BPF).
  const int far = line.far.descriptor().number;
  const sock_filter drop = {BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program = {1, const_cast<sock_filter*>(&drop)};
  REQUIRE(::setsockopt(far, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0);
  talker.write("is anybody there?");
  world.run_until("the error was told", [&] { return talker.closed; });
  CHECK(talker.error == std::errc::timed_out);
}

}  // namespace
