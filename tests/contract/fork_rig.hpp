#pragma once

// What tests of fork(2) have in common. What a child finds comes back as its exit status.

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <functional>
#include <proa/address.hpp>
#include <proa/misuse.hpp>

#include "support/plain.hpp"
#include "support/world.hpp"

namespace proa_test {

/// A child of fork(2) that exits with what `life` returns. One that hangs is ended by SIGALRM.
class Child {
 public:
  explicit Child(const std::function<int()>& life) : process_(::fork()) {
    REQUIRE(process_ >= 0);
    if (process_ != 0) return;
    std::signal(SIGABRT, SIG_DFL);  // not for Catch to report
    ::alarm(120);
    proa::set_misuse_hook([](const char* what) {
      (void)std::fprintf(stderr, "in the child: %s\n", what);
      ::_exit(99);
    });
    ::_exit(life());
  }
  ~Child() {
    if (process_ > 0) wait();
  }
  pid_t process() const { return process_; }
  /// What waitpid(2) says of it.
  int wait() {
    int status = 0;
    ::waitpid(process_, &status, 0);
    process_ = -1;
    return status;
  }

 private:
  pid_t process_;
};

inline int status_of(const std::function<int()>& life) { return Child(life).wait(); }
inline bool good(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

/// A client that blocks.
class Client {
 public:
  explicit Client(const proa::Address& server) : socket_(plain_socket(AF_INET, SOCK_STREAM)) {
    connected_ = plain_connect(socket_, server);
  }
  Client(const Client&) = delete;
  ~Client() { ::close(socket_); }
  bool connected() const { return connected_; }
  void say(char one) const { (void)::send(socket_, &one, 1, MSG_NOSIGNAL); }
  /// What has come by now, at most one byte; 0 if nothing has.
  char hear(int flags = MSG_DONTWAIT) const {
    char one = 0;
    return ::recv(socket_, &one, 1, flags) == 1 ? one : '\0';
  }

 private:
  int socket_;
  bool connected_ = false;
};

}  // namespace proa_test
