// With calls of its own, not the library's: neither its faults nor its mistakes reach the network.
#include "support/datagram_proxy.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include "support/catch.hpp"
#include "support/plain.hpp"

namespace proa_test {

using proa::Address;

namespace {

int open_socket() {
  const int opened = plain_socket(AF_INET, SOCK_DGRAM);
  ::fcntl(opened, F_SETFL, O_NONBLOCK);
  REQUIRE(opened >= 0);
  return opened;
}

const sockaddr* raw(const Address& address) { return static_cast<const sockaddr*>(address.data()); }

}  // namespace

DatagramProxy::DatagramProxy(const Address& server, const Weather& weather, std::uint32_t seed)
    : weather_(weather), random_(seed), front_(open_socket()), back_(open_socket()) {
  const Address any = Address::loopback(0);
  REQUIRE(::bind(front_, raw(any), static_cast<socklen_t>(any.size())) == 0);
  REQUIRE(::connect(back_, raw(server), static_cast<socklen_t>(server.size())) == 0);
  socklen_t size = Address::capacity;
  REQUIRE(::getsockname(front_, static_cast<sockaddr*>(address_.buffer()), &size) == 0);
  address_.set_size(size);
}

DatagramProxy::~DatagramProxy() {
  ::close(front_);
  ::close(back_);
}

bool DatagramProxy::hit(double probability) {
  return std::uniform_real_distribution<>()(random_) < probability;
}

void DatagramProxy::turn() {
  std::vector<Held> kept;
  for (Held& each : held_) {
    if (--each.turns == 0) {
      forward(each.bytes, each.to_server);
    } else {
      kept.push_back(std::move(each));
    }
  }
  held_.swap(kept);
  receive(true);
  receive(false);
}

void DatagramProxy::receive(bool to_server) {
  for (;;) {
    char memory[65536];
    Address from;
    socklen_t size = Address::capacity;
    const ssize_t got = ::recvfrom(to_server ? front_ : back_, memory, sizeof memory, 0,
                                   static_cast<sockaddr*>(from.buffer()), &size);
    if (got < 0) return;
    from.set_size(size);
    if (to_server) client_ = from;
    std::string bytes(memory, static_cast<std::size_t>(got));
    if (hit(weather_.lose)) {
      ++lost_;
      continue;
    }
    if (hit(weather_.repeat)) {
      ++repeated_;
      forward(bytes, to_server);
    }
    if (hit(weather_.delay)) {
      ++delayed_;
      held_.push_back({std::move(bytes), to_server, 1 + static_cast<unsigned>(random_() % 8)});
      continue;
    }
    forward(bytes, to_server);
  }
}

void DatagramProxy::forward(const std::string& bytes, bool to_server) {
  ++forwarded_;
  if (to_server) {
    ::send(back_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } else if (client_.is_set()) {
    ::sendto(front_, bytes.data(), bytes.size(), MSG_NOSIGNAL, raw(client_),
             static_cast<socklen_t>(client_.size()));
  }
}

}  // namespace proa_test
