#include "connecting_load.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
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
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
  params.cq_entries = 65536;
  const int error = io_uring_queue_init_params(8192, &ring_, &params);
  if (error < 0) throw failure(-error, "the load needs io_uring");
  for (auto& connection : connections_) connection.answer.resize(size);
}

ConnectingLoad::~ConnectingLoad() {
  for (const auto& connection : connections_) {
    if (connection.descriptor >= 0) close(connection.descriptor);
  }
  io_uring_queue_exit(&ring_);
}

void ConnectingLoad::add_server(const std::string& name, std::uint16_t port) {
  servers_.push_back({name, to_endpoint("127.0.0.1", port), {}});
}

Turn ConnectingLoad::turn(std::size_t index, std::chrono::nanoseconds length) {
  Server& server = servers_.at(index);
  Turn turn;
  std::size_t waiting = connections_.size();
  const auto start = Clock::now();
  for (auto& connection : connections_) open(server, connection, start);
  while (waiting > 0) {
    wait(server);
    const auto now = Clock::now();
    io_uring_cqe* completion = nullptr;
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_for_each_cqe(&ring_, head, completion) {
      ++seen;
      auto& connection = *reinterpret_cast<Connection*>(completion->user_data);
      const int result = completion->res;
      if (advance(connection, result)) continue;
      if (result == 0 && connection.step == Step::end) {
        ++turn.requests;
        const auto took = std::chrono::nanoseconds(now - connection.started);
        server.latencies.record(static_cast<std::uint64_t>(took.count()));
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
    }
    io_uring_cq_advance(&ring_, seen);
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
  io_uring_sqe* const sqe = io_uring_get_sqe(&ring_);
  io_uring_prep_connect(sqe, connection.descriptor, server.endpoint.get(), server.endpoint.length);
  sqe->user_data = reinterpret_cast<std::uintptr_t>(&connection);
}

void ConnectingLoad::receive(Connection& connection) {
  io_uring_sqe* const sqe = io_uring_get_sqe(&ring_);
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

void ConnectingLoad::wait(const Server& server) {
  __kernel_timespec limit{5, 0};
  io_uring_cqe* completion = nullptr;
  const int result = io_uring_submit_and_wait_timeout(&ring_, &completion, 1, &limit, nullptr);
  if (result == -ETIME) throw std::runtime_error(server.name + ": nothing moved for 5 seconds");
  if (result < 0 && result != -EINTR && result != -EBUSY) throw failure(-result, "io_uring_enter");
}

}  // namespace bench
