// What the programs of `compare connect` have in common: the command line, what they send, and what
// they print. Each keeps kAtOnce connections going until all are done.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "arguments.hpp"

namespace bench {

class ConnectLoad {
 public:
  static constexpr std::size_t kAtOnce = 20;
  static constexpr std::size_t kSize = 64;

  /// -p PORT -n CONNECTIONS; -V prints the version and ends the program.
  ConnectLoad(int argc, char** argv, const char* version) {
    for (int option; (option = getopt(argc, argv, "p:n:b:V")) != -1;) {
      if (option == 'p') {
        port_ = static_cast<std::uint16_t>(to_number("port", optarg, 1, 65535));
      } else if (option == 'n') {
        left_ = count_ = to_number("connections", optarg, 1, 1000000000);
      } else if (option == 'V') {
        std::puts(version);
        std::exit(0);
      } else if (option != 'b') {
        std::exit(64);
      }
    }
    for (std::size_t i = 0; i < kSize; ++i) message_[i] = static_cast<char>(i * 41 + 7);
    before_ = cpu_us();
  }

  std::uint16_t port() const { return port_; }
  const char* message() const { return message_; }

  sockaddr_in address() const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  /// Whether one more connection is to be made; counts it.
  bool next() { return left_ > 0 && left_-- > 0; }

  /// Compares bytes of an answer with those of the message from `offset` on. One that differs makes
  /// report() fail.
  void compare(const void* bytes, std::size_t length, std::size_t offset) {
    if (length > kSize - offset || std::memcmp(message_ + offset, bytes, length) != 0) ++wrong_;
  }

  /// A connection that answered with kSize bytes is about to be closed: it is reset, so that its
  /// port is free at once.
  void done(int descriptor) {
    const linger at_once{1, 0};
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ++done_;
  }

  /// Prints what it cost. Returns the exit status.
  int report() const {
    if (done_ != count_) {
      std::fprintf(stderr, "%zu of %zu connections were echoed to\n", done_, count_);
      return 1;
    }
    if (wrong_ != 0) {
      std::fprintf(stderr, "%zu answers had wrong bytes\n", wrong_);
      return 1;
    }
    std::printf("CPU us per connection %.3f\n", (cpu_us() - before_) / static_cast<double>(count_));
    return 0;
  }

 private:
  static double cpu_us() {
    timespec used{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) * 1e6 + static_cast<double>(used.tv_nsec) / 1e3;
  }

  std::uint16_t port_ = 0;
  std::size_t count_ = 1000;
  std::size_t left_ = 1000;
  std::size_t done_ = 0;
  std::size_t wrong_ = 0;
  double before_ = 0;
  char message_[kSize];
};

}  // namespace bench
