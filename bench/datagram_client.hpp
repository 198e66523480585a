// Many UDP sockets on one thread that keep a window of datagrams on their way to an echo server and
// compare what comes back. Each datagram carries its client and its number; one without answer
// for 50 ms is sent again and counted, and again after 100 ms, 200 ms and so on.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "datagram_shape.hpp"
#include "datagram_window.hpp"
#include "histogram.hpp"
#include "load.hpp"
#include "payload.hpp"

namespace bench {

class DatagramClient {
 public:
  using Clock = std::chrono::steady_clock;

  /// `name` is the server's, for messages. Throws std::system_error when a socket cannot be had.
  DatagramClient(std::string name, const Endpoint& server, const DatagramShape& shape);
  ~DatagramClient();
  DatagramClient(const DatagramClient&) = delete;
  DatagramClient& operator=(const DatagramClient&) = delete;

  /// Keeps the windows full until `length` has passed or there are no more messages; then waits for
  /// what is on its way, and for what comes late if something was sent again. Throws
  /// std::runtime_error when nothing comes back for 5 seconds.
  Turn run(std::chrono::nanoseconds length);

  std::uint64_t sent() const { return sent_; }  ///< so far, those that were sent again too
  /// What was sent again so far and not answered late. A server that was held up answers late,
  /// perhaps in the next run.
  std::uint64_t lost() const;
  /// Of all runs: from the first time that a datagram was sent to its answer, in ns.
  const Histogram& latencies() const { return latencies_; }
  const std::map<std::string, std::uint64_t>& errors_by_kind() const { return errors_; }

 private:
  static constexpr unsigned kBatch = 64;
  struct Client {
    int descriptor = -1;
    std::uint32_t number = 0;
    DatagramWindow window;
  };
  struct Control {
    alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(int))];
  };

  void open(Client& client, const Endpoint& server);
  void prepare_messages();
  void wait();
  void receive(Client& client, Clock::time_point now);
  void take(Client& client, unsigned index, Clock::time_point now);
  void answered(Client& client, const char* bytes, std::size_t length, Clock::time_point now);
  void fill(Client& client, Clock::time_point now);
  void send_again(Client& client, Clock::time_point now);
  void write(const Client& client, std::uint64_t number);
  void flush(const Client& client);
  void transmit(const Client& client, unsigned count);
  [[noreturn]] void give_up() const;
  void error(const std::string& kind) {
    ++errors_[kind];
    ++error_count_;
  }

  std::string name_;
  DatagramShape shape_;
  Payload payload_;
  std::vector<Client> clients_;
  int epoll_ = -1;
  bool sending_ = false;
  std::size_t in_flight_ = 0;  // of all clients
  std::uint64_t sent_ = 0;
  std::uint64_t echoed_ = 0;
  std::uint64_t error_count_ = 0;
  Clock::time_point last_answer_;
  Clock::time_point last_look_;  // for those that are overdue
  Histogram latencies_;
  std::map<std::string, std::uint64_t> errors_;

  // A batch of each direction. A message of `out_` is of one buffer, perhaps of several segments.
  std::size_t room_in_;
  std::size_t room_out_;
  std::vector<char> bytes_in_;
  std::vector<char> bytes_out_;
  mmsghdr in_[kBatch]{};
  mmsghdr out_[kBatch]{};
  iovec pieces_in_[kBatch]{};
  iovec pieces_out_[kBatch]{};
  Control controls_in_[kBatch]{};
  Control control_out_{};
  unsigned written_ = 0;  // messages of out_ that were begun
};

}  // namespace bench
