// The load of `compare tcp`: cheap enough that one core of it can keep a bare loop on the other
// core busy. io_uring with completions made in the wait: one system call sends and receives for all
// connections that are ready.
#include "paired_load.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <system_error>

#include "arguments.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// user_data is the connection's address; its lowest bit says that a send failed (those that succeed
// make no completion).
constexpr std::uint64_t kSendFailed = 1;

std::system_error failure(int error, const std::string& what) {
  return {error, std::generic_category(), what};
}

int connect_to(const std::string& name, std::uint16_t port) {
  const Endpoint server = to_endpoint("127.0.0.1", port);
  const int descriptor = socket(server.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) throw failure(errno, "socket");
  const int one = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(descriptor, server.get(), server.length) < 0) {
    const int error = errno;
    close(descriptor);
    throw failure(error, "cannot connect to " + name + " at 127.0.0.1:" + std::to_string(port));
  }
  return descriptor;
}

}  // namespace

PairedLoad::PairedLoad(std::size_t connections, std::size_t size)
    : payload_(size), connections_(connections) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
  params.cq_entries = 65536;
  const int error = io_uring_queue_init_params(8192, &ring_, &params);
  if (error < 0) throw failure(-error, "the load needs io_uring");
  io_uring_register_ring_fd(&ring_);
}

PairedLoad::~PairedLoad() {
  for (auto& server : servers_) {
    for (auto& connection : server.connections) {
      if (connection.descriptor >= 0) close(connection.descriptor);
    }
  }
  io_uring_queue_exit(&ring_);
}

void PairedLoad::add_server(const std::string& name, std::uint16_t port) {
  servers_.push_back({name, std::vector<Connection>(connections_)});
  for (auto& connection : servers_.back().connections) {
    connection.descriptor = connect_to(name, port);
    connection.answer.resize(payload_.size());
  }
}

Turn PairedLoad::turn(std::size_t index, std::chrono::nanoseconds length) {
  Server& server = servers_.at(index);
  Turn turn;
  std::size_t waiting = 0;
  const auto start = Clock::now();
  for (auto& connection : server.connections) {
    if (connection.descriptor < 0) continue;
    start_request(connection);
    ++waiting;
  }
  while (waiting > 0) {
    wait(server, waiting);
    const bool more = Clock::now() - start < length;
    io_uring_cqe* completion = nullptr;
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_for_each_cqe(&ring_, head, completion) {
      ++seen;
      auto& connection = *reinterpret_cast<Connection*>(completion->user_data & ~kSendFailed);
      if (completion->user_data & kSendFailed) {
        shutdown(connection.descriptor, SHUT_RDWR);  // so that its receive ends and is counted
      } else if (answered(connection, completion->res, turn)) {
        if (more && connection.descriptor >= 0) {
          start_request(connection);
        } else {
          --waiting;
        }
      }
    }
    io_uring_cq_advance(&ring_, seen);
  }
  turn.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return turn;
}

io_uring_sqe* PairedLoad::next_sqe() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  while (sqe == nullptr) {
    io_uring_submit(&ring_);
    sqe = io_uring_get_sqe(&ring_);
  }
  return sqe;
}

void PairedLoad::send(Connection& connection) {
  io_uring_sqe* sqe = next_sqe();
  io_uring_prep_send(sqe, connection.descriptor, connection.request, payload_.size(),
                     MSG_WAITALL | MSG_NOSIGNAL);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  sqe->user_data = reinterpret_cast<std::uintptr_t>(&connection) | kSendFailed;
}

void PairedLoad::receive(Connection& connection) {
  io_uring_sqe* sqe = next_sqe();
  io_uring_prep_recv(sqe, connection.descriptor, connection.answer.data() + connection.received,
                     payload_.size() - connection.received, 0);
  sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
  sqe->user_data = reinterpret_cast<std::uintptr_t>(&connection);
}

void PairedLoad::start_request(Connection& connection) {
  connection.received = 0;
  connection.request = payload_.request(0, sequence_++);
  send(connection);
  receive(connection);
}

void PairedLoad::wait(const Server& server, std::size_t waiting) {
  __kernel_timespec limit{5, 0};
  io_uring_cqe* completion = nullptr;
  const int result = io_uring_submit_and_wait_timeout(&ring_, &completion, 1, &limit, nullptr);
  if (result == -ETIME) {
    throw std::runtime_error(server.name + ": no answer for 5 seconds, " + std::to_string(waiting) +
                             " requests are on their way");
  }
  if (result < 0 && result != -EINTR && result != -EBUSY) throw failure(-result, "io_uring_enter");
}

/// Takes the result of a receive. True when nothing is on its way on this connection any more.
bool PairedLoad::answered(Connection& connection, int result, Turn& turn) {
  if (result <= 0) {
    fail(connection, turn);
    return true;
  }
  connection.received += static_cast<std::size_t>(result);
  if (connection.received < payload_.size()) {
    receive(connection);
    return false;
  }
  if (std::memcmp(connection.answer.data(), connection.request, payload_.size()) == 0) {
    ++turn.requests;
  } else {
    fail(connection, turn);
  }
  return true;
}

void PairedLoad::fail(Connection& connection, Turn& turn) {
  ++turn.errors;
  close(connection.descriptor);
  connection.descriptor = -1;
}

}  // namespace bench
