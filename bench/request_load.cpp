// Like PairedLoad, io_uring: one system call sends and receives for all connections that are ready.
#include "request_load.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <system_error>
#include <utility>

#include "arguments.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// user_data is the connection's address; its lowest bit says that this is a send.
constexpr std::uint64_t kSend = 1;

constexpr std::size_t kLongestReceive = std::size_t{256} << 10;

std::system_error failure(int error, const std::string& what) {
  return {error, std::generic_category(), what};
}

}  // namespace

RequestLoad::RequestLoad(Transport transport, std::size_t connections, MakeConversation make)
    : transport_(transport), connections_(connections), make_(std::move(make)) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  const int error = io_uring_queue_init_params(4096, &ring_, &params);
  if (error < 0) throw failure(-error, "the load needs io_uring");
  io_uring_register_ring_fd(&ring_);
}

RequestLoad::~RequestLoad() {
  for (auto& server : servers_) {
    for (auto& connection : server.connections) {
      if (connection.descriptor >= 0) close(connection.descriptor);
    }
  }
  io_uring_queue_exit(&ring_);
}

void RequestLoad::add_server(const std::string& name, std::uint16_t port) {
  const Endpoint address = to_endpoint("127.0.0.1", port);
  servers_.push_back({name, std::vector<Connection>(connections_), {}});
  for (auto& connection : servers_.back().connections) {
    const int type = transport_ == Transport::tcp ? SOCK_STREAM : SOCK_DGRAM;
    connection.descriptor = socket(address.family(), type | SOCK_CLOEXEC, 0);
    if (connection.descriptor < 0) throw failure(errno, "socket");
    const int one = 1;
    if (transport_ == Transport::tcp) {
      setsockopt(connection.descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    if (connect(connection.descriptor, address.get(), address.length) < 0) {
      throw failure(errno, "cannot connect to " + name + " at 127.0.0.1:" + std::to_string(port));
    }
    connection.conversation = make_();
    connection.buffer.resize(kLongestReceive);
  }
}

Turn RequestLoad::turn(std::size_t index, std::chrono::nanoseconds length) {
  Server& server = servers_.at(index);
  Turn turn;
  std::size_t waiting = 0;
  const auto start = Clock::now();
  for (auto& connection : server.connections) {
    if (connection.descriptor < 0) continue;
    ask(connection, start);
    ++waiting;
  }
  while (waiting > 0) {
    wait(server, waiting);
    const auto now = Clock::now();
    const bool more = now - start < length;
    io_uring_cqe* completion = nullptr;
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_for_each_cqe(&ring_, head, completion) {
      ++seen;
      auto& connection = *reinterpret_cast<Connection*>(completion->user_data & ~kSend);
      if (completion->user_data & kSend) {  // it failed; its receive ends and is counted
        shutdown(connection.descriptor, SHUT_RDWR);
      } else if (on_received(server, connection, completion->res, more, now, turn)) {
        --waiting;
      }
    }
    io_uring_cq_advance(&ring_, seen);
  }
  turn.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return turn;
}

io_uring_sqe* RequestLoad::next_sqe() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  while (sqe == nullptr) {
    io_uring_submit(&ring_);
    sqe = io_uring_get_sqe(&ring_);
  }
  return sqe;
}

void RequestLoad::ask(Connection& connection, Time now) {
  connection.started = now;
  const std::string_view request = connection.conversation->request();
  io_uring_sqe* sqe = next_sqe();
  io_uring_prep_send(sqe, connection.descriptor, request.data(), request.size(),
                     MSG_WAITALL | MSG_NOSIGNAL);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;  // the answer says that it was sent
  sqe->user_data = reinterpret_cast<std::uintptr_t>(&connection) | kSend;
  receive(connection, true);
}

void RequestLoad::receive(Connection& connection, bool is_first) {
  io_uring_sqe* sqe = next_sqe();
  io_uring_prep_recv(sqe, connection.descriptor, connection.buffer.data(), connection.buffer.size(),
                     0);
  if (is_first) sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
  sqe->user_data = reinterpret_cast<std::uintptr_t>(&connection);
}

/// True when nothing is on its way on this connection any more.
bool RequestLoad::on_received(Server& server, Connection& connection, int result, bool more,
                              Time now, Turn& turn) {
  auto answer = Conversation::Answer::wrong;
  if (result > 0) {
    answer = connection.conversation->receive(
        {connection.buffer.data(), static_cast<std::size_t>(result)});
  }
  switch (answer) {
    case Conversation::Answer::incomplete:
      receive(connection, false);
      return false;
    case Conversation::Answer::right: {
      ++turn.requests;
      const auto took = std::chrono::nanoseconds(now - connection.started);
      server.latencies.record(static_cast<std::uint64_t>(took.count()));
      if (more) ask(connection, now);
      return !more;
    }
    case Conversation::Answer::wrong:
      break;
  }
  ++turn.errors;
  close(connection.descriptor);
  connection.descriptor = -1;
  return true;
}

void RequestLoad::wait(const Server& server, std::size_t waiting) {
  __kernel_timespec limit{5, 0};
  io_uring_cqe* completion = nullptr;
  const int result = io_uring_submit_and_wait_timeout(&ring_, &completion, 1, &limit, nullptr);
  if (result == -ETIME) {
    throw std::runtime_error(server.name + ": no answer for 5 seconds, " + std::to_string(waiting) +
                             " requests are on their way");
  }
  if (result < 0 && result != -EINTR && result != -EBUSY) throw failure(-result, "io_uring_enter");
}

}  // namespace bench
