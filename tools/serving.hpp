// What the tools that serve share: listening, saying where, and winding up when told to end.
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include "tool.hpp"

namespace tool {

/// What stands before an address that is for datagrams.
inline const std::string datagram_prefix = "udp:";

/// How a tool serves datagrams beside streams, if it does.
struct Datagrams {
  std::function<std::error_code(const proa::Address&, proa::Address& bound, std::string* detail)>
      bind;
  std::function<void(proa::Duration)> drain;
};

/// SIGINT or SIGTERM: the server drains; a second one ends the program at once.
class Interrupt final : public proa::SignalHandler {
 public:
  Interrupt(proa::Proactor& proactor, proa::ServerBase& server, proa::Duration deadline,
            const Datagrams& datagrams)
      : SignalHandler(proactor), server_(server), deadline_(deadline), datagrams_(datagrams) {}

 private:
  void on_signal(int, std::uint64_t count) override {
    if (draining_ || count > 1) return proactor().stop();
    draining_ = true;
    server_.drain(deadline_);
    if (datagrams_.drain) datagrams_.drain(deadline_);
  }

  proa::ServerBase& server_;
  proa::Duration deadline_;
  const Datagrams& datagrams_;
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
                 const std::vector<std::string>& addresses, proa::Duration deadline,
                 const Datagrams& datagrams = {}) {
  raise_descriptor_limit();
  server.set_error_callback([](const proa::Address& where, std::error_code error) {
    complain(where.to_string() + ": " + error.message());
  });
  Interrupt interrupt(proactor, server, deadline, datagrams);
  std::string detail;
  for (const int signal : {SIGINT, SIGTERM}) {
    if (interrupt.start(signal, &detail)) die(detail);
  }

  std::vector<BoundPath> paths;
  std::vector<std::string> names;
  int status = 0;
  for (const std::string& text : addresses) {
    const bool is_datagram =
        datagrams.bind && text.compare(0, datagram_prefix.size(), datagram_prefix) == 0;
    proa::Address bound;
    std::error_code error;
    if (is_datagram) {
      error = datagrams.bind(to_address(text.substr(datagram_prefix.size())), bound, &detail);
    } else if (!(error = server.listen(text, &detail))) {
      bound = server.addresses().back();
    }
    if (error) {
      complain(detail);
      status = failure;
      break;
    }
    paths.emplace_back(bound);
    names.push_back((is_datagram ? datagram_prefix : "") + bound.to_string());
  }
  if (status == 0) {
    for (const std::string& name : names) {
      std::printf("listening on %s (%s)\n", name.c_str(), proactor.backend().name.c_str());
    }
    std::fflush(stdout);
    proactor.run();
  }
  proactor.shutdown(std::chrono::seconds(1));
  return status;
}

}  // namespace tool
