#include "request_load.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <utility>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// user_data is the connection's address; its lowest bit says that this is a send.
constexpr std::uint64_t kSend = 1;

constexpr std::size_t kLongestReceive = std::size_t{256} << 10;

}  // namespace

RequestLoad::RequestLoad(Transport transport, std::size_t connections, MakeConversation make)
    : transport_(transport), connections_(connections), make_(std::move(make)) {}

RequestLoad::~RequestLoad() {
  for (auto& server : servers_) {
    for (auto& connection : server.connections) {
      if (connection.descriptor >= 0) close(connection.descriptor);
    }
  }
}

void RequestLoad::add_server(const std::string& name, std::uint16_t port) {
  servers_.push_back({name, std::vector<Connection>(connections_), add_latencies()});
  for (auto& connection : servers_.back().connections) {
    connection.descriptor = connect_to(name, port, transport_);
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
    ring_.wait(server.name, waiting);
    const auto now = Clock::now();
    const bool more = now - start < length;
    ring_.each([&](std::uint64_t data, int result) {
      auto& connection = *reinterpret_cast<Connection*>(data & ~kSend);
      if (data & kSend) {  // it failed; its receive ends and is counted
        shutdown(connection.descriptor, SHUT_RDWR);
      } else if (on_received(server, connection, result, more, now, turn)) {
        --waiting;
      }
    });
  }
  turn.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return turn;
}

void RequestLoad::ask(Connection& connection, Time now) {
  connection.started = now;
  const std::string_view request = connection.conversation->request();
  io_uring_sqe* sqe = ring_.next();
  io_uring_prep_send(sqe, connection.descriptor, request.data(), request.size(),
                     MSG_WAITALL | MSG_NOSIGNAL);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;  // the answer says that it was sent
  sqe->user_data = reinterpret_cast<std::uintptr_t>(&connection) | kSend;
  receive(connection, true);
}

void RequestLoad::receive(Connection& connection, bool is_first) {
  io_uring_sqe* sqe = ring_.next();
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
      server.latencies->record(static_cast<std::uint64_t>(took.count()));
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

}  // namespace bench
