// What the tools that serve share: listening, saying where, and winding up when told to end.
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include "tool.hpp"

namespace tool {

/// SIGINT or SIGTERM: the server drains; a second one ends the program at once.
class Interrupt final : public proa::SignalHandler {
 public:
  Interrupt(proa::Proactor& proactor, proa::ServerBase& server, proa::Duration deadline)
      : SignalHandler(proactor), server_(server), deadline_(deadline) {}

 private:
  void on_signal(int, std::uint64_t count) override {
    if (draining_ || count > 1) return proactor().stop();
    draining_ = true;
    server_.drain(deadline_);
  }

  proa::ServerBase& server_;
  proa::Duration deadline_;
  bool draining_ = false;
};

/// As many connections as the system lets this process have.
inline void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Listens, says where, and runs until it is told to end; the exit status.
inline int serve(proa::Proactor& proactor, proa::ServerBase& server,
                 const std::vector<std::string>& addresses, proa::Duration deadline) {
  raise_descriptor_limit();
  server.set_error_callback([](const proa::Address& where, std::error_code error) {
    complain(where.to_string() + ": " + error.message());
  });
  Interrupt interrupt(proactor, server, deadline);
  std::string detail;
  for (const int signal : {SIGINT, SIGTERM}) {
    if (interrupt.start(signal, &detail)) die(detail);
  }

  std::vector<BoundPath> paths;
  int status = 0;
  for (const std::string& address : addresses) {
    if (const std::error_code error = server.listen(address, &detail)) {
      complain(detail);
      status = failure;
      break;
    }
    paths.emplace_back(server.addresses().back());
  }
  if (status == 0) {
    for (const proa::Address& address : server.addresses()) {
      std::printf("listening on %s (%s)\n", address.to_string().c_str(),
                  proactor.backend().name.c_str());
    }
    std::fflush(stdout);
    proactor.run();
  }
  proactor.shutdown(std::chrono::seconds(1));
  return status;
}

}  // namespace tool
