// How the tools that serve run: listening, saying where, counting, and winding up when told to end.
#pragma once

#include <sys/resource.h>

#include <csignal>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "counters_text.hpp"
#include "serving_options.hpp"

namespace tool {

/// What stands before an address that is for datagrams.
inline const std::string datagram_prefix = "udp:";

/// How a tool serves datagrams beside streams, if it does.
struct Datagrams {
  std::function<std::error_code(const proa::Address&, bool reuse_port, proa::Address& bound,
                                std::string* detail)>
      bind;
  std::function<void(proa::Duration)> drain;
  /// The same as `bind` for a socket that is bound already.
  std::function<std::error_code(proa::Socket)> adopt;
  bool at_each_address = false;  // beside the streams, at the same port; else behind "udp:"
};

/// What a service manager has passed (sd_listen_fds(3)). The first call, which comes before there
/// are threads, takes it, and ends the program if it makes no sense.
inline const std::vector<proa::PassedDescriptor>& passed_descriptors() {
  static const std::vector<proa::PassedDescriptor> passed = [] {
    std::error_code error;
    std::string detail;
    auto taken = proa::listen_fds(error, &detail);
    if (error) die(detail);
    return taken;
  }();
  return passed;
}

/// What one thread serves with.
struct Service {
  std::shared_ptr<proa::ServerBase> server;
  Datagrams datagrams;
  /// Called when the server has drained.
  std::function<void()> drained;
};
/// Makes the service of a thread; called in the main thread, before the proactor runs.
using MakeService = std::function<Service(proa::Proactor&)>;

/// One thread's part of the work: a proactor, and the service on it.
class Part {
 public:
  Part(const Serving& serving, const MakeService& make, unsigned number)
      : number_(number), proactor_(make_proactor(serving.options)), service_(make(*proactor_)) {
    service_.server->set_error_callback([](const proa::Address& where, std::error_code error) {
      complain(where.to_string() + ": " + error.message());
    });
    if (serving.limit == proa::ServerBase::unlimited) return;
    service_.server->set_limit(serving.limit / serving.threads +
                               (number < serving.limit % serving.threads));
  }

  proa::Proactor& proactor() { return *proactor_; }

  std::error_code listen(bool datagrams, const proa::Address& address, const Serving& serving,
                         proa::Address& bound, std::string* detail) {
    const bool share = serving.threads > 1 && address.family() != proa::Address::Family::local;
    if (datagrams) return service_.datagrams.bind(address, share, bound, detail);
    proa::ListenOptions options = serving.listen;
    options.reuse_port = share;
    // The system chooses a free port for datagrams, which streams may find taken.
    constexpr int most_tries = 20;
    for (int tries = 1;; ++tries) {
      proa::Address wanted = address;
      std::error_code error;
      if (service_.datagrams.at_each_address) {
        error = service_.datagrams.bind(address, share, wanted, detail);
      }
      if (!error) error = service_.server->listen(wanted.to_string(), detail, options);
      if (!error) bound = service_.server->addresses().back();
      const bool again = error == std::errc::address_in_use && wanted != address;
      if (!again || tries == most_tries) return error;
    }
  }
  bool prefixes_datagrams() const {
    return service_.datagrams.bind && !service_.datagrams.at_each_address;
  }
  std::error_code adopt(const proa::PassedDescriptor& passed, proa::Address& bound) {
    std::error_code error;
    proa::Socket socket = proa::Socket::adopt(*proactor_, passed.number, error);
    if (error) return error;
    bound = socket.local_address();
    const bool listens = passed.kind == proa::PassedKind::listener;
    return listens ? service_.server->listen(std::move(socket))
                   : service_.datagrams.adopt(std::move(socket));
  }
  bool serves(proa::PassedKind kind) const {
    return kind == proa::PassedKind::listener ||
           (kind == proa::PassedKind::datagram && service_.datagrams.adopt);
  }

  void run() {
    proactor_->run();
    proactor_->shutdown(std::chrono::seconds(1));
  }
  void drain(proa::Duration limit) {
    service_.server->drain(limit, service_.drained);
    if (service_.datagrams.drain) service_.datagrams.drain(limit);
  }
  void print_counters() const {
    const std::string text = "thread " + std::to_string(number_) + ", " +
                             proactor_->backend().name + ": live " +
                             std::to_string(service_.server->live()) + ", " +
                             counters_text(proactor_->counters()) + "\n";
    std::fputs(text.c_str(), stderr);
  }

 private:
  unsigned number_;
  std::unique_ptr<proa::Proactor> proactor_;
  Service service_;
};

/// SIGINT or SIGTERM: all parts drain; a second one ends the program at once. SIGUSR1: the
/// counters.
class Signals final : public proa::SignalHandler {
 public:
  Signals(std::list<Part>& parts, proa::Duration drain)
      : SignalHandler(parts.front().proactor()), parts_(parts), drain_(drain) {}

 private:
  void on_signal(int signal, std::uint64_t count) override {
    if (signal == SIGUSR1) return each([](Part& part) { part.print_counters(); });
    if (draining_ || count > 1) {
      for (Part& part : parts_) part.proactor().stop();
      return;
    }
    draining_ = true;
    each([limit = drain_](Part& part) { part.drain(limit); });
  }
  /// In its own thread; one that has ended has nothing to do.
  template <class Work>
  void each(Work work) {
    for (Part& part : parts_) (void)part.proactor().post([work, &part] { work(part); });
  }

  std::list<Part>& parts_;
  proa::Duration drain_;
  bool draining_ = false;
};

/// As many descriptors as the system lets this process have; returns how many those are.
inline std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<std::size_t>(limit.rlim_cur);
}

/// A limit on connections with which each of them has `each` descriptors when it needs them.
inline std::size_t limit_by_descriptors(const Serving& serving, std::size_t each) {
  constexpr std::size_t kept = 32;  // for what is open in any case, in a thread
  const std::size_t there = raise_descriptor_limit();
  const std::size_t most = there > kept * serving.threads
                               ? std::max<std::size_t>((there - kept * serving.threads) / each, 1)
                               : 1;
  if (serving.limit == proa::ServerBase::unlimited)
    return std::max<std::size_t>(most, serving.threads);
  if (serving.limit > most) {
    bad_usage("limit \"" + std::to_string(serving.limit) + "\" is too high: with the " +
              std::to_string(there) + " descriptors that the system allows (ulimit -n) " +
              std::to_string(most) + " connections can be served");
  }
  return serving.limit;
}

/// Serves the sockets of the service manager in one part. UNIX paths of these are the manager's,
/// and stay.
inline std::error_code adopt(Part& part, std::vector<std::string>& names, std::string& detail) {
  for (const proa::PassedDescriptor& passed : passed_descriptors()) {
    proa::Address bound;
    const bool served = part.serves(passed.kind);
    const std::error_code error = served ? part.adopt(passed, bound)
                                         : std::make_error_code(std::errc::operation_not_supported);
    if (error) {
      detail = "descriptor " + std::to_string(passed.number) + " (" + passed.name + ")" +
               (served ? ": " + error.message() : " is no socket that this program serves");
      return error;
    }
    const bool datagrams = passed.kind == proa::PassedKind::datagram;
    names.push_back((datagrams ? datagram_prefix : "") + bound.to_string());
  }
  return {};
}

/// Makes all parts listen on all addresses, and collects where that is.
inline std::error_code listen(std::list<Part>& parts, const Serving& serving,
                              std::vector<BoundPath>& paths, std::vector<std::string>& names,
                              std::string& detail) {
  for (const std::string& text : serving.addresses) {
    const bool datagrams = parts.front().prefixes_datagrams() &&
                           text.compare(0, datagram_prefix.size(), datagram_prefix) == 0;
    const std::string prefix = datagrams ? datagram_prefix : "";
    proa::Address address = to_address(text.substr(prefix.size()));
    for (Part& part : parts) {
      const bool first = &part == &parts.front();
      if (!first && address.family() == proa::Address::Family::local) break;
      // The others share the port that the system chose for the first one.
      proa::Address bound;
      if (auto error = part.listen(datagrams, address, serving, bound, &detail)) return error;
      address = bound;
    }
    paths.emplace_back(address);
    names.push_back(prefix + address.to_string());
  }
  return {};
}

/// Listens, says where, and runs until it is told to end; the exit status.
inline int serve(Serving serving, const MakeService& make) {
  raise_descriptor_limit();
  if (serving.addresses.empty() && passed_descriptors().empty()) {
    bad_usage("no address to listen on");
  }
  for (const proa::PassedDescriptor& passed : passed_descriptors()) {
    if (passed.kind != proa::PassedKind::datagram) continue;
    serving.options.buffer_size = std::max(serving.options.buffer_size, datagram_buffer_size);
  }
  if (serving.limit < serving.threads) {
    bad_usage("limit \"" + std::to_string(serving.limit) +
              "\" is less than one connection for each of " + std::to_string(serving.threads) +
              " threads");
  }
  std::list<Part> parts;
  for (unsigned i = 0; i < serving.threads; ++i) {
    parts.emplace_back(serving, make, i);
    serving.options.backend = parts.front().proactor().backend().name;  // the same for all
  }
  Part& own = parts.front();
  Signals signals(parts, serving.drain);
  std::string detail;
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) {
    if (signals.start(signal, &detail)) die(detail);
  }

  std::vector<BoundPath> paths;
  std::vector<std::string> names;
  if (adopt(own, names, detail) || listen(parts, serving, paths, names, detail)) {
    complain(detail);
    for (Part& part : parts) part.proactor().shutdown(std::chrono::seconds(1));
    return failure;
  }
  for (const std::string& name : names) {
    std::printf("listening on %s (%s)\n", name.c_str(), own.proactor().backend().name.c_str());
  }
  std::fflush(stdout);

  std::vector<std::thread> threads;
  std::optional<proa::KeepAlive> others;  // signals are heard while any part runs
  if (parts.size() > 1) others.emplace(own.proactor());
  std::size_t running = parts.size() - 1;
  for (Part& part : parts) {
    if (&part == &own) continue;
    threads.emplace_back([&] {
      part.run();
      (void)own.proactor().post([&] {
        if (--running == 0) others.reset();
      });
    });
  }
  own.proactor().run();
  for (std::thread& thread : threads) thread.join();
  others.reset();
  own.proactor().shutdown(std::chrono::seconds(1));
  return 0;
}

}  // namespace tool
