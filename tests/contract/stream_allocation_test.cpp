// Streams allocate nothing in steady state (R10), with everything switched on.
#include <memory>

#include "contract/stream_rig.hpp"
#include "support/allocations.hpp"

namespace {

using namespace proa_test;

// An echo that notes nothing.
struct Quiet : proa::StreamHandler {
  Quiet(proa::Proactor& proactor, proa::Socket socket)
      : StreamHandler(proactor, std::move(socket)) {}
  void on_open() override {
    set_read_timeout(10s);
    set_idle_timeout(20s);
    set_watermarks({32768, 8192, 1000000});
    start_reading();
  }
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
  void on_closed() override { delete this; }
};

constexpr std::size_t payload = 256;

// One request on every connection, and its answer.
bool ask_all(World& world, const std::vector<proa::Descriptor>& peers) {
  char bytes[payload] = {'?'};
  for (const proa::Descriptor peer : peers) {
    if (world.system().send(peer, {bytes, payload}) != payload) return false;
  }
  for (const proa::Descriptor peer : peers) {
    for (std::size_t have = 0; have < payload;) {
      const long got = world.system().recv(peer, {bytes, payload - have});
      if (got > 0) {
        have += static_cast<std::size_t>(got);
      } else if (world->run_once(1s) == 0) {
        return false;
      }
    }
  }
  return true;
}

TEST_CASE("an echo with timeouts and watermarks allocates nothing per request", "[R10]") {
  World world;
  std::vector<proa::Descriptor> peers;
  for (int i = 0; i < 100; ++i) {
    const Connection pair = world.pair(i % 2 == 0 ? Link::tcp4 : Link::path);
    new Quiet(*world, std::move(pair.near));
    peers.push_back(pair.far.descriptor());
  }
  REQUIRE(counts_malloc());
  for (int i = 0; i < 20; ++i) REQUIRE(ask_all(world, peers));
  const int rounds = sanitized() ? 100 : 1000;
  bool intact = true;
  const std::uint64_t before = allocations();
  for (int i = 0; i < rounds; ++i) intact = intact && ask_all(world, peers);
  const std::uint64_t after = allocations();
  CHECK(intact);
  CHECK(after - before == 0);
}

TEST_CASE("a stream's own size is bounded", "[R10]") {
  // A connection may cost 1 KiB of user memory, and the table of descriptors takes its part.
  INFO("sizeof(StreamHandler) is " << sizeof(proa::StreamHandler));
  CHECK(sizeof(proa::StreamHandler) <= 512);
}

}  // namespace
