// A server under measurement: started, pinned, watched, read, and never left behind.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace bench {

/// The first two processors that this process may use: servers run on one, the load on the other.
/// Both are the same when there is only one.
struct Processors {
  int server = 0;
  int load = 0;
};
Processors choose_processors();

constexpr int kAnyProcessor = -1;

/// Moves the calling thread, and what it starts later, to one processor; kAnyProcessor: to all that
/// it had before the first call.
void pin_to(int processor);

/// What an echo server speaks.
enum class Transport { tcp, udp };

class ServerProcess {
 public:
  /// Starts `command` through the shell on that processor, with a free port of 127.0.0.1 in place
  /// of each %p, and waits until something listens there (tcp) or answers (udp). Throws
  /// std::runtime_error when it ends first or takes longer than 30 seconds.
  ServerProcess(const std::string& name, const std::string& command, Transport transport,
                int processor);

  /// Kills it. It is also killed when this process ends in any other way.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  /// Ends it with SIGTERM, so that it can finish what it writes, and waits. Meanwhile it gets
  /// connections: under valgrind a signal comes through only when io_uring_enter() has returned.
  /// Throws std::runtime_error when it takes longer than 30 seconds.
  void terminate();

  const std::string& name() const { return name_; }
  std::uint16_t port() const { return port_; }
  pid_t pid() const { return pid_; }

  /// Used so far, user and system, all threads, also those that have ended. Right to the nanosecond
  /// while it sleeps.
  std::chrono::nanoseconds cpu_time() const;

 private:
  std::string name_;
  Transport transport_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace bench
