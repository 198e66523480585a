// What the uring backend does when something runs out: places in the submission queue, places in
// the completion queue, buffers. R11: the user sees nothing of it.
#include <liburing.h>

#include <algorithm>
#include <thread>

#include "support/patterns.hpp"
#include "sys/linux.hpp"
#include "uring_rig.hpp"

using namespace proa_test;

namespace {

// So many bytes are on their way at once. `submitted` is called when the receives are.
void exchange(
    UringRig& rig, std::size_t count, const std::function<void()>& submitted = [] {}) {
  std::vector<SocketPair> pairs(count);
  std::vector<proa::Recv> receives(count);
  std::vector<proa::Send> sends(count);
  std::vector<char> memory(count);
  for (std::size_t i = 0; i < count; ++i) {
    receives[i].prepare(pairs[i].ours->socket(), {&memory[i], 1});
    rig.submit(receives[i]);
  }
  submitted();
  rig.turn(0ms);
  CHECK(rig.flying() == count);
  for (std::size_t i = 0; i < count; ++i) {
    sends[i].prepare(pairs[i].peer->socket(), proa::Bytes("y", 1));
    rig.submit(sends[i]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    CHECK(rig.result(receives[i]).bytes == 1);
    CHECK(rig.result(sends[i]).bytes == 1);
  }
}

}  // namespace

TEST_CASE("uring: more operations than the submission queue holds are all done") {
  UringRig rig(any_release(), [](proa::Options& options) { options.uring_entries = 2; });
  rig.turn(0ms);  // enables the ring
  exchange(rig, 100, [&] { CHECK(rig.counters.queue_full > 0); });
}

TEST_CASE("uring: cancels find room although the submission queue is full") {
  UringRig rig(any_release(), [](proa::Options& options) { options.uring_entries = 2; });
  constexpr std::size_t count = 50;
  std::vector<SocketPair> pairs(count);
  std::vector<proa::Recv> receives(count);
  char memory[count];
  for (std::size_t i = 0; i < count; ++i) {
    receives[i].prepare(pairs[i].ours->socket(), {&memory[i], 1});
    rig.submit(receives[i]);
  }
  rig.turn(0ms);
  for (proa::Recv& recv : receives) rig.cancel(recv);
  for (proa::Recv& recv : receives) CHECK(rig.result(recv).error == -ECANCELED);
}

TEST_CASE("uring: an accept whose cancel found no room delivers what comes first") {
  UringRig rig("5.11", [](proa::Options& options) { options.uring_entries = 2; });  // one-shot
  Listener listener;
  proa::Accept accept(true);
  accept.prepare(listener.file.tcp());
  rig.submit(accept);
  rig.turn(0ms);
  const File client = listener.connect();
  rig.backend->wait(rig.backend->system().now() + 5s);  // accepted, but nobody has fetched it
  SocketPair pairs[4];
  proa::Recv receives[4];
  char memory[4];
  for (std::size_t i = 0; i < 4; ++i) {
    receives[i].prepare(pairs[i].ours->socket(), {&memory[i], 1});
    rig.submit(receives[i]);
  }
  rig.cancel(accept);
  rig.drain();
  REQUIRE(rig.outcomes_of[&accept].size() == 2);
  CHECK(rig.outcomes_of[&accept][0].error == 0);
  CHECK(rig.outcomes_of[&accept][1].error == -ECANCELED);
  rig.end();
}

TEST_CASE("uring: completions that overflow their queue are all delivered") {
  UringRig rig(any_release(), [](proa::Options& options) { options.uring_entries = 2; });
  constexpr std::size_t count = 64;  // eight times as many as fit
  std::vector<SocketPair> pairs(count);
  std::vector<proa::Recv> receives(count);
  char memory[count];
  for (std::size_t i = 0; i < count; ++i) {
    receives[i].prepare(pairs[i].ours->socket(), {&memory[i], 1});
    rig.submit(receives[i]);
  }
  rig.turn(0ms);
  for (std::size_t i = 0; i < count; ++i) REQUIRE(::write(pairs[i].peer->fd, "z", 1) == 1);
  for (int i = 0; i < 3; ++i) rig.backend->wait(rig.backend->system().now());  // nobody fetches
  for (std::size_t i = 0; i < count; ++i) {
    CHECK(rig.result(receives[i]).bytes == 1);
    CHECK(rig.outcomes_of[&receives[i]].size() == 1);
  }
  CHECK(rig.counters.completion_overflows > 0);
}

TEST_CASE("uring: receiving waits for buffers, without spinning, and loses nothing") {
  UringRig rig(any_release(), [](proa::Options& options) { options.buffers = 4; });
  constexpr std::size_t count = 10;
  std::vector<SocketPair> pairs(count);
  std::vector<proa::RecvBuffers> receives(count);
  std::vector<proa::Buffer> held;
  std::vector<std::string> received(count);
  rig.delivered = [&](proa::Operation& operation, const Outcome& outcome) {
    if (outcome.error != 0 || outcome.bytes == 0) return;
    const auto index =
        static_cast<std::size_t>(&static_cast<proa::RecvBuffers&>(operation) - receives.data());
    received[index] += receives[index].buffer().text();
    held.push_back(std::move(receives[index].buffer()));
  };
  for (std::size_t i = 0; i < count; ++i) {
    receives[i].prepare(pairs[i].ours->socket());
    rig.submit(receives[i]);
  }
  rig.turn(0ms);
  constexpr std::size_t size = 20000;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string payload = pattern(i, size);
    REQUIRE(::write(pairs[i].peer->fd, payload.data(), size) == static_cast<ssize_t>(size));
    pairs[i].peer->close();
  }
  REQUIRE(rig.until([&] { return held.size() == 4; }));
  for (int i = 0; i < 10; ++i) rig.turn(0ms);
  CHECK(held.size() == 4);
  CHECK(rig.counters.buffers_missed > 0);
  const std::uint64_t waits = rig.counters.waits;
  rig.turn(50ms);
  rig.turn(50ms);
  CHECK(rig.counters.waits - waits <= 8);  // asleep, not spinning
  CHECK(held.size() == 4);

  for (int i = 0; i < 2000 && rig.flying() > 0; ++i) {
    if (!held.empty()) held.erase(held.begin());
    rig.turn(1ms);
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    CHECK(rig.outcomes_of[&receives[i]].back().error == 0);
    CHECK(received[i].size() == size);
    CHECK(first_difference(i, received[i]) == no_difference);
  }
  held.clear();
}

TEST_CASE("uring: a buffer given back by another thread wakes a receive that waited for it") {
  UringRig rig(any_release(), [](proa::Options& options) { options.buffers = 1; });
  rig.pool->bind(std::this_thread::get_id());
  SocketPair pair;
  proa::RecvBuffers recv;
  std::vector<proa::Buffer> held;
  rig.delivered = [&](proa::Operation&, const Outcome& outcome) {
    if (outcome.bytes > 0) held.push_back(std::move(recv.buffer()));
  };
  recv.prepare(pair.ours->socket());
  rig.submit(recv);
  REQUIRE(::write(pair.peer->fd, "one", 3) == 3);
  REQUIRE(rig.until([&] { return held.size() == 1; }));
  REQUIRE(::write(pair.peer->fd, "two", 3) == 3);
  for (int i = 0; i < 5; ++i) rig.turn(1ms);
  CHECK(held.size() == 1);
  std::thread other([buffer = std::move(held[0])]() mutable {
    std::this_thread::sleep_for(20ms);  // the loop is asleep by then, most likely; right either way
    buffer.reset();
  });
  const proa::TimePoint before = rig.backend->system().now();
  rig.turn(hang);
  rig.turn(hang);
  other.join();
  CHECK(rig.until([&] { return held.size() == 2; }));
  CHECK(rig.backend->system().now() - before < hang);
  held.clear();
  rig.end();
}

TEST_CASE("uring: buffers that are cancelled or unused go home") {
  UringRig rig(any_release(), [](proa::Options& options) { options.buffers = 16; });
  SocketPair pair;
  for (int i = 0; i < 100; ++i) {
    proa::RecvBuffers recv;
    recv.prepare(pair.ours->socket());
    rig.submit(recv);
    rig.turn(0ms);
    if (i % 2 == 0) REQUIRE(::write(pair.peer->fd, "x", 1) == 1);
    rig.cancel(recv);
    CHECK(rig.finish(recv));
    rig.in_flight.erase(&recv);
    rig.outcomes_of.erase(&recv);
  }
  std::vector<proa::Buffer> all;
  while (rig.pool->available()) all.push_back(rig.pool->take());
  CHECK(all.size() >= 8);  // the ring may keep half
}

TEST_CASE("uring: the ring of buffers grows to what a burst needs") {
  // Of deferred task work (6.1) the kernel does too little at a time to run out.
  UringRig rig("5.19", [](proa::Options& options) {
    options.buffers = 2000;
    options.buffer_size = 1024;
    options.uring_entries = 1024;
  });
  constexpr std::size_t count = 300;
  std::vector<SocketPair> pairs(count);
  std::vector<proa::RecvBuffers> receives(count);
  for (std::size_t i = 0; i < count; ++i) {
    receives[i].prepare(pairs[i].ours->socket());
    rig.submit(receives[i]);
  }
  rig.turn(0ms);
  std::uint64_t starved_before = 0;
  for (int burst = 0; burst < 12; ++burst) {
    starved_before = rig.counters.rearmed;
    const std::size_t before = rig.results;
    for (std::size_t i = 0; i < count; ++i) REQUIRE(::write(pairs[i].peer->fd, "x", 1) == 1);
    REQUIRE(rig.until([&] { return rig.results == before + count; }));
  }
  CHECK(rig.counters.rearmed > 0);
  CHECK(rig.counters.rearmed == starved_before);  // none in the last burst
  CHECK(rig.counters.buffers_missed == 0);
  rig.end();
}

namespace {

// The lengths of the submission queues that a ring was given, and how the next one fails.
std::vector<unsigned> resized;
long resize_error = 0;
long noting_register(int fd, unsigned call, void* argument, unsigned count) noexcept {
  if (call != proa::sys::uring_register_resize_rings) {
    return proa::sys::direct::uring_register(fd, call, argument, count);
  }
  if (resize_error != 0) return resize_error;
  const long result = proa::sys::direct::uring_register(fd, call, argument, count);
  if (result == 0) resized.push_back(static_cast<io_uring_params*>(argument)->sq_entries);
  return result;
}

}  // namespace

TEST_CASE("uring: the queues begin small and grow while operations are under way") {
  const Replaced seam(proa::sys::table.uring_register, noting_register);
  resized.clear();
  resize_error = 0;
  const std::string release = GENERATE(std::string(), std::string("6.12"));
  UringRig rig(release, [](proa::Options& options) { options.uring_entries = 300; });
  const bool grows = release.empty() && !resized.empty();  // on Linux 6.13 and later
  exchange(rig, 2);
  CHECK(resized == (grows ? std::vector<unsigned>{64} : std::vector<unsigned>{}));
  exchange(rig, 400);
  exchange(rig, 400);
  if (grows) CHECK(resized == std::vector<unsigned>{64, 128, 256, 512});
  const auto names = rig.backend->features();
  CHECK(std::count(names.begin(), names.end(), "growing rings") == 0);  // any more
}

TEST_CASE("uring: queues that cannot grow stay as they are") {
  const Replaced seam(proa::sys::table.uring_register, noting_register);
  resized.clear();
  resize_error = 0;
  UringRig rig(any_release(), [](proa::Options& options) { options.uring_entries = 2048; });
  SECTION("the kernel has no memory") {
    resize_error = -ENOMEM;
    exchange(rig, 400);
  }
  SECTION("there is no memory to map them") {
    rig.turn(0ms);  // the pool has its blocks
    const Replaced none(
        proa::sys::table.map, +[](std::size_t, void**) noexcept -> long { return -ENOMEM; });
    exchange(rig, 400);
  }
  CHECK(resized.size() <= 1);
}

TEST_CASE("uring: the queues of an embedded proactor do not grow") {
  const Replaced seam(proa::sys::table.uring_register, noting_register);
  resized.clear();
  resize_error = 0;
  UringRig rig({}, [](proa::Options& options) {
    options.uring_entries = 2048;
    options.embedded = true;
  });
  exchange(rig, 400);
  CHECK(resized.empty());
}
