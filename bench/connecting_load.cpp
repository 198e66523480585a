#include "connecting_load.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <system_error>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

std::system_error failure(int error, const char* what) {
  return {error, std::generic_category(), what};
}

/// A closed connection keeps its two addresses for a minute: each of these many source addresses
/// has ports of its own.
constexpr std::uint64_t kSources = 200;

int new_socket(std::uint64_t number) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) throw failure(errno, "socket");
  const int one = 1;
  setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  const Endpoint source = to_endpoint("127.0.0." + std::to_string(number % kSources + 1), 0);
  if (bind(descriptor, source.get(), source.length) < 0) {
    const int error = errno;
    close(descriptor);
    throw failure(error, "bind");
  }
  return descriptor;
}

}  // namespace

ConnectingLoad::ConnectingLoad(std::size_t connections, std::size_t size)
    : payload_(size), connections_(connections) {
  for (auto& connection : connections_) connection.answer.resize(size);
}

ConnectingLoad::~ConnectingLoad() {
  for (const auto& connection : connections_) {
    if (connection.descriptor >= 0) close(connection.descriptor);
  }
}

void ConnectingLoad::add_server(const std::string& name, std::uint16_t port) {
  servers_.push_back({name, to_endpoint("127.0.0.1", port), add_latencies()});
}

Turn ConnectingLoad::turn(std::size_t index, std::chrono::nanoseconds length) {
  Server& server = servers_.at(index);
  Turn turn;
  std::size_t waiting = connections_.size();
  const auto start = Clock::now();
  for (auto& connection : connections_) open(server, connection, start);
  while (waiting > 0) {
    ring_.wait(server.name, waiting);
    const auto now = Clock::now();
    ring_.each([&](std::uint64_t data, int result) {
      auto& connection = *reinterpret_cast<Connection*>(data);
      if (advance(connection, result)) return;
      if (result == 0 && connection.step == Step::end) {
        ++turn.requests;
        const auto took = std::chrono::nanoseconds(now - connection.started);
        server.latencies->record(static_cast<std::uint64_t>(took.count()));
      } else {
        ++turn.errors;
      }
      close(connection.descriptor);
      connection.descriptor = -1;
      if (now - start < length) {
        open(server, connection, now);
      } else {
        --waiting;
      }
    });
  }
  turn.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return turn;
}

void ConnectingLoad::open(const Server& server, Connection& connection, Time now) {
  connection.descriptor = new_socket(sequence_);
  connection.step = Step::connect;
  connection.request = payload_.request(0, sequence_++);
  connection.received = 0;
  connection.started = now;
  io_uring_sqe* const sqe = ring_.next();
  io_uring_prep_connect(sqe, connection.descriptor, server.endpoint.get(), server.endpoint.length);
  sqe->user_data = reinterpret_cast<std::uintptr_t>(&connection);
}

void ConnectingLoad::receive(Connection& connection) {
  io_uring_sqe* const sqe = ring_.next();
  // One byte more than is due once all is there: what comes then has to be the end.
  const std::size_t due = payload_.size() - connection.received;
  io_uring_prep_recv(sqe, connection.descriptor,
                     connection.answer.data() + connection.received % payload_.size(),
                     due > 0 ? due : 1, 0);
  sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
  sqe->user_data = reinterpret_cast<std::uintptr_t>(&connection);
}

/// Does what follows the step that has this result. False when nothing does.
bool ConnectingLoad::advance(Connection& connection, int result) {
  if (connection.step == Step::connect) {
    if (result < 0) return false;
    // Into an empty socket buffer: it takes all of a small request at once.
    const auto size = static_cast<ssize_t>(payload_.size());
    if (::send(connection.descriptor, connection.request, payload_.size(), MSG_NOSIGNAL) != size) {
      return false;
    }
    connection.step = Step::echo;
  } else if (connection.step == Step::echo) {
    if (result <= 0) return false;
    connection.received += static_cast<std::size_t>(result);
    if (connection.received == payload_.size()) {
      if (std::memcmp(connection.answer.data(), connection.request, payload_.size()) != 0) {
        return false;
      }
      shutdown(connection.descriptor, SHUT_WR);
      connection.step = Step::end;
    }
  } else {
    return false;
  }
  receive(connection);
  return true;
}

}  // namespace bench
