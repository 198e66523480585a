// Buffers that a handler moves away: they stay valid wherever they go, and when too many are kept
// receiving waits for them.
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::Bytes;

// A handler that keeps what it reads.
struct Hoard {
  explicit Hoard(Stream& stream) {
    stream.read = [this, &stream](Buffer& data) {
      offsets.push_back(stream.received_bytes - data.size());
      kept.push_back(std::move(data));
    };
  }
  std::vector<Buffer> kept;
  std::vector<std::size_t> offsets;
};

// Goes on until nothing has come for a while.
void settle(World& world, const Stream& stream) {
  std::size_t seen = stream.received_bytes + 1;
  while (stream.received_bytes != seen) {
    seen = stream.received_bytes;
    turns(world, 20);
  }
}

TEST_CASE("B03: buffers that are kept make reading wait, without loss", "[R11][B03][T35]") {
  Streams streams;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  auto [stream, far] = line(streams, world, kind);
  stream.expect_pattern(1);
  Hoard hoard(stream);
  constexpr std::size_t size = 2000000;
  far.send_pattern(1, size);
  far.half_close();
  world.run_until("it waits", [&] { return world->counters().buffers_missed > 0; });
  settle(world, stream);
  const std::size_t number = hoard.kept.size();
  CHECK(number >= 32);
  CHECK(number <= 64);
  CHECK(stream.received_bytes < size);
  CHECK(!stream.saw("end"));

  SECTION("one comes back") {
    const std::size_t before = stream.reads;
    hoard.kept.pop_back();
    hoard.offsets.pop_back();
    world.run_until("it went on", [&, &s = stream] { return s.reads > before; });
    settle(world, stream);
    CHECK(hoard.kept.size() <= 64);
  }
  SECTION("all come back") {}
  SECTION("it is closed while it waits") {
    stream.close();
    wait_closed(world, stream);
    CHECK(!stream.error);
    return;
  }
  for (std::size_t i = 0; i < hoard.kept.size(); ++i) {
    CHECK(first_difference(1, hoard.kept[i].text(), hoard.offsets[i]) == no_difference);
  }
  stream.read = {};
  hoard.kept.clear();
  wait_closed(world, stream);
  CHECK(stream.received_bytes == size);
  CHECK(stream.difference == no_difference);
  CHECK(stream.events == Events{"open", "read", "end", "closed"});
}

TEST_CASE("B03: two streams that share too few buffers both go on", "[R8][R11][B03]") {
  Streams streams;
  World world;
  auto [greedy, greedy_far] = line(streams, world);
  auto [modest, modest_far] = line(streams, world);
  modest.expect_pattern(2);
  Hoard hoard(greedy);
  greedy_far.send_pattern(1, 2000000);
  world.run_until("it waits", [&] { return world->counters().buffers_missed > 0; });
  modest_far.send_pattern(2, 100000);
  turns(world, 20);
  greedy.read = {};
  hoard.kept.clear();
  world.run_until("both have all", [&, &g = greedy, &m = modest] {
    return g.received_bytes == 2000000 && m.received_bytes == 100000;
  });
  CHECK(modest.difference == no_difference);
}

TEST_CASE("a buffer given back by another thread wakes the loop", "[R9][R11][thread]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world, Link::path);
  stream.expect_pattern(3);
  Hoard hoard(stream);
  far.send_pattern(3, 1000000);
  world.run_until("it waits", [&] { return world->counters().buffers_missed > 0; });
  settle(world, stream);
  stream.read = {};
  // A reference to each is given back first: that alone must not use up the wake-up.
  std::vector<Buffer> shares;
  for (const Buffer& buffer : hoard.kept) shares.push_back(buffer.share());
  const std::size_t before = stream.reads;
  std::thread other([&, kept = std::move(hoard.kept)]() mutable {
    shares.clear();
    std::this_thread::sleep_for(20ms);
    kept.clear();
  });
  // Sleeps without a time limit of its own, hence needs to be woken. A watchdog ends a hang.
  Timing watchdog;
  world.submit(watchdog.request, world.in(hang));
  while (stream.reads == before && watchdog.results.empty()) world->run_once();
  CHECK(stream.reads > before);
  other.join();
  world->cancel(watchdog.request);
  world.run_until("all came",
                  [&, &s = stream] { return s.received_bytes == 1000000 && watchdog.done(); });
  CHECK(stream.difference == no_difference);
}

TEST_CASE("buffers travel between threads while reading goes on", "[R9][thread]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  std::mutex mutex;
  std::vector<Buffer> queue;
  std::size_t checked = 0;
  std::size_t difference = no_difference;
  std::atomic<bool> over{false};
  stream.read = [&](Buffer& data) {
    const std::lock_guard lock(mutex);
    queue.push_back(std::move(data));
  };
  std::thread other([&] {
    for (;;) {
      const bool last = over.load();
      std::vector<Buffer> batch;
      {
        const std::lock_guard lock(mutex);
        batch.swap(queue);
      }
      for (const Buffer& buffer : batch) {
        if (difference == no_difference) {
          difference = first_difference(4, buffer.text(), checked);
        }
        checked += buffer.size();
      }
      if (last && batch.empty()) return;
    }
  });
  constexpr std::size_t size = 3000000;
  far.send_pattern(4, size);
  far.half_close();
  wait_closed(world, stream, 20s);
  over.store(true);
  other.join();
  CHECK(checked == size);
  CHECK(difference == no_difference);
}

TEST_CASE("buffers outlive their proactor", "[R9][thread]") {
  const World guards;  // its end sees whether the memory was given back
  std::unique_ptr<proa::Proactor> proactor = make_proactor();
  proactor->run_once(0ms);
  std::vector<Buffer> kept;
  for (int i = 0; i < 50; ++i) {
    kept.push_back(proactor->take_buffer());
    kept.back().append("bytes");
  }
  std::thread other;
  SECTION("given back on this thread") { proactor.reset(); }
  SECTION("and on another one") {
    proactor.reset();
    other = std::thread([&] { kept.pop_back(); });
  }
  SECTION("and while the proactor ends") {
    std::vector<Buffer> most(std::make_move_iterator(kept.begin() + 1),
                             std::make_move_iterator(kept.end()));
    kept.resize(1);
    other = std::thread([given = std::move(most)]() mutable { given.clear(); });
    proactor.reset();
  }
  if (other.joinable()) other.join();
  for (const Buffer& buffer : kept) CHECK(buffer.text() == "bytes");
}

TEST_CASE("a proactor ends on another thread while its own gives buffers back", "[R9][thread]") {
  const World guards;
  for (int i = 0; i < 20; ++i) {
    std::unique_ptr<proa::Proactor> proactor = make_proactor();
    std::atomic<bool> shut{false};
    std::thread loop([&] {
      std::vector<Buffer> kept;
      proactor->run_once(0ms);
      for (int n = 0; n < 50; ++n) kept.push_back(proactor->take_buffer());
      proactor->shutdown(hang);
      shut.store(true);
      kept.clear();
    });
    while (!shut.load()) std::this_thread::yield();
    proactor.reset();
    loop.join();
  }
}

}  // namespace
