// What files cost a stream: a long one no memory, and none of them an allocation in steady state.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>

#include "contract/file_rig.hpp"
#include "contract/stream_rig.hpp"
#include "support/allocations.hpp"

namespace {

using namespace proa_test;

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = kib * kib;

// A line of /proc/self/status, in KiB.
std::size_t memory_of_process(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::size_t size = 0;
    if (word == name + ":" && status >> size) return size;
  }
  FAIL("no " << name);
  return 0;
}

// The highest that the process was since then.
void forget_highest_memory() { std::ofstream("/proc/self/clear_refs") << 5; }

// Takes what a stream sends, compares it with a file that is zero but for marks, and slows down now
// and then.
class Taker {
 public:
  Taker(World& world, proa::Descriptor from)
      : world_(world), from_(from), memory_(128 * kib, '?') {}

  std::uint64_t taken = 0;
  bool intact = true;

  void turn() {
    const std::uint64_t share = taken % (16 * mib) < mib ? 32 * kib : 4 * mib;  // slow for a while
    for (std::uint64_t got = 0; got < share;) {
      const long size = world_.system().recv(from_, {memory_.data(), memory_.size()});
      if (size <= 0) return;
      compare(static_cast<std::size_t>(size));
      got += static_cast<std::uint64_t>(size);
    }
  }

 private:
  void compare(std::size_t size) {
    static const std::string zeros(128 * kib, '\0');
    std::size_t at = 0;
    while (at < size) {
      const std::uint64_t place = taken % (16 * mib);
      const std::uint64_t rest = place < kib ? kib - place : 16 * mib - place;
      const std::size_t part = std::min<std::uint64_t>(size - at, rest);
      const std::string_view here(memory_.data() + at, part);
      intact = intact && (place < kib ? first_difference(1, here, taken) == no_difference
                                      : here == std::string_view(zeros).substr(0, part));
      at += part;
      taken += part;
    }
  }

  World& world_;
  proa::Descriptor from_;
  std::string memory_;
};

TEST_CASE("a long file goes to a slow reader in constant memory", "[file]") {
  const bool all = std::getenv("PROA_TEST_BIG") != nullptr;
  const std::size_t size = (sanitized() ? 64 : all ? 1024 : 256) * mib;
  const Folder folder;
  {
    std::ofstream file(folder.path("a"), std::ios::binary);
    for (std::size_t at = 0; at < size; at += 16 * mib) {
      file.seekp(static_cast<std::streamoff>(at));
      file << pattern(1, kib, at);
    }
    file.seekp(static_cast<std::streamoff>(size - 1)).put('\0');
  }
  Streams streams;
  World world;
  const proa::File file = open_file(world, folder.path("a"));
  auto [stream, far] = line(streams, world);
  far.read(false);
  wait_open(world, stream);
  Taker taker(world, far.descriptor());
  forget_highest_memory();
  const std::size_t before = memory_of_process("VmRSS");
  std::size_t most_queued = 0;
  stream.send_file(file.descriptor(), 0, size);
  world.run_until(
      "all has arrived",
      [&, &s = stream] {
        taker.turn();
        most_queued = std::max(most_queued, s.queued());
        return taker.taken == size;
      },
      60s);
  world.run_until("it was told", [&s = stream] { return !s.writes.empty(); });
  const std::size_t grown = std::max(memory_of_process("VmHWM"), before) - before;
  if (all) WARN("memory grew by " << grown << " KiB");
  CHECK(taker.intact);
  CHECK(most_queued == 0);
  CHECK(stream.writes == std::vector<std::size_t>{size});
  if (!sanitized()) CHECK(grown < 8 * kib);
}

// Stores what comes in a file, and sends it back from there in parts that wait for each other.
struct Store : proa::StreamHandler {
  Store(proa::Proactor& proactor, proa::Socket socket, proa::Descriptor to)
      : StreamHandler(proactor, std::move(socket)), file(to) {}
  void on_open() override {
    receive_file(file, 0, size);
    receive_file(file, 0, size);
  }
  void on_read(proa::Buffer&) override {}
  void on_received(std::uint64_t bytes) override {
    send_file(file, 0, bytes / 2);
    send_file(file, bytes / 2, bytes - bytes / 2);
    receive_file(file, 0, size);
  }
  void on_closed() override { delete this; }
  static constexpr std::size_t size = 1000;
  proa::Descriptor file;
};

TEST_CASE("files that are received and sent allocate nothing in steady state", "[file][R10]") {
  const Folder folder;
  proa::Options with = options();
  with.workers = 1;  // one that begins late is an allocation
  World world(with);
  const proa::File file = open_file(world, folder.file("a", ""));
  const Connection pair = world.pair(Link::path);
  new Store(*world, std::move(pair.near), file.descriptor());
  char bytes[Store::size] = {'?'};
  const auto ask = [&] {
    const PeerAtWork peer;
    if (world.system().send(pair.far.descriptor(), {bytes, sizeof bytes}) != sizeof bytes) {
      return false;
    }
    for (std::size_t have = 0; have < sizeof bytes;) {
      const long got =
          world.system().recv(pair.far.descriptor(), {bytes + have, sizeof bytes - have});
      if (got > 0) have += static_cast<std::size_t>(got);
      if (got <= 0) world->run_once(5s);
    }
    return true;
  };
  REQUIRE(counts_malloc());
  bool intact = true;
  for (int i = 0; i < 50; ++i) intact = intact && ask();
  const std::uint64_t before = allocations();
  for (int i = 0; i < 300; ++i) intact = intact && ask();
  const std::uint64_t after = allocations();
  CHECK(intact);
  CHECK(after - before == 0);
}

}  // namespace
