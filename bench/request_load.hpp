// The load of `compare protocols`: connections, or connected datagram sockets, on each of which one
// request is on its way. What a request is, and a right answer, a Conversation knows. All
// connections to all servers stay open.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "load.hpp"
#include "load_ring.hpp"
#include "process.hpp"

namespace bench {

/// What the client says and expects on one connection.
class Conversation {
 public:
  enum class Answer : std::uint8_t { incomplete, right, wrong };

  virtual ~Conversation() = default;
  /// The next request. It stays where it is until its answer is there.
  virtual std::string_view request() = 0;
  /// What has come since, in pieces as they come; datagrams come whole.
  virtual Answer receive(std::string_view data) = 0;
};

class RequestLoad final : public TimedLoad {
 public:
  using MakeConversation = std::function<std::unique_ptr<Conversation>()>;

  /// Throws std::system_error when the ring cannot be made.
  RequestLoad(Transport transport, std::size_t connections, MakeConversation make);
  ~RequestLoad() override;
  RequestLoad(const RequestLoad&) = delete;
  RequestLoad& operator=(const RequestLoad&) = delete;

  void add_server(const std::string& name, std::uint16_t port) override;
  Turn turn(std::size_t server, std::chrono::nanoseconds length) override;

 private:
  using Time = std::chrono::steady_clock::time_point;

  struct Connection {
    int descriptor = -1;
    std::unique_ptr<Conversation> conversation;
    std::vector<char> buffer;
    Time started;
  };
  struct Server {
    std::string name;
    std::vector<Connection> connections;
    Histogram* latencies = nullptr;
  };

  void ask(Connection& connection, Time now);
  void receive(Connection& connection, bool is_first);
  bool on_received(Server& server, Connection& connection, int result, bool more, Time now,
                   Turn& turn);

  Transport transport_;
  std::size_t connections_;
  MakeConversation make_;
  std::vector<Server> servers_;
  LoadRing ring_;  // is destroyed before the buffers of the connections
};

}  // namespace bench
