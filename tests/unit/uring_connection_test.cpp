// Accepting and connecting over the uring backend, in each tier.
#include <sys/resource.h>
#include <sys/un.h>

#include "uring_rig.hpp"

using namespace proa_test;

TEST_CASE("uring: an accept that repeats takes every connection, non-blocking") {
  UringRig rig(any_release());
  Listener listener;
  proa::Accept accept(true);
  std::vector<proa::Socket> accepted;
  rig.delivered = [&](proa::Operation&, const Outcome& outcome) {
    if (outcome.error == 0) accepted.push_back(std::move(accept.socket()));
  };
  std::vector<File> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(listener.connect());
  accept.prepare(listener.file.tcp());
  rig.submit(accept);
  REQUIRE(rig.until([&] { return accepted.size() == 50; }));
  for (int i = 0; i < 150; ++i) {
    clients.push_back(listener.connect());
    if (i % 10 == 0) rig.turn(0ms);
  }
  REQUIRE(rig.until([&] { return accepted.size() == 200; }));
  CHECK(accepted[0].descriptor().kind == proa::DescriptorKind::tcp);
  CHECK((::fcntl(accepted[0].descriptor().number, F_GETFL) & O_NONBLOCK) != 0);
  CHECK((::fcntl(accepted[0].descriptor().number, F_GETFD) & FD_CLOEXEC) != 0);
  rig.cancel(accept);
  CHECK(rig.result(accept).error == -ECANCELED);
  CHECK_FALSE(accept.socket().valid());
  CHECK(rig.outcomes_of[&accept].size() == 201);
  accepted.clear();
}

TEST_CASE("uring: an accept that does not repeat leaves the next connection alone") {
  UringRig rig(any_release());
  Listener listener;
  const File first = listener.connect();
  const File second = listener.connect();
  proa::Accept accept;
  accept.prepare(listener.file.tcp());
  rig.submit(accept);
  const Outcome outcome = rig.result(accept);
  CHECK(outcome.error == 0);
  CHECK_FALSE(outcome.more);
  CHECK(accept.socket().valid());
  rig.turn(5ms);
  CHECK(::accept4(listener.file.fd, nullptr, nullptr, SOCK_NONBLOCK) >= 0);
  accept.socket().close();
}

TEST_CASE("uring: accepting ends when there are no descriptors left") {
  UringRig rig(any_release());
  Listener listener;
  proa::Accept accept(true);
  accept.prepare(listener.file.tcp());
  const File client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int lowest = ::dup(client.fd);
  ::close(lowest);
  struct Limit {
    explicit Limit(int descriptors) {
      ::getrlimit(RLIMIT_NOFILE, &before);
      const rlimit few = {static_cast<rlim_t>(descriptors), before.rlim_max};
      ::setrlimit(RLIMIT_NOFILE, &few);
    }
    ~Limit() { ::setrlimit(RLIMIT_NOFILE, &before); }
    rlimit before = {};
  };
  {
    const Limit limit(lowest);
    rig.submit(accept);  // the limit of this moment counts, also for later connections
    rig.turn(0ms);
    REQUIRE(::connect(client.fd, listener.raw(), static_cast<socklen_t>(listener.address.size())) ==
            0);
    const Outcome outcome = rig.result(accept);
    CHECK(outcome.error == -EMFILE);
  }
  CHECK(rig.outcomes_of[&accept].size() == 1);
  rig.submit(accept);  // nothing was lost
  CHECK(rig.until([&] { return rig.outcomes_of[&accept].size() == 2; }));
  CHECK(accept.socket().valid());
  rig.end();
}

TEST_CASE("uring: connect succeeds, is refused, and is cancelled") {
  UringRig rig(any_release());
  Listener listener;
  File ours(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  proa::Connect connect;
  connect.prepare(ours.tcp(), listener.address);
  rig.submit(connect);
  CHECK(rig.result(connect).error == 0);
  CHECK(::accept4(listener.file.fd, nullptr, nullptr, SOCK_CLOEXEC) >= 0);

  proa::Address nobody;
  {
    Listener gone;
    nobody = gone.address;
  }
  File other(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  connect.prepare(other.tcp(), nobody);
  rig.submit(connect);
  CHECK(rig.result(connect).error == -ECONNREFUSED);
  CHECK(rig.outcomes_of[&connect].size() == 2);
}

TEST_CASE(
    "uring: connecting to a full backlog waits for room, or for its cancel, and does not spin") {
  UringRig rig(any_release());
  const std::string name = "proa-uring-backlog-" + std::to_string(::getpid());
  const proa::Address address = proa::Address::abstract(name);
  File listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(listener.fd, static_cast<const sockaddr*>(address.data()),
                 static_cast<socklen_t>(address.size())) == 0);
  REQUIRE(::listen(listener.fd, 0) == 0);
  std::vector<File> sockets;
  std::vector<std::unique_ptr<proa::Connect>> connects;
  for (int i = 0; i < 4; ++i) {
    sockets.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    connects.push_back(std::make_unique<proa::Connect>());
    connects.back()->prepare(sockets.back().socket(), address);
    rig.submit(*connects.back());
  }
  const proa::TimePoint end = rig.backend->system().now() + 50ms;
  const std::uint64_t waits = rig.counters.waits;
  while (rig.backend->system().now() < end) rig.turn(10ms);
  CHECK(rig.counters.waits - waits < 60);
  CHECK(rig.flying() > 0);
  CHECK(rig.flying() < 4);

  rig.cancel(*connects[3]);
  CHECK(rig.result(*connects[3]).error == -ECANCELED);
  CHECK(rig.until([&] {
    const int accepted = ::accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (accepted >= 0) ::close(accepted);
    rig.turn(5ms);
    return rig.flying() == 0;
  }));
  for (std::size_t i = 0; i < 3; ++i) CHECK(rig.result(*connects[i]).error == 0);
}
