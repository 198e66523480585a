// What datagrams cost in memory: nothing per packet in steady state (R10).
#include <optional>
#include <vector>

#include "contract/endpoint_rig.hpp"
#include "support/allocations.hpp"

namespace {

using namespace proa_test;
using proa::Address;

// Notes numbers only: vectors would allocate.
struct Quiet : proa::DatagramHandler {
  using DatagramHandler::DatagramHandler;
  ~Quiet() override = default;
  void on_receive(proa::Buffer& data, const Address& from,
                  const proa::DatagramInfo& info) override {
    ++received;
    bytes += data.size();
    if (echoes) send(std::move(data), connected ? Address() : from, info.answer_from());
  }
  void on_sent(const Address&, const proa::Result& result) override {
    ++told;
    failed = failed || result.error;
  }
  void on_error(std::error_code) override { failed = true; }

  std::size_t received = 0;
  std::size_t bytes = 0;
  std::size_t told = 0;
  bool echoes = false;
  bool connected = false;
  bool failed = false;
};

TEST_CASE("datagrams allocate nothing in steady state", "[datagram][R10]") {
  if (!counts_malloc()) return skip("this sanitizer does not tell of allocations", true);
  const bool buffers = GENERATE(false, true);
  const bool informed = GENERATE(false, true);
  const std::size_t size = GENERATE(std::size_t{100}, std::size_t{1200});
  World world;
  Quiet server(*world);
  Quiet client(*world);
  proa::DatagramOptions options;
  options.destination = options.traffic_class = options.arrival = informed;
  REQUIRE(!server.bind(Address::loopback(0), options));
  REQUIRE(!client.connect(server.address()));
  server.echoes = true;
  const std::string text = pattern(1, size);
  // Ten on their way at a time, as many as last time: no new high-water mark.
  std::size_t sent = 0;
  const auto echo_some = [&] {
    for (int i = 0; i < 10; ++i, ++sent) {
      if (buffers) {
        proa::Buffer buffer = world->take_buffer();
        buffer.append(text);
        client.send(std::move(buffer));
      } else {
        client.send(proa::Bytes(text));
      }
    }
    for (int turns = 0; turns < 1000; ++turns) {
      if (client.received == sent && client.told == sent && server.told == sent) return;
      world->run_once(100ms);
    }
  };
  for (int i = 0; i < 100; ++i) echo_some();
  const std::uint64_t before = allocations();
  for (int i = 0; i < 300; ++i) echo_some();
  CHECK(allocations() - before == 0);
  CHECK(sent == 4000);
  CHECK(client.received == sent);
  CHECK(client.bytes == sent * size);
  CHECK(!client.failed);
  CHECK(!server.failed);
  server.close();
  client.close();
  world.run_until("both are closed", [&] { return !server.is_open() && !client.is_open(); });
}

TEST_CASE("what fails allocates nothing in steady state either", "[datagram][R10]") {
  if (!counts_malloc()) return skip("this sanitizer does not tell of allocations", true);
  World world;
  Quiet client(*world);
  REQUIRE(!client.bind(Address::loopback(0)));
  const Address wrong = loopback6(9);
  std::size_t sent = 0;
  const auto fail_some = [&] {
    for (int i = 0; i < 5; ++i, sent += 2) {
      client.send("to another family", wrong);
      client.send("to nobody");
    }
    for (int turns = 0; turns < 1000 && client.told < sent; ++turns) world->run_once(100ms);
  };
  for (int i = 0; i < 50; ++i) fail_some();
  const std::uint64_t before = allocations();
  for (int i = 0; i < 200; ++i) fail_some();
  CHECK(allocations() - before == 0);
  CHECK(client.told == 2500);
  client.close();
  world.run_until("it is closed", [&] { return !client.is_open(); });
}

}  // namespace
