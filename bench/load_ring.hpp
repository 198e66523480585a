// The io_uring of a load, with completions made in the wait: one system call sends and receives for
// all connections that are ready.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "process.hpp"

namespace bench {

class LoadRing {
 public:
  /// Throws std::system_error.
  LoadRing();
  /// Ends what is on its way: whatever the kernel may write to has to live longer.
  ~LoadRing() { io_uring_queue_exit(&ring_); }
  LoadRing(const LoadRing&) = delete;
  LoadRing& operator=(const LoadRing&) = delete;

  /// The next entry to fill in. When the ring is full, what is in it is submitted first.
  io_uring_sqe* next();
  /// Submits, and waits for a completion. Throws std::runtime_error, which names the server and how
  /// many requests are on their way, when none comes in 5 seconds.
  void wait(const std::string& server, std::size_t waiting);
  /// Calls take(user_data, result) for each completion that has come.
  template <class Take>
  void each(Take take) {
    io_uring_cqe* completion = nullptr;
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_for_each_cqe(&ring_, head, completion) {
      ++seen;
      take(completion->user_data, completion->res);
    }
    io_uring_cq_advance(&ring_, seen);
  }

 private:
  io_uring ring_{};
};

/// A socket that is connected to a server on 127.0.0.1; `name` is for messages. Throws
/// std::system_error.
int connect_to(const std::string& name, std::uint16_t port, Transport transport);

}  // namespace bench
