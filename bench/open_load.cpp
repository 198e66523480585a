// Epoll on a thread that does not sleep while requests have yet to come: a timer would wake it some
// microseconds late, which is what a server takes for all of its work.
#include "open_load.hpp"

#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <system_error>

#include "arguments.hpp"

namespace bench {
namespace {

constexpr std::chrono::seconds kPatience{5};  // with an answer
constexpr std::chrono::seconds kBehind{1};    // how far a server may be

std::system_error failure(const std::string& what) {
  return {errno, std::generic_category(), what};
}

void record(Histogram& histogram, std::chrono::nanoseconds time) {
  histogram.record(static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0)));
}

}  // namespace

OpenLoad::OpenLoad(const std::string& name, std::uint16_t port, std::size_t connections,
                   std::size_t size)
    : name_(name), payload_(size), connections_(connections), buffer_(65536) {
  epoll_.number = epoll_create1(EPOLL_CLOEXEC);
  if (!epoll_.is_open()) throw failure("epoll_create1");
  for (std::size_t index = 0; index < connections; ++index) connect(index, port);
}

void OpenLoad::connect(std::size_t index, std::uint16_t port) {
  Descriptor& socket = connections_[index].socket;
  const Endpoint server = to_endpoint("127.0.0.1", port);
  socket.number = ::socket(server.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLET;
  event.data.u64 = index;
  if (!socket.is_open() || ::connect(socket.number, server.get(), server.length) < 0 ||
      setsockopt(socket.number, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0 ||
      epoll_ctl(epoll_.number, EPOLL_CTL_ADD, socket.number, &event) < 0) {
    throw failure("cannot connect to " + name_ + " at 127.0.0.1:" + std::to_string(port));
  }
  ++open_;
  free_.push_back(index);
}

OpenTurn OpenLoad::at_rate(double rate, std::chrono::nanoseconds length) {
  const double seconds = std::chrono::duration<double>(length).count();
  const auto total = static_cast<std::uint64_t>(std::llround(rate * seconds));
  return run(std::chrono::duration<double, std::nano>(1e9 / rate), total, length + kBehind);
}

OpenTurn OpenLoad::flat_out(std::chrono::nanoseconds length) {
  OpenTurn turn = run({}, std::numeric_limits<std::uint64_t>::max(), length);
  turn.unsent = 0;
  return turn;
}

OpenTurn OpenLoad::run(std::chrono::duration<double, std::nano> interval, std::uint64_t total,
                       std::chrono::nanoseconds limit) {
  OpenTurn turn;
  const auto start = Clock::now();
  auto moved = start;
  for (std::uint64_t next = 0;;) {
    const auto now = Clock::now();
    if (now - start >= limit && next < total) {
      turn.unsent = total - next;
      total = next;
    }
    while (next < total && !free_.empty()) {
      auto due = now;
      if (interval.count() > 0) {
        due = start + std::chrono::duration_cast<std::chrono::nanoseconds>(
                          interval * static_cast<double>(next));
      }
      if (due > now) break;
      start_request(due, turn);
      ++next;
    }
    if (next == total && waiting_ == 0) break;
    if (take_answers(turn)) {
      moved = now;
    } else {
      sched_yield();  // to the server, should they share a processor
      if (waiting_ == 0) moved = now;
      if (now - moved > kPatience) throw std::runtime_error(name_ + ": no answer for 5 seconds");
    }
    if (open_ == 0) throw std::runtime_error(name_ + ": no connection is left");
  }
  turn.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return turn;
}

void OpenLoad::start_request(Clock::time_point due, OpenTurn& turn) {
  const std::size_t index = free_.front();
  free_.pop_front();
  Connection& connection = connections_[index];
  record(turn.late, Clock::now() - std::max(due, connection.free_since));
  connection.due = due;
  connection.request = payload_.request(index, sequence_++);
  connection.sent = 0;
  connection.received = 0;
  connection.waiting = true;
  ++waiting_;
  send_rest(index, turn);
}

void OpenLoad::send_rest(std::size_t index, OpenTurn& turn) {
  Connection& connection = connections_[index];
  const std::size_t left = payload_.size() - connection.sent;
  if (left == 0) return;
  const ssize_t sent = send(connection.socket.number, connection.request + connection.sent, left,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0) {
    connection.sent += static_cast<std::size_t>(sent);
  } else if (errno != EAGAIN && errno != EINTR) {
    fail(index, turn);
  }
}

/// False when there was nothing.
bool OpenLoad::take_answers(OpenTurn& turn) {
  epoll_event events[64];
  const int ready = epoll_wait(epoll_.number, events, 64, 0);
  if (ready < 0 && errno != EINTR) throw failure("epoll_wait");
  for (int i = 0; i < ready; ++i) {
    const std::size_t index = events[i].data.u64;
    if (connections_[index].waiting) send_rest(index, turn);
    if (connections_[index].socket.is_open()) receive(index, turn);
  }
  return ready > 0;
}

void OpenLoad::receive(std::size_t index, OpenTurn& turn) {
  Connection& connection = connections_[index];
  for (;;) {
    const ssize_t result =
        recv(connection.socket.number, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (result < 0 && errno == EINTR) continue;
    if (result < 0 && errno == EAGAIN) return;
    const auto length = static_cast<std::size_t>(std::max<ssize_t>(result, 0));
    const bool wanted = connection.waiting && length <= connection.sent - connection.received;
    if (result <= 0 || !wanted ||
        std::memcmp(buffer_.data(), connection.request + connection.received, length) != 0) {
      return fail(index, turn);
    }
    connection.received += length;
    if (connection.received == payload_.size()) {
      connection.free_since = Clock::now();
      record(turn.latencies, connection.free_since - connection.due);
      connection.waiting = false;
      --waiting_;
      free_.push_back(index);
    }
    if (length < buffer_.size()) return;  // what comes later is a new event
  }
}

void OpenLoad::fail(std::size_t index, OpenTurn& turn) {
  Connection& connection = connections_[index];
  ++turn.errors;
  if (connection.waiting) {
    --waiting_;
  } else {
    free_.erase(std::find(free_.begin(), free_.end(), index));
  }
  connection.waiting = false;
  connection.socket.reset();
  --open_;
}

}  // namespace bench
