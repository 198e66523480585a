// The load of `compare tcp` and `compare bulk`: cheap enough that one core of it can keep a bare
// loop on the other core busy.
#include "paired_load.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// user_data is the connection's address; its lowest bit says that this is a send.
constexpr std::uint64_t kSend = 1;

constexpr std::size_t kLongestReceive = 65536;

}  // namespace

PairedLoad::PairedLoad(const Traffic& traffic)
    : traffic_(traffic),
      answer_(traffic.sink ? 1 : traffic.size),
      payload_(traffic.size * traffic.pipeline) {}

PairedLoad::~PairedLoad() {
  for (auto& server : servers_) {
    for (auto& connection : server.connections) {
      if (connection.descriptor >= 0) close(connection.descriptor);
    }
  }
}

void PairedLoad::add_server(const std::string& name, std::uint16_t port) {
  servers_.push_back({name, std::vector<Connection>(traffic_.connections), add_latencies()});
  for (auto& connection : servers_.back().connections) {
    connection.descriptor = connect_to(name, port, Transport::tcp);
    connection.started.resize(traffic_.pipeline);
    connection.buffer.resize(std::min(answer_ * traffic_.pipeline, kLongestReceive));
  }
}

Turn PairedLoad::turn(std::size_t index, std::chrono::nanoseconds length) {
  Server& server = servers_.at(index);
  Turn turn;
  std::size_t waiting = 0;
  const auto start = Clock::now();
  for (auto& connection : server.connections) {
    if (connection.descriptor < 0) continue;
    ask(connection, traffic_.pipeline, start);
    receive(connection);
    ++waiting;
  }
  while (waiting > 0) {
    ring_.wait(server.name, waiting);
    const auto now = Clock::now();
    const bool more = now - start < length;
    ring_.each([&](std::uint64_t data, int result) {
      auto& connection = *reinterpret_cast<Connection*>(data & ~kSend);
      if (data & kSend) {
        on_sent(connection, result);
      } else if (on_received(server, connection, result, more, now, turn)) {
        --waiting;
      }
    });
  }
  turn.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return turn;
}

void PairedLoad::ask(Connection& connection, std::uint64_t requests, Time now) {
  for (std::uint64_t i = 0; i < requests; ++i) {
    connection.started[connection.asked++ % traffic_.pipeline] = now;
  }
  if (!connection.sending) send(connection);
}

/// All that was asked and not sent. Two sends on one socket could overtake each other: with a
/// pipeline each is waited for. Without one the answer says that the send has ended, and no
/// completion is needed but that of a failure.
void PairedLoad::send(Connection& connection) {
  const std::uint64_t length = connection.asked * traffic_.size - connection.sent;
  io_uring_sqe* sqe = ring_.next();
  io_uring_prep_send(sqe, connection.descriptor, payload_.at(connection.sent), length,
                     MSG_WAITALL | MSG_NOSIGNAL);
  if (traffic_.pipeline == 1) {
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  } else {
    connection.sending = true;
  }
  sqe->user_data = reinterpret_cast<std::uintptr_t>(&connection) | kSend;
  connection.sent += length;
}

void PairedLoad::on_sent(Connection& connection, int result) {
  connection.sending = false;
  if (connection.descriptor < 0) return;
  if (result < 0) {
    shutdown(connection.descriptor, SHUT_RDWR);  // so that its receive ends and is counted
  } else if (connection.sent < connection.asked * traffic_.size) {
    send(connection);
  }
}

void PairedLoad::receive(Connection& connection) {
  const std::uint64_t due = connection.asked * answer_ - connection.received;
  io_uring_sqe* sqe = ring_.next();
  io_uring_prep_recv(sqe, connection.descriptor, connection.buffer.data(),
                     std::min<std::size_t>(due, connection.buffer.size()), 0);
  sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
  sqe->user_data = reinterpret_cast<std::uintptr_t>(&connection);
}

/// True when nothing is on its way on this connection any more.
bool PairedLoad::on_received(Server& server, Connection& connection, int result, bool more,
                             Time now, Turn& turn) {
  const auto length = static_cast<std::size_t>(std::max(result, 0));
  const bool right = traffic_.sink || std::memcmp(connection.buffer.data(),
                                                  payload_.at(connection.received), length) == 0;
  if (result <= 0 || !right) {
    fail(connection, turn);
    return true;
  }
  connection.received += length;
  const std::uint64_t before = connection.answered;
  while (connection.received >= (connection.answered + 1) * answer_) {
    const auto took = now - connection.started[connection.answered++ % traffic_.pipeline];
    server.latencies->record(static_cast<std::uint64_t>(std::chrono::nanoseconds(took).count()));
  }
  turn.requests += connection.answered - before;
  if (more && connection.answered > before) ask(connection, connection.answered - before, now);
  if (connection.received == connection.asked * answer_) return true;
  receive(connection);
  return false;
}

void PairedLoad::fail(Connection& connection, Turn& turn) {
  ++turn.errors;
  close(connection.descriptor);
  connection.descriptor = -1;
}

}  // namespace bench
