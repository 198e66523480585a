// Sockets that the program has opened itself: taken over, listened on, received from, given back.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <proa/proa.hpp>
#include <string>

#include "raw.hpp"
#include "support/patterns.hpp"
#include "support/plain.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::Socket;

class Echo : public proa::StreamHandler {
 public:
  using StreamHandler::StreamHandler;

 protected:
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
  void on_closed() override { delete this; }
};

struct Acceptor : proa::AcceptHandler {
  using AcceptHandler::AcceptHandler;
  ~Acceptor() override = default;
  void on_accept(Socket, const Address&) override { ++accepted; }
  void on_error(std::error_code told) override {
    error = told;
    close();
  }
  int accepted = 0;
  std::error_code error;
};

struct Receiver : proa::DatagramHandler {
  using DatagramHandler::DatagramHandler;
  ~Receiver() override = default;
  void on_receive(proa::Buffer& data, const Address& source, const proa::DatagramInfo&) override {
    text += data.text();
    if (answers) send(std::move(data), connected ? Address() : source);
  }
  std::string text;
  bool answers = true;
  bool connected = false;
};

int ip_socket(int type) {
  const int made = plain_socket(AF_INET, type);
  sockaddr_in any = {};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(made, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
  return made;
}

bool blocking(int number) { return (::fcntl(number, F_GETFL) & O_NONBLOCK) == 0; }

bool is_open(int number) { return ::fcntl(number, F_GETFD) >= 0; }

Socket adopt(World& world, int number) {
  std::error_code error;
  Socket adopted = Socket::adopt(*world, number, error);
  INFO(error.message());
  REQUIRE(!error);
  return adopted;
}

TEST_CASE("a socket of the program's is taken over, and given back as it was", "[R3]") {
  World world;
  const int number = ip_socket(SOCK_STREAM);
  Socket adopted = adopt(world, number);
  CHECK(adopted.descriptor().kind == proa::DescriptorKind::tcp);
  CHECK(!blocking(number));
  Socket moved = std::move(adopted);
  CHECK(moved.release().number == number);
  CHECK(blocking(number));
  {
    const Socket again = adopt(world, number);
    CHECK(!again.borrowed());
  }
  CHECK(!is_open(number));
  std::error_code error;
  CHECK(!Socket::adopt(*world, number, error).valid());
  CHECK(error == std::errc::bad_file_descriptor);
}

TEST_CASE("a pipe, a file and a datagram socket are taken over for what they are", "[R3]") {
  World world;
  int ends[2];
  REQUIRE(plain_pipe(ends));
  REQUIRE(::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
  const Raw end(ends[1]);
  Socket pipe = adopt(world, ends[0]);
  CHECK(pipe.descriptor().kind == proa::DescriptorKind::pipe);
  CHECK(pipe.release().number == ends[0]);
  CHECK(!blocking(ends[0]));  // as it was
  ::close(ends[0]);
  CHECK(adopt(world, ip_socket(SOCK_DGRAM)).descriptor().kind == proa::DescriptorKind::socket);
  CHECK(adopt(world, ::open("/bin/sh", O_RDONLY | O_CLOEXEC)).descriptor().kind ==
        proa::DescriptorKind::file);
}

TEST_CASE("an inherited listener serves", "[R9]") {
  World world;
  const int number = ip_socket(SOCK_STREAM);
  REQUIRE(::listen(number, 8) == 0);
  proa::Server<Echo> server(*world);
  REQUIRE(!server.listen(adopt(world, number)));
  REQUIRE(server.addresses().size() == 1);
  std::error_code error;
  Socket socket = Socket::open(*world, Address::Family::ipv4, proa::Transport::stream, error);
  const long begun = world.system().connect(socket.descriptor(), server.addresses().at(0));
  REQUIRE((begun == 0 || begun == -EINPROGRESS));
  Peer& peer = world.peer(std::move(socket));
  peer.send("hello");
  world.run_until("it came back", [&] { return peer.received() == "hello"; });
  CHECK(server.listen(Socket()) == std::errc::bad_file_descriptor);
  server.drain(1s);
  CHECK(server.listen(adopt(world, ip_socket(SOCK_STREAM))) == proa::Error::closing);
  world.run_until("all are gone", [&] { return server.live() == 0 && server.addresses().empty(); });
}

TEST_CASE("a listener that does not listen is an error of its handler", "[R2]") {
  World world;
  Acceptor acceptor(*world);
  std::array<int, 2> both{-1, -1};
  int number = -1;
  SECTION("not connected") { number = ip_socket(SOCK_STREAM); }
  SECTION("connected") {
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, both.data()) == 0);
    number = both[0];
  }
  SECTION("datagrams") { number = ip_socket(SOCK_DGRAM); }
  REQUIRE(!acceptor.listen(adopt(world, number)));
  world.run_until("it was told", [&] { return bool(acceptor.error); });
  const bool told = acceptor.error == std::errc::invalid_argument ||
                    acceptor.error == std::errc::operation_not_supported;
  CHECK(told);
  if (both[1] >= 0) ::close(both[1]);
  world.run_until("it is closed", [&] { return !acceptor.descriptor().valid(); });
}

TEST_CASE("datagrams of a socket that is bound, or connected, already", "[R9]") {
  World world;
  const bool connected = GENERATE(false, true);
  const Raw peer(ip_socket(SOCK_DGRAM));
  const int number = ip_socket(SOCK_DGRAM);
  sockaddr_in there = {};
  socklen_t size = sizeof there;
  REQUIRE(::getsockname(peer.number, reinterpret_cast<sockaddr*>(&there), &size) == 0);
  if (connected) {
    REQUIRE(::connect(number, reinterpret_cast<const sockaddr*>(&there), size) == 0);
  }
  Receiver receiver(*world);
  receiver.connected = connected;
  REQUIRE(!receiver.bind(adopt(world, number)));
  const Address here = receiver.address();
  REQUIRE(::sendto(peer.number, "ping", 4, 0, static_cast<const sockaddr*>(here.data()),
                   static_cast<socklen_t>(here.size())) == 4);
  char answer[8] = {};
  world.run_until("it was answered",
                  [&] { return ::recv(peer.number, answer, sizeof answer, MSG_DONTWAIT) == 4; });
  CHECK(std::string(answer) == "ping");
  CHECK(receiver.text == "ping");
  CHECK(receiver.bind(Socket()) == std::errc::device_or_resource_busy);
  receiver.close();
  world.run_until("it is closed", [&] { return !receiver.descriptor().valid(); });
  CHECK(receiver.bind(Socket()) == std::errc::bad_file_descriptor);
}

// What the kernel would say of each receive is told by bind() already, and on every backend the
// same.
TEST_CASE("bind() of what is no datagram socket is refused at once", "[R2][R12]") {
  World world;
  Receiver receiver(*world);
  const bool borrowed = GENERATE(false, true);
  int ends[2] = {-1, -1};
  std::error_condition expected = std::errc::not_a_socket;
  SECTION("a pipe") { REQUIRE(plain_pipe(ends)); }
  SECTION("a file") { ends[0] = ::open("/bin/sh", O_RDONLY | O_CLOEXEC); }
  SECTION("a stream socket of a pair") {
    REQUIRE(plain_pair(ends));
    expected = std::errc::wrong_protocol_type;
  }
  SECTION("a TCP socket") {
    ends[0] = ip_socket(SOCK_STREAM);
    expected = std::errc::wrong_protocol_type;
  }
  std::error_code error;
  Socket given =
      borrowed ? Socket::borrow(*world, ends[0], error) : Socket::adopt(*world, ends[0], error);
  REQUIRE(!error);
  CHECK(receiver.bind(std::move(given)) == expected);
  CHECK(!receiver.is_open());
  CHECK(is_open(ends[0]) == borrowed);
  if (borrowed) ::close(ends[0]);
  if (ends[1] >= 0) ::close(ends[1]);
  // The handler stayed as it was.
  REQUIRE(!receiver.bind(adopt(world, ip_socket(SOCK_DGRAM))));
  receiver.close();
  world.run_until("it is closed", [&] { return !receiver.is_open(); });
}

TEST_CASE("bind() takes a pair of sockets that keep messages apart", "[R2][R12]") {
  World world;
  Receiver receiver(*world);
  receiver.connected = true;
  const int type = GENERATE(SOCK_DGRAM, SOCK_SEQPACKET);
  int ends[2] = {-1, -1};
  REQUIRE(plain_pair(ends, true, type));
  const Raw far(ends[1]);
  REQUIRE(!receiver.bind(adopt(world, ends[0])));
  far.write("ping");
  char answer[8] = {};
  world.run_until("it was answered",
                  [&] { return ::recv(far.number, answer, sizeof answer, MSG_DONTWAIT) == 4; });
  CHECK(std::string(answer) == "ping");
  receiver.close();
  world.run_until("it is closed", [&] { return !receiver.is_open(); });
}

}  // namespace
