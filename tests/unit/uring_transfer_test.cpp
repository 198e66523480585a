// Receives and sends of the uring backend, in each tier: sockets, pipes and files, one piece and
// thousands.
#include <atomic>
#include <proa/buffer_side.hpp>
#include <thread>

#include "support/patterns.hpp"
#include "uring_rig.hpp"

using namespace proa_test;
using proa::DescriptorKind;

namespace {

std::string read_all(int fd, std::size_t size) {
  std::string all(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    pollfd ready{fd, POLLIN, 0};
    if (::poll(&ready, 1, 5000) != 1) break;
    const ssize_t count = ::read(fd, &all[got], size - got);
    if (count <= 0) break;
    got += static_cast<std::size_t>(count);
  }
  all.resize(got);
  return all;
}

}  // namespace

TEST_CASE("uring: a receive completes with what is there, and with 0 at the end") {
  UringRig rig(any_release());
  SocketPair pair;
  char memory[64];
  proa::Recv recv;
  recv.prepare(pair.ours->socket(), {memory, sizeof memory});
  rig.submit(recv);
  rig.turn(0ms);
  CHECK(rig.flying() == 1);
  REQUIRE(::write(pair.peer->fd, "hello", 5) == 5);
  Outcome outcome = rig.result(recv);
  CHECK(outcome.error == 0);
  CHECK(std::string(memory, outcome.bytes) == "hello");

  pair.peer->close();
  rig.submit(recv);
  outcome = rig.result(recv);
  CHECK(outcome.error == 0);
  CHECK(outcome.bytes == 0);
}

TEST_CASE("uring: a send moves all of its pieces, however slowly the peer reads") {
  UringRig rig(any_release());
  SocketPair pair;
  const auto count = GENERATE(as<std::size_t>{}, 1, 3, 100, 3000);
  const std::size_t size = 3000000;
  const std::string payload = pattern(7, size);
  std::vector<proa::Bytes> pieces;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t from = size * i / count;
    pieces.emplace_back(payload.data() + from, size * (i + 1) / count - from);
  }
  proa::Send send;
  send.prepare(pair.ours->socket(), pieces.data(), pieces.size());
  pieces.assign(count, {});  // the list was copied
  rig.submit(send);
  std::string received;
  std::thread reader([&] { received = read_all(pair.peer->fd, size); });
  const Outcome outcome = rig.result(send);
  reader.join();
  CHECK(outcome.error == 0);
  CHECK(outcome.bytes == size);
  CHECK(received.size() == size);
  CHECK(first_difference(7, received) == no_difference);
}

TEST_CASE("uring: continuous receiving delivers all bytes in order, then the end") {
  UringRig rig(any_release());
  SocketPair pair;
  proa::RecvBuffers recv;
  std::string received;
  rig.delivered = [&](proa::Operation&, const Outcome& outcome) {
    CHECK(recv.buffer().size() == outcome.bytes);
    received += recv.buffer().text();
  };
  recv.prepare(pair.ours->socket());
  rig.submit(recv);
  const std::size_t size = 1000000;
  std::thread writer([&] {
    const std::string payload = pattern(9, size);
    for (std::size_t sent = 0; sent < size;) {
      pollfd ready{pair.peer->fd, POLLOUT, 0};
      ::poll(&ready, 1, 5000);
      const ssize_t count =
          ::write(pair.peer->fd, payload.data() + sent, std::min(size - sent, std::size_t{10007}));
      if (count > 0) sent += static_cast<std::size_t>(count);
    }
    ::shutdown(pair.peer->fd, SHUT_WR);
  });
  const Outcome outcome = rig.result(recv);
  writer.join();
  CHECK(outcome.error == 0);
  CHECK(outcome.bytes == 0);
  CHECK_FALSE(recv.buffer());
  CHECK(received.size() == size);
  CHECK(first_difference(9, received) == no_difference);
}

TEST_CASE("uring: gathered buffers are sent in order, what is sent is reported") {
  UringRig rig(any_release());
  SocketPair pair;
  const auto count = GENERATE(as<std::size_t>{}, 1, 2, 64, 100);
  std::vector<proa::Buffer> chain;
  std::size_t total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    chain.push_back(rig.pool->take_for_writing());
    const std::string text = pattern(3, 100 + i, total);
    REQUIRE(chain.back().append(proa::Bytes(text)) == text.size());
    total += text.size();
  }
  std::vector<proa::detail::Segment*> segments;
  for (proa::Buffer& buffer : chain) segments.push_back(proa::BufferSide::detach(buffer));
  for (std::size_t i = 1; i < count; ++i) segments[i - 1]->next = segments[i];

  proa::SendBuffers send;
  std::size_t first = 0;
  std::size_t sent = 0;
  while (first < count) {
    send.prepare(pair.ours->socket(), segments[first]);
    rig.submit(send);
    const Outcome outcome = rig.result(send);
    REQUIRE(outcome.error == 0);
    REQUIRE(outcome.bytes > 0);
    sent += outcome.bytes;
    std::size_t left = outcome.bytes;
    while (first < count && left >= segments[first]->size) left -= segments[first++]->size;
    if (left > 0) {
      segments[first]->data += left;
      segments[first]->size -= static_cast<std::uint32_t>(left);
    }
  }
  CHECK(sent == total);
  CHECK(rig.outcomes_of[&send].size() == (count > 64 ? 2u : 1u));
  const std::string received = read_all(pair.peer->fd, total);
  CHECK(first_difference(3, received) == no_difference);
  CHECK(received.size() == total);
  for (proa::detail::Segment* segment : segments) proa::detail::release(segment);
}

// The kernel keeps its own copy of a list of pieces once it has taken the SQE: the arena is used
// again by then, by the sends of the next turn.
TEST_CASE("uring: many blocked sends of many pieces at once do not mix") {
  UringRig rig(any_release());
  constexpr std::size_t pairs = 40;
  constexpr std::size_t pieces_each = 500;
  constexpr std::size_t size = 600000;
  std::vector<SocketPair> sockets(pairs);
  std::vector<proa::Send> sends(pairs);
  std::vector<std::string> payloads;
  for (std::uint32_t i = 0; i < pairs; ++i) payloads.push_back(pattern(i, size));
  for (std::size_t i = 0; i < pairs; ++i) {
    std::vector<proa::Bytes> pieces;
    for (std::size_t k = 0; k < pieces_each; ++k) {
      pieces.emplace_back(payloads[i].data() + size / pieces_each * k, size / pieces_each);
    }
    sends[i].prepare(sockets[i].ours->socket(), pieces.data(), pieces.size());
    rig.submit(sends[i]);
    if (i % 7 == 0) rig.turn(0ms);
  }
  rig.turn(0ms);
  std::vector<std::string> received(pairs);
  const proa::TimePoint end = rig.backend->system().now() + hang;
  while (rig.flying() > 0 && rig.backend->system().now() < end) {
    for (std::size_t i = 0; i < pairs; ++i) {
      char part[20000];
      const ssize_t count = ::read(sockets[i].peer->fd, part, sizeof part);
      if (count > 0) received[i].append(part, static_cast<std::size_t>(count));
    }
    rig.turn(0ms);
  }
  REQUIRE(rig.flying() == 0);
  for (std::uint32_t i = 0; i < pairs; ++i) {
    received[i] += read_all(sockets[i].peer->fd, size - received[i].size());
    CHECK(rig.outcomes_of[&sends[i]].back().bytes == size);
    CHECK(first_difference(i, received[i]) == no_difference);
  }
}

TEST_CASE("uring: pipes, borrowed ones too, are read and written") {
  UringRig rig(any_release());
  const auto kind = GENERATE(DescriptorKind::pipe, DescriptorKind::borrowed);
  Pipe pipe(kind == DescriptorKind::pipe ? O_NONBLOCK : 0);
  char memory[64];
  proa::Recv recv;
  recv.prepare(pipe.out->as(kind), {memory, sizeof memory});
  rig.submit(recv);
  rig.turn(0ms);
  CHECK(rig.flying() == 1);

  const std::string payload = pattern(5, 500000);
  proa::Send send;
  const proa::Bytes pieces[] = {{payload.data(), 100000}, {payload.data() + 100000, 400000}};
  send.prepare(pipe.in->as(kind), pieces, 2);
  rig.submit(send);
  const Outcome first = rig.result(recv);
  CHECK(first.error == 0);
  REQUIRE(first.bytes > 0);
  std::string received(memory, first.bytes);

  proa::RecvBuffers rest;
  rig.delivered = [&](proa::Operation& operation, const Outcome&) {
    if (&operation == &rest) received += rest.buffer().text();
    if (&operation == &send) pipe.in->close();
  };
  rest.prepare(pipe.out->as(kind));
  rig.submit(rest);
  CHECK(rig.result(send).bytes == payload.size());
  CHECK(rig.result(rest).error == 0);
  CHECK(received.size() == payload.size());
  CHECK(first_difference(5, received) == no_difference);
}

TEST_CASE("uring: a pipe receive that is cancelled ends at once") {
  UringRig rig(any_release());
  const auto kind = GENERATE(DescriptorKind::pipe, DescriptorKind::borrowed);
  Pipe pipe(kind == DescriptorKind::pipe ? O_NONBLOCK : 0);
  char memory[64];
  proa::Recv recv;
  proa::RecvBuffers continuous;
  Pipe second(kind == DescriptorKind::pipe ? O_NONBLOCK : 0);
  recv.prepare(pipe.out->as(kind), {memory, sizeof memory});
  continuous.prepare(second.out->as(kind));
  rig.submit(recv);
  rig.submit(continuous);
  rig.turn(10ms);
  rig.cancel(recv);
  rig.cancel(continuous);
  CHECK(rig.result(recv).error == -ECANCELED);
  CHECK(rig.result(continuous).error == -ECANCELED);
}

TEST_CASE("uring: regular files and /dev/null") {
  UringRig rig(any_release());
  std::FILE* const temporary = std::tmpfile();
  REQUIRE(temporary != nullptr);
  File file(::dup(::fileno(temporary)));
  std::fclose(temporary);
  const std::string payload = pattern(11, 20000);
  proa::Send send;
  send.prepare(file.as(DescriptorKind::file), proa::Bytes(payload));
  rig.submit(send);
  CHECK(rig.result(send).bytes == payload.size());
  REQUIRE(::lseek(file.fd, 0, SEEK_SET) == 0);
  proa::RecvBuffers recv;
  std::string received;
  rig.delivered = [&](proa::Operation& operation, const Outcome&) {
    if (&operation == &recv) received += recv.buffer().text();
  };
  recv.prepare(file.as(DescriptorKind::file));
  rig.submit(recv);
  CHECK(rig.result(recv).error == 0);
  CHECK(received == payload);

  File null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  recv.prepare(null.as(DescriptorKind::file));
  rig.submit(recv);
  CHECK(rig.result(recv).error == 0);
  send.prepare(null.as(DescriptorKind::file), proa::Bytes(payload));
  rig.submit(send);
  CHECK(rig.result(send).bytes == payload.size());
}

TEST_CASE("uring: the errors of a peer that is gone arrive once") {
  UringRig rig(any_release());
  SocketPair pair;
  pair.peer->close();
  proa::Send send;
  send.prepare(pair.ours->socket(), proa::Bytes("x"));
  rig.submit(send);
  CHECK(rig.result(send).error == -EPIPE);
  CHECK(rig.outcomes_of[&send].size() == 1);
  proa::Recv recv;
  char memory[8];
  recv.prepare({1 << 20, DescriptorKind::socket}, {memory, sizeof memory});
  rig.submit(recv);
  CHECK(rig.result(recv).error == -EBADF);
}
