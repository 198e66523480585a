#pragma once

// A uring backend without a proactor: operations are submitted to it directly, and what comes out
// of next() is noted. The rig does what the proactor would do around it.

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <proa/backend.hpp>
#include <proa/options.hpp>
#include <proa/proactor.hpp>
#include <string>
#include <vector>

#include "backend/uring/uring.hpp"
#include "buffer/pool.hpp"
#include "proactor/requests.hpp"
#include "support/catch.hpp"
#include "support/hang.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {

/// What the proactor may do with an operation, for the rig.
class OperationAccess {
 public:
  static void begin(Operation& operation) noexcept {
    operation.bytes_ = 0;
    operation.error_ = 0;
    operation.more_ = false;
    operation.reason_ = Operation::Reason::none;
  }
  static void want_end(Operation& operation) noexcept {
    operation.reason_ = Operation::Reason::cancel;
  }
  static int error(const Operation& operation) noexcept { return operation.error_; }
  static bool more(const Operation& operation) noexcept { return operation.more_; }
  static void take_bytes(Operation& operation) noexcept { operation.bytes_ = 0; }
};

}  // namespace v0
}  // namespace proa

namespace proa_test {

using namespace std::chrono_literals;

struct Outcome {
  int error = 0;  // 0 or -errno
  std::size_t bytes = 0;
  bool more = false;
};

// For a rig without operations on files.
inline proa::BlockingCalls& no_workers() {
  struct NoWorkers final : proa::BlockingCalls {
    void take(proa::Operation&) noexcept override {}
  };
  static NoWorkers none;
  return none;
}

struct UringRig final : proa::BlockWaiter {
  explicit UringRig(const std::string& release = {},
                    const std::function<void(proa::Options&)>& adjust = {}) {
    options.backend = "uring";
    options.uring_release = release;
    options.uring_entries = 64;
    options.buffers = 64;
    options.buffer_size = 4096;
    if (adjust) adjust(options);
    pool = new proa::Pool(options.buffer_size, options.buffers, counters);
    std::string why_not;
    backend = proa::uring_backend().create({options, *pool, no_workers(), counters}, why_not);
    if (!backend) FAIL(why_not);  // Catch2 is for one thread, and some rigs are made in others
    pool->set_waiter(this);
  }
  void block_came() noexcept override { backend->wake(); }
  ~UringRig() {
    if (flying() > 0) {
      CHECK(std::uncaught_exceptions() > 0);  // else the test has to call end()
      static_cast<void>(backend.release());   // the operations may be gone already
      return;
    }
    pool->set_waiter(nullptr);
    backend.reset();
    pool->orphan();
  }
  /// Cancels what is in flight, while the operations still live.
  void end() {
    for (const auto& [operation, flies] : in_flight) {
      if (flies) backend->cancel(*operation);
    }
    CHECK(until([&] { return flying() == 0; }));
  }

  void submit(proa::Operation& operation) {
    proa::OperationAccess::begin(operation);
    outcomes_of[&operation];
    in_flight[&operation] = true;
    backend->submit(operation);
  }
  void cancel(proa::Operation& operation) {
    proa::OperationAccess::want_end(operation);
    backend->cancel(operation);
  }
  std::size_t flying() const {
    std::size_t count = 0;
    for (const auto& entry : in_flight) count += entry.second;
    return count;
  }

  /// Waits at most that long, once, and takes what is there.
  void turn(proa::Duration limit) {
    backend->wait(proa::after(backend->system().now(), limit));
    drain();
  }
  /// What the proactor does in poll(): rounds until one delivers nothing.
  void poll() {
    std::size_t before = 0;
    do {
      before = results;
      turn({});
    } while (results != before);
  }
  void drain() {
    while (proa::Operation* const operation = backend->next()) {
      const Outcome outcome{proa::OperationAccess::error(*operation),
                            proa::BackendSide::moved(*operation),
                            proa::OperationAccess::more(*operation)};
      REQUIRE(in_flight[operation]);  // never a result after the last one
      in_flight[operation] = outcome.more;
      outcomes_of[operation].push_back(outcome);
      ++results;
      if (outcome.more) proa::OperationAccess::take_bytes(*operation);
      // As the core does: what an earlier result brought does not come with an end.
      const bool ended = operation->opcode() == proa::Opcode::recv_buffers && outcome.bytes == 0;
      if (outcome.error != 0 || ended) proa::discard(*operation);
      if (delivered) delivered(*operation, outcome);
    }
  }
  /// False if it did not become true in time.
  template <class Condition>
  bool until(Condition condition, proa::Duration limit = hang) {
    const proa::TimePoint end = backend->system().now() + limit;
    while (!condition()) {
      if (backend->system().now() >= end) return false;
      turn(100ms);
    }
    return true;
  }
  bool finish(proa::Operation& operation, proa::Duration limit = hang) {
    return until([&] { return !in_flight[&operation]; }, limit);
  }
  /// Waits for its last result.
  Outcome result(proa::Operation& operation) {
    REQUIRE(finish(operation));
    REQUIRE(!outcomes_of[&operation].empty());
    return outcomes_of[&operation].back();
  }

  proa::Options options;
  proa::Counters counters;
  proa::Pool* pool = nullptr;
  std::unique_ptr<proa::Backend> backend;
  std::map<proa::Operation*, std::vector<Outcome>> outcomes_of;
  std::map<proa::Operation*, bool> in_flight;
  std::size_t results = 0;
  std::function<void(proa::Operation&, const Outcome&)> delivered;
};

/// An open file that is closed at the end.
struct File {
  explicit File(int opened) : fd(opened) { REQUIRE(fd >= 0); }
  File(File&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  ~File() { close(); }
  void close() {
    if (fd >= 0) ::close(std::exchange(fd, -1));
  }
  proa::Descriptor as(proa::DescriptorKind kind) const { return {fd, kind}; }
  proa::Descriptor socket() const { return as(proa::DescriptorKind::socket); }
  proa::Descriptor tcp() const { return as(proa::DescriptorKind::tcp); }
  int fd;
};

/// Two connected UNIX stream sockets, non-blocking: ours and the peer's.
struct SocketPair {
  SocketPair() {
    int both[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, both) == 0);
    ours = std::make_unique<File>(both[0]);
    peer = std::make_unique<File>(both[1]);
  }
  std::unique_ptr<File> ours;
  std::unique_ptr<File> peer;
};

struct Pipe {
  explicit Pipe(int flags = O_NONBLOCK) {
    int both[2];
    REQUIRE(::pipe2(both, O_CLOEXEC | flags) == 0);
    out = std::make_unique<File>(both[0]);
    in = std::make_unique<File>(both[1]);
  }
  std::unique_ptr<File> out;  // to read from
  std::unique_ptr<File> in;
};

/// A TCP listener on loopback, non-blocking, and clients of it.
struct Listener {
  Listener() : file(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    address = proa::Address::loopback(0);
    REQUIRE(::bind(file.fd, raw(), static_cast<socklen_t>(address.size())) == 0);
    REQUIRE(::listen(file.fd, 1024) == 0);
    sockaddr_in bound = {};
    socklen_t size = sizeof bound;
    REQUIRE(::getsockname(file.fd, reinterpret_cast<sockaddr*>(&bound), &size) == 0);
    address = proa::Address::from_raw(&bound, size);
  }
  const sockaddr* raw() const { return static_cast<const sockaddr*>(address.data()); }
  File connect() const {
    File client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(client.fd, raw(), static_cast<socklen_t>(address.size())) == 0);
    return client;
  }
  File file;
  proa::Address address;
};

/// The releases whose features are tried: all, in the middle, lowest.
inline std::string any_release() { return GENERATE(as<std::string>{}, "", "5.19", "5.11"); }

/// Replaces one entry of the table of system calls while it lives.
template <class Call>
class Replaced {
 public:
  Replaced(Call& entry, Call with) : entry_(entry), before_(entry) { entry = with; }
  ~Replaced() { entry_ = before_; }
  Replaced(const Replaced&) = delete;
  Replaced& operator=(const Replaced&) = delete;

 private:
  Call& entry_;
  Call before_;
};

}  // namespace proa_test
