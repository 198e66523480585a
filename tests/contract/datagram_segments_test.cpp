// Many datagrams in one buffer, on the way out and on the way in; cut by the system or by us.
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>

#include "contract/datagram_rig.hpp"
#include "support/faults.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;
using proa::Address;

// A kernel that knows nothing of segments.
long (*real_setsockopt)(int, int, int, const void*, std::size_t) noexcept = nullptr;
long old_setsockopt(int fd, int level, int name, const void* value, std::size_t size) noexcept {
  const bool segments = level == SOL_UDP && (name == UDP_SEGMENT || name == UDP_GRO);
  return segments ? -ENOPROTOOPT : real_setsockopt(fd, level, name, value, size);
}

struct OldKernel {
  explicit OldKernel(bool old) {
    real_setsockopt = proa::sys::table.setsockopt;
    if (old) proa::sys::table.setsockopt = old_setsockopt;
  }
  ~OldKernel() { proa::sys::table.setsockopt = real_setsockopt; }
  OldKernel(const OldKernel&) = delete;
  OldKernel& operator=(const OldKernel&) = delete;
};

std::vector<std::string> cut(const std::string& bytes, std::size_t segment) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < bytes.size(); at += segment) {
    parts.push_back(bytes.substr(at, segment));
  }
  return parts;
}

TEST_CASE("one buffer leaves as many datagrams", "[datagram][segments][R12]") {
  const OldKernel kernel(GENERATE(false, true));
  World world;
  Two two(world);
  proa::DatagramOptions options;
  options.receive_buffer = 4 << 20;
  two.meet(true, options);
  const std::string bytes = pattern(1, 10 * 100 + 50);
  two.client.send("before");
  two.client.send_segments(proa::Bytes(bytes), 100);
  proa::Buffer buffer = world->take_buffer();
  buffer.append(proa::Bytes(bytes).text().substr(0, 250));
  two.client.send_segments(std::move(buffer), 100);
  two.client.send("behind");
  world.run_until("all is told", [&] { return two.client.results.size() == 4; });
  CHECK(!two.client.results[1].error);
  CHECK(two.client.results[1].bytes == bytes.size());
  CHECK(two.client.results[2].bytes == 250);
  std::vector<std::string> expected = {"before"};
  for (const auto& part : cut(bytes, 100)) expected.push_back(part);
  for (const auto& part : cut(bytes.substr(0, 250), 100)) expected.push_back(part);
  expected.push_back("behind");
  world.run_until("all arrived", [&] { return two.server.received.size() == expected.size(); });
  CHECK(two.server.received == expected);
}

TEST_CASE("more segments than one call takes", "[datagram][segments]") {
  const OldKernel kernel(true);
  World world;
  Two two(world);
  proa::DatagramOptions options;
  options.receive_buffer = 4 << 20;
  two.meet(true, options);
  const std::string bytes = pattern(2, 50 * 20);
  for (int i = 0; i < 4; ++i) two.client.send_segments(proa::Bytes(bytes), 20);
  world.run_until("all arrived", [&] { return two.server.received.size() == 200; });
  std::string all;
  for (const std::string& each : two.server.received) all += each;
  CHECK(all == bytes + bytes + bytes + bytes);
  CHECK(two.client.results.size() == 4);
}

TEST_CASE("a device that cannot cut makes us do it", "[datagram][segments][R11]") {
  Faults faults;
  World world;
  Two two(world);
  const bool connected = GENERATE(false, true);
  two.meet(connected);
  faults.fail(Call::sendmmsg, GENERATE(-EIO, -ENOBUFS));
  const std::string bytes = pattern(3, 500);
  two.client.send_segments(proa::Bytes(bytes), 100, connected ? Address() : two.server.address());
  world.run_until("all arrived", [&] { return two.server.received.size() == 5; });
  CHECK(two.server.received == cut(bytes, 100));
  CHECK(two.client.results.size() == 1);
  CHECK(!two.client.results[0].error);
  CHECK(two.client.errors() == 0);
  CHECK(two.client.told.empty());
}

TEST_CASE("segments that mean nothing fail alone", "[datagram][segments]") {
  const OldKernel kernel(GENERATE(false, true));
  World world;
  Two two(world);
  two.meet();
  const std::string bytes = pattern(4, 6500);
  two.client.send_segments(proa::Bytes(bytes), 0);
  two.client.send_segments(proa::Bytes(bytes), 100);  // 65 of them
  two.client.send_segments(proa::Bytes(bytes), 7000);
  // Only their lowest bits would be a size.
  constexpr std::size_t none[] = {65508, (std::size_t{1} << 16) + 1000,
                                  (std::size_t{1} << 32) + 1000, (SIZE_MAX >> 6) + 1, SIZE_MAX};
  for (const std::size_t segment : none) {
    two.client.send_segments(proa::Bytes(bytes), segment);
    proa::Buffer buffer = world->take_buffer();
    buffer.append(proa::Bytes("some"));
    two.client.send_segments(std::move(buffer), segment);
  }
  two.client.send_segments(proa::Bytes(bytes), 65507);
  world.run_until("all is told", [&] { return two.client.results.size() == 14; });
  for (std::size_t i = 0; i < 14; ++i) {
    CAPTURE(i);
    const std::error_code error = two.client.results[i].error;
    if (i == 2 || i == 13) {
      CHECK(!error);
    } else {
      CHECK(error == std::errc::invalid_argument);
    }
  }
  world.run_until("two arrived", [&] { return two.server.received.size() == 2; });
}

TEST_CASE("what one source sends comes as one buffer", "[datagram][segments]") {
  proa::Options with = options();
  with.buffer_size = 66048;
  World world(with);
  Two two(world);
  proa::DatagramOptions options;
  options.coalesce = true;
  options.receive_buffer = 4 << 20;
  two.meet(true, options);
  const std::string bytes = pattern(5, 40 * 1000 + 7);
  two.client.send_segments(proa::Bytes(bytes), 1000);
  two.client.send("alone");
  world.run_until("all arrived", [&] {
    return !two.server.received.empty() && two.server.received.back() == "alone";
  });
  std::string all;
  for (std::size_t i = 0; i + 1 < two.server.received.size(); ++i) all += two.server.received[i];
  CHECK(all == bytes);
  CHECK(two.server.received.size() == 2);
  CHECK(two.server.infos[0].segment == 1000);
  CHECK(two.server.infos[1].segment == 0);
  CHECK(!two.server.infos[0].truncated);
}

TEST_CASE("coalescing into buffers that are too small is refused, with the size", "[datagram]") {
  World world;
  Two two(world);
  proa::DatagramOptions options;
  options.coalesce = true;
  std::string detail;
  CHECK(two.server.bind(Address::loopback(0), options, &detail) == std::errc::no_buffer_space);
  CHECK(detail.find("Options::buffer_size") != std::string::npos);
  CHECK(!two.server.is_open());
}

TEST_CASE("segments count as the datagrams that they are", "[datagram][R8]") {
  proa::Options with = options();
  with.round_budget = 64;
  World world(with);
  Two two(world);
  two.meet();
  two.server.stop_receiving();
  constexpr std::size_t number = 60;
  const std::string bytes(64, 's');
  for (std::size_t i = 0; i < number; ++i) two.client.send_segments(proa::Bytes(bytes), 1);
  std::size_t most = 0;
  while (two.client.results.size() < number) {
    const std::size_t before = two.client.results.size();
    world->run_once(1ms);
    most = std::max(most, two.client.results.size() - before);
  }
  // Each of them leaves as 64 datagrams.
  CHECK(most <= 8);
}

}  // namespace
