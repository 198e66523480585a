// Many connections on one thread. Edge-triggered epoll, so that one registration serves the
// connect, the sends that did not fit and the receives, and a request costs a send, a recv and its
// share of an epoll_wait. io_uring would be cheaper, but a client that works wherever sockets do is
// worth more: the server is what is measured.
#include "echo_client.hpp"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <system_error>

namespace bench {

EchoClient::EchoClient(const Endpoint& server, std::size_t connections, std::size_t size)
    : server_(server), payload_(size), connections_(connections), buffer_(65536) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

EchoClient::~EchoClient() {
  for (auto& connection : connections_) {
    if (connection.descriptor >= 0) close(connection.descriptor);
  }
  close(epoll_);
}

std::size_t EchoClient::connect(Clock::time_point limit) {
  for (std::size_t index = 0; index < connections_.size(); ++index) start_connecting(index);
  while (connecting_ > 0 && Clock::now() < limit) wait(limit);
  for (auto& connection : connections_) {
    if (connection.connecting) fail(connection, "connect: no answer in time");
  }
  return open_;
}

void EchoClient::run(Clock::time_point end) {
  if (!started_) {
    started_ = true;
    for (std::size_t index = 0; index < connections_.size(); ++index) {
      if (connections_[index].descriptor >= 0) start_request(index, Clock::now());
    }
  }
  while (open_ > 0 && Clock::now() < end) wait(end);
}

void EchoClient::drain(Clock::time_point limit) {
  draining_ = true;
  while (waiting_ > 0 && Clock::now() < limit) wait(limit);
  for (auto& connection : connections_) {
    if (connection.waiting) fail(connection, "no answer in time");
  }
}

std::uint64_t EchoClient::errors() const {
  std::uint64_t sum = 0;
  for (const auto& entry : errors_) sum += entry.second;
  return sum;
}

void EchoClient::start_connecting(std::size_t index) {
  Connection& connection = connections_[index];
  const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  connection.descriptor = socket(server_.family(), type, 0);
  connection.connecting = true;
  ++connecting_;
  ++open_;
  if (connection.descriptor < 0)
    return fail(connection, std::string("socket: ") + std::strerror(errno));
  const int one = 1;
  setsockopt(connection.descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLET;
  event.data.u64 = index;
  if (::connect(connection.descriptor, server_.get(), server_.length) < 0 && errno != EINPROGRESS) {
    fail(connection, std::string("connect: ") + std::strerror(errno));
  } else if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.descriptor, &event) < 0) {
    fail(connection, std::string("epoll_ctl: ") + std::strerror(errno));
  }
}

void EchoClient::wait(Clock::time_point limit) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(limit - Clock::now());
  epoll_event events[512];
  const int ready =
      epoll_wait(epoll_, events, 512, static_cast<int>(std::max<long>(left.count(), 0)) + 1);
  if (ready < 0 && errno != EINTR) {
    throw std::system_error(errno, std::generic_category(), "epoll_wait");
  }
  for (int i = 0; i < ready; ++i) on_event(events[i].data.u64, Clock::now());
}

void EchoClient::on_event(std::size_t index, Clock::time_point now) {
  Connection& connection = connections_[index];
  if (connection.connecting && !finish_connecting(connection)) return;
  if (connection.waiting) send_rest(index);
  if (connection.descriptor >= 0) receive(index, now);
}

bool EchoClient::finish_connecting(Connection& connection) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(connection.descriptor, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) {
    fail(connection, std::string("connect: ") + std::strerror(error));
    return false;
  }
  connection.connecting = false;
  --connecting_;
  return true;
}

void EchoClient::start_request(std::size_t index, Clock::time_point now) {
  Connection& connection = connections_[index];
  connection.sent = 0;
  connection.received = 0;
  connection.waiting = true;
  connection.started = now;
  ++waiting_;
  send_rest(index);
}

void EchoClient::send_rest(std::size_t index) {
  Connection& connection = connections_[index];
  while (connection.sent < payload_.size()) {
    const ssize_t result = send(connection.descriptor, expected(index) + connection.sent,
                                payload_.size() - connection.sent, MSG_NOSIGNAL);
    if (result < 0 && errno == EAGAIN) return;
    if (result < 0) return fail(connection, std::string("send: ") + std::strerror(errno));
    connection.sent += static_cast<std::size_t>(result);
  }
}

// Reads no further than the answer: a byte too many is found in front of the next one.
void EchoClient::receive(std::size_t index, Clock::time_point now) {
  Connection& connection = connections_[index];
  for (;;) {
    const std::size_t missing = connection.waiting ? payload_.size() - connection.received : 1;
    const std::size_t room = std::min(buffer_.size(), missing);
    const ssize_t result = recv(connection.descriptor, buffer_.data(), room, 0);
    if (result < 0 && errno == EAGAIN) return;
    if (result < 0) return fail(connection, std::string("recv: ") + std::strerror(errno));
    if (result == 0) return fail(connection, "closed by the server");
    if (!connection.waiting) return fail(connection, "data that nobody asked for");
    const auto length = static_cast<std::size_t>(result);
    if (std::memcmp(buffer_.data(), expected(index) + connection.received, length) != 0) {
      return fail(connection, "payload differs");
    }
    connection.received += length;
    if (connection.received == payload_.size()) break;
    if (length < room) return;  // drained; more to come makes an event of its own
  }
  const auto latency =
      std::chrono::duration_cast<std::chrono::nanoseconds>(now - connection.started);
  latencies_.record(static_cast<std::uint64_t>(latency.count()));
  connection.waiting = false;
  --waiting_;
  ++connection.sequence;
  if (!draining_) start_request(index, Clock::now());
}

void EchoClient::fail(Connection& connection, const std::string& kind) {
  ++errors_[kind];
  if (connection.connecting) --connecting_;
  if (connection.waiting) --waiting_;
  if (connection.descriptor >= 0) close(connection.descriptor);
  connection.connecting = false;
  connection.waiting = false;
  connection.descriptor = -1;
  --open_;
}

const char* EchoClient::expected(std::size_t index) const {
  return payload_.request(index, connections_[index].sequence);
}

}  // namespace bench
