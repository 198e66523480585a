// What an idle datagram socket costs in memory.
#include <algorithm>
#include <optional>
#include <vector>

#include "contract/endpoint_rig.hpp"
#include "support/allocations.hpp"

namespace {

using namespace proa_test;
using proa::Address;

// Nothing but what the library needs.
struct Idle : proa::DatagramHandler {
  using DatagramHandler::DatagramHandler;
  ~Idle() override = default;
  void on_receive(proa::Buffer&, const Address&, const proa::DatagramInfo&) override {}
};

TEST_CASE("an idle datagram socket takes little memory", "[datagram]") {
  if (bytes_in_use() == 0) return skip("the allocator here does not tell", true);
  constexpr std::size_t number = 2500;
  World world;
  // What comes once, not per socket, has come.
  Idle first(*world);
  REQUIRE(!first.bind(Address::loopback(0)));
  world->run_once(0ms);
  std::vector<std::optional<Idle>> sockets(number);
  const std::size_t before = bytes_in_use();
  for (auto& socket : sockets) REQUIRE(!socket.emplace(*world).bind(Address::loopback(0)));
  world->run_once(0ms);
  const std::size_t each = sizeof(Idle) + (bytes_in_use() - before) / number;
  INFO("handler: " << sizeof(Idle) << " bytes, in all: " << each);
  CHECK(each <= 512);
  for (auto& socket : sockets) socket->close();
  first.close();
  world.run_until("all are closed", [&] {
    return !first.is_open() &&
           std::none_of(sockets.begin(), sockets.end(), [](auto& one) { return one->is_open(); });
  });
}

}  // namespace
