// What the floors and the peers share: the command line, and of the floors a listening socket.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace floor_server {

[[noreturn]] inline void die(const char* what, int error) {
  std::fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, std::strerror(error));
  std::exit(1);
}

/// The number that `text` is; ends the program, naming `what`, when it is none in that range.
inline unsigned long number(const char* what, const char* text, unsigned long low,
                            unsigned long high) {
  char* end = nullptr;
  const unsigned long value = std::strtoul(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || value < low || value > high) {
    std::fprintf(stderr, "%s: %s '%s' is not a number from %lu to %lu\n",
                 program_invocation_short_name, what, text, low, high);
    std::exit(EX_USAGE);
  }
  return value;
}

struct Arguments {
  std::uint16_t port = 8080;  ///< 0 lets the kernel choose
  bool sink = false;          ///< takes messages of kMessage bytes, answers each with one byte
};

/// `version` is of the library that the program uses, which -V prints; nothing for none.
inline Arguments to_arguments(int argc, char** argv, const char* version = "") {
  Arguments arguments;
  for (int option; (option = getopt(argc, argv, "p:shV")) != -1;) {
    switch (option) {
      case 'p':
        arguments.port = static_cast<std::uint16_t>(number("port", optarg, 0, 65535));
        break;
      case 's':
        arguments.sink = true;
        break;
      case 'V':
        std::puts(version);
        std::exit(0);
      default:
        std::fprintf(stderr,
                     "usage: %s [-p port] [-s] [-V]\nEchoes TCP on 127.0.0.1 (port 8080); with -s "
                     "answers every MiB with one byte; -V prints a library's version.\n",
                     argv[0]);
        std::exit(option == 'h' ? 0 : EX_USAGE);
    }
  }
  return arguments;
}

/// How many of the bytes that have come on one connection go back.
class Answer {
 public:
  static constexpr std::size_t kMessage = std::size_t{1} << 20;

  explicit Answer(bool sink = false) : sink_(sink) {}

  std::size_t length(std::size_t received) {
    if (!sink_) return received;
    unanswered_ += received;
    const std::size_t messages = unanswered_ / kMessage;
    unanswered_ %= kMessage;
    return messages;
  }

 private:
  bool sink_;
  std::size_t unanswered_ = 0;
};

/// A TCP socket that listens on 127.0.0.1; says where on stdout. Ends the program when it cannot.
inline int listen_on_loopback(std::uint16_t port, int socket_flags) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | socket_flags, 0);
  if (listener < 0) die("socket", errno);
  const int one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);

  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  if (bind(listener, generic, length) < 0 || listen(listener, 4096) < 0) {
    char what[64];
    std::snprintf(what, sizeof what, "cannot listen on 127.0.0.1:%u", unsigned{port});
    die(what, errno);
  }
  getsockname(listener, generic, &length);
  std::printf("listening on 127.0.0.1:%u\n", unsigned{ntohs(address.sin_port)});
  std::fflush(stdout);
  return listener;
}

/// How many descriptors there can be, for tables by descriptor.
inline std::size_t descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return std::min<rlim_t>(limit.rlim_cur, 1U << 20);
}

inline void no_delay(int socket) {
  const int one = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/// Errors of accept that concern one peer only; after any other the floor cannot go on.
inline bool is_peers_fault(int accept_error) {
  return accept_error == ECONNABORTED || accept_error == EINTR || accept_error == EPROTO;
}

}  // namespace floor_server
