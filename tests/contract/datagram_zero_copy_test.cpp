// Datagrams that are sent from where they are: what was lent to the kernel is used again only when
// it was returned.
#include <cerrno>
#include <memory>

#include "contract/datagram_rig.hpp"
#include "support/faults.hpp"
#include "support/ledger.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;
using proa::Address;

proa::DatagramOptions lending() {
  proa::DatagramOptions options;
  options.zero_copy_from = 1000;
  return options;
}

// Notices that are held back, as a device would that is slow to send.
bool hold_notices = false;
long (*real_recvmsg)(int, msghdr*, int) noexcept = nullptr;
long holding_recvmsg(int fd, msghdr* message, int flags) noexcept {
  return hold_notices ? -EAGAIN : real_recvmsg(fd, message, flags);
}

struct HeldNotices {
  HeldNotices() : before(proa::sys::table.recvmsg) {
    real_recvmsg = before;
    hold_notices = true;
    proa::sys::table.recvmsg = holding_recvmsg;
  }
  ~HeldNotices() { proa::sys::table.recvmsg = before; }
  HeldNotices(const HeldNotices&) = delete;
  HeldNotices& operator=(const HeldNotices&) = delete;
  long (*before)(int, msghdr*, int) noexcept;
};

// Whether a buffer of the pool begins at that place, taken and given back.
bool free_again(World& world, const char* place) {
  std::vector<proa::Buffer> taken;
  for (int i = 0; i < 64; ++i) {
    taken.push_back(world->take_buffer());
    if (taken.back().data() == place) return true;
  }
  return false;
}

TEST_CASE("large datagrams are not copied, small ones are", "[datagram][zero-copy]") {
  World world;
  Two two(world);
  two.meet(true, {}, lending());
  const std::string large = pattern(1, 3000);
  const Ledger ledger;
  for (int i = 0; i < 20; ++i) {
    two.client.send("small");
    two.client.send(proa::Bytes(large));
    two.client.send(proa::Bytes(large));
    const std::size_t all = two.server.received.size() + 3;
    world.run_until("they arrived", [&] { return two.server.received.size() == all; });
  }
  world.run_until("all is told", [&] { return two.client.results.size() == 60; });
  for (std::size_t i = 0; i < 60; ++i) {
    CHECK(!two.client.results[i].error);
    CHECK(two.server.received[i] == (i % 3 == 0 ? "small" : large));
  }
  CHECK(ledger.count(Call::recvmsg) >= 20);  // the notices
}

TEST_CASE("what is lent is not used again before it was returned", "[datagram][zero-copy][R3]") {
  World world;
  Two two(world);
  two.meet(true, {}, lending());
  const HeldNotices held;
  proa::Buffer buffer = world->take_buffer();
  buffer.append(proa::Bytes(pattern(2, 2000)));
  const char* const place = buffer.data();
  two.client.send(std::move(buffer));
  world.run_until("it is told", [&] { return two.client.results.size() == 1; });
  CHECK(!free_again(world, place));
  SECTION("and then it is") {
    hold_notices = false;
    world.run_until("it is free", [&] { return free_again(world, place); });
  }
  SECTION("close waits for it") {
    two.client.close();
    for (int i = 0; i < 20; ++i) world.turn();
    CHECK(two.client.closed == 0);
    hold_notices = false;
    world.run_until("it is closed", [&] { return two.client.closed == 1; });
    CHECK(free_again(world, place));
  }
}

TEST_CASE("a socket that closes in the callback of its last send", "[datagram][zero-copy][R6]") {
  World world;
  Two two(world);
  two.meet(true, {}, lending());
  const std::string large = pattern(3, 2500);
  two.client.send(proa::Bytes(large));
  two.client.close();
  world.run_until("it is closed", [&] { return two.client.closed == 1; });
  REQUIRE(!two.client.connect(two.server.address(), lending()));
  two.client.send(proa::Bytes(large));
  world.run_until("it arrived", [&] {
    return !two.server.received.empty() && two.server.received.back() == large;
  });
}

TEST_CASE("close() in a callback of a socket that has lent blocks: on_closed() follows",
          "[datagram][zero-copy][R6]") {
  const bool in_on_sent = GENERATE(true, false);
  const int number = GENERATE(1, 3, 8);  // of a batch
  const bool back_at_once = GENERATE(true, false);
  CAPTURE(in_on_sent, number, back_at_once);
  World world;
  Two two(world);
  two.meet(true, {}, lending());
  two.server.then = [&](proa::Buffer&, const Address& from) { two.server.send("answer", from); };
  std::unique_ptr<HeldNotices> held;
  if (!back_at_once) held = std::make_unique<HeldNotices>();
  const std::string large = pattern(3, 2500);
  int told = 0;
  const auto tell = [&] {
    if (++told == number) two.client.close();
  };
  if (in_on_sent) {
    two.client.then_sent = tell;
  } else {
    two.client.then = [&](proa::Buffer&, const Address&) { tell(); };
  }
  for (int i = 0; i < 12; ++i) two.client.send(proa::Bytes(large));
  world.run_until("it closes", [&] { return told == number; });
  if (held) {
    for (int i = 0; i < 20; ++i) world.turn();
    CHECK(two.client.closed == 0);  // a device has the blocks
    hold_notices = false;
  }
  world.run_until("it is closed", [&] { return two.client.closed == 1; });
  CHECK(told == number);
}

TEST_CASE("a socket that has lent blocks and closes in a callback ends in shutdown()",
          "[datagram][zero-copy][R2][R6]") {
  World world;
  Two two(world);
  two.meet(true, {}, lending());
  bool closes = false;
  two.client.then_sent = [&] {
    closes = true;
    two.client.close();
    world->stop();
  };
  two.client.send(proa::Bytes(pattern(3, 2500)));
  world.run_until("it closes", [&] { return closes; });
  CHECK(world->shutdown(5s) == 0);
  CHECK(two.client.closed == 1);
}

TEST_CASE("without room for notices bytes are copied", "[datagram][zero-copy][R11]") {
  Faults faults;
  World world;
  Two two(world);
  two.meet(true, {}, lending());
  faults.fail(Call::sendmmsg, -ENOBUFS);
  const std::string large = pattern(4, 2500);
  two.client.send(proa::Bytes(large));
  world.run_until("it arrived", [&] { return two.server.received.size() == 1; });
  CHECK(two.server.received[0] == large);
  CHECK(!two.client.results[0].error);
  CHECK(two.client.errors() == 0);
}

}  // namespace
