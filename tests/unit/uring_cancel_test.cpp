// Cancelling over the uring backend, in each tier: exactly one last result, nothing lost, nothing
// leaked.
#include <deque>

#include "support/patterns.hpp"
#include "uring_rig.hpp"

using namespace proa_test;

TEST_CASE("uring: what was submitted before the first wait is cancelled without the kernel") {
  UringRig rig(any_release());
  SocketPair pair;
  char memory[8];
  proa::Recv recv;
  proa::RecvBuffers continuous;
  proa::Accept accept(true);
  recv.prepare(pair.ours->socket(), {memory, sizeof memory});
  continuous.prepare(pair.peer->socket());
  accept.prepare(pair.ours->socket());
  rig.submit(recv);
  rig.submit(continuous);
  rig.submit(accept);
  rig.cancel(recv);
  rig.cancel(continuous);
  rig.cancel(accept);
  rig.drain();
  for (proa::Operation* const operation :
       {static_cast<proa::Operation*>(&recv), static_cast<proa::Operation*>(&continuous),
        static_cast<proa::Operation*>(&accept)}) {
    REQUIRE(rig.outcomes_of[operation].size() == 1);
    CHECK(rig.outcomes_of[operation][0].error == -ECANCELED);
  }
  CHECK(rig.counters.waits == 0);
}

TEST_CASE("uring: a receive that races with its cancel ends once, one way or the other") {
  UringRig rig(any_release());
  SocketPair pair;
  char memory[8];
  proa::Recv recv;
  int completed = 0;
  int cancelled = 0;
  std::size_t received = 0;
  constexpr int rounds = 10000;
  for (int i = 0; i < rounds; ++i) {
    recv.prepare(pair.ours->socket(), {memory, sizeof memory});
    rig.submit(recv);
    if (i % 3 == 0) rig.turn(0ms);  // armed in the kernel already
    if (i % 2 == 0) REQUIRE(::write(pair.peer->fd, "x", 1) == 1);
    rig.cancel(recv);
    if (i % 4 == 1) rig.turn(0ms);  // the cancel comes first
    if (i % 2 == 1) REQUIRE(::write(pair.peer->fd, "x", 1) == 1);
    const Outcome outcome = rig.result(recv);
    (outcome.error == 0 ? completed : cancelled) += 1;
    if (outcome.error != 0) REQUIRE(outcome.error == -ECANCELED);
    received += outcome.bytes;
    REQUIRE(rig.outcomes_of[&recv].size() == static_cast<std::size_t>(i + 1));
  }
  char rest[rounds];
  const ssize_t left = ::read(pair.ours->fd, rest, sizeof rest);
  CHECK(received + static_cast<std::size_t>(std::max<ssize_t>(left, 0)) == rounds);
  CHECK(completed > rounds / 100);
  CHECK(cancelled > rounds / 100);
}

TEST_CASE("uring: continuous receiving that is cancelled loses no byte") {
  UringRig rig(any_release());
  SocketPair pair;
  proa::RecvBuffers recv;
  std::string received;
  rig.delivered = [&](proa::Operation&, const Outcome& outcome) {
    if (outcome.error == 0) received += recv.buffer().text();
  };
  std::string sent;
  for (int i = 0; i < 2000; ++i) {
    recv.prepare(pair.ours->socket());
    rig.submit(recv);
    if (i % 3 != 0) rig.turn(0ms);
    const std::string part = pattern(1, 1 + static_cast<std::size_t>(i) % 5000, sent.size());
    REQUIRE(::write(pair.peer->fd, part.data(), part.size()) == static_cast<ssize_t>(part.size()));
    sent += part;
    if (i % 5 == 0) rig.turn(0ms);
    rig.cancel(recv);
    CHECK(rig.result(recv).error == -ECANCELED);
    CHECK_FALSE(recv.buffer());
  }
  recv.prepare(pair.ours->socket());
  pair.peer->close();
  rig.submit(recv);
  CHECK(rig.result(recv).error == 0);
  CHECK(received.size() == sent.size());
  CHECK(received == sent);
}

TEST_CASE("uring: a send that is cancelled tells how much was moved") {
  UringRig rig(any_release());
  SocketPair pair;
  const std::string payload = pattern(2, 2000000);
  const proa::Bytes pieces[] = {{payload.data(), 700000}, {payload.data() + 700000, 1300000}};
  proa::Send send;
  send.prepare(pair.ours->socket(), pieces, 2);
  rig.submit(send);
  rig.turn(10ms);
  rig.cancel(send);
  const Outcome outcome = rig.result(send);
  CHECK(outcome.error == -ECANCELED);
  CHECK(outcome.bytes > 0);
  std::string arrived(payload.size(), '\0');
  std::size_t count = 0;
  ssize_t part = 0;
  while ((part = ::read(pair.peer->fd, &arrived[count], arrived.size() - count)) > 0) {
    count += static_cast<std::size_t>(part);
  }
  CHECK(count == outcome.bytes);
  CHECK(first_difference(2, std::string_view(arrived).substr(0, count)) == no_difference);
}

TEST_CASE("uring: accepts that race with their cancel leak no connection") {
  UringRig rig(any_release());
  Listener listener;
  std::deque<File> clients;
  std::size_t accepted = 0;
  proa::Accept accept(true);
  rig.delivered = [&](proa::Operation&, const Outcome& outcome) {
    if (outcome.error != 0) return;
    ++accepted;
    accept.socket().close();
  };
  for (int i = 0; i < 300; ++i) {
    accept.prepare(listener.file.tcp());
    rig.submit(accept);
    if (i % 2 == 0) rig.turn(0ms);
    clients.push_back(listener.connect());
    if (i % 3 == 0) rig.turn(0ms);
    rig.cancel(accept);
    CHECK(rig.result(accept).error == -ECANCELED);
  }
  int left = -1;
  while ((left = ::accept4(listener.file.fd, nullptr, nullptr, SOCK_CLOEXEC)) >= 0) {
    ::close(left);
    ++accepted;
  }
  CHECK(accepted == clients.size());
}

TEST_CASE("uring: cancelling one operation leaves its neighbours alone") {
  UringRig rig(any_release());
  std::vector<SocketPair> pairs(8);
  std::vector<proa::Recv> receives(8);
  char memory[8][4];
  for (std::size_t i = 0; i < 8; ++i) {
    receives[i].prepare(pairs[i].ours->socket(), {memory[i], 4});
    rig.submit(receives[i]);
  }
  rig.turn(0ms);
  for (int round = 0; round < 50; ++round) {
    rig.cancel(receives[3]);
    CHECK(rig.result(receives[3]).error == -ECANCELED);
    rig.submit(receives[3]);  // takes over the place of the old one
    rig.turn(0ms);
    CHECK(rig.flying() == 8);
  }
  for (std::size_t i = 0; i < 8; ++i) {
    REQUIRE(::write(pairs[i].peer->fd, "x", 1) == 1);
    CHECK(rig.result(receives[i]).error == 0);
  }
}
