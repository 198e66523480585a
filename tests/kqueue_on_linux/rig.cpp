#include "rig.hpp"

#include <fcntl.h>

namespace proa_test {

namespace {

sockaddr* cast(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }

sockaddr_in bind_anywhere(int descriptor) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(descriptor, cast(address), size) == 0);
  REQUIRE(::getsockname(descriptor, cast(address), &size) == 0);
  return address;
}

}  // namespace

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) == 0);
  return ends;
}

std::array<int, 2> make_local() {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return ends;
}

std::array<int, 2> make_tcp() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = bind_anywhere(listener);
  REQUIRE(::listen(listener, 1) == 0);
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::connect(client, cast(address), sizeof address) == 0);
  const int server = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  REQUIRE(server >= 0);
  ::fcntl(client, F_SETFL, O_NONBLOCK);
  ::close(listener);
  return {client, server};
}

sockaddr_in closed_port(int type) {
  const int once = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  const sockaddr_in address = bind_anywhere(once);
  ::close(once);
  return address;
}

}  // namespace proa_test
