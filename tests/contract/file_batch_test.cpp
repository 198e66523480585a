// Requests on files that are handed over together, to workers: which of them share a thread, and
// that none waits for another one.
#include <atomic>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <list>
#include <mutex>
#include <set>
#include <thread>

#include "contract/file_handler_rig.hpp"
#include "support/patterns.hpp"
#include "support/replaced.hpp"
#include "sys/names.hpp"
#include "sys/sys.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

constexpr std::size_t block = 512;
constexpr std::int64_t nowhere = -1;
constexpr std::int64_t everywhere = -2;

// Time stands still: the loop never finds that something has taken long. Nothing that waits may be
// called meanwhile. Declare it behind the World.
class StillClock {
 public:
  StillClock() { ::clock_gettime(CLOCK_MONOTONIC, &time_); }

 private:
  static long tick(timespec* now) noexcept {
    *now = time_;
    return 0;
  }
  inline static timespec time_{};
  Replaced<long(timespec*) noexcept> clock_{proa::sys::table.clock, tick};
};

// The calls that workers make: they are counted, and some wait at a gate.
struct Calls {
  Gate gate;
  std::atomic<std::int64_t> held{nowhere};  // the offset whose reads and writes wait
  std::atomic<bool> cold{false};            // the page cache has nothing
  std::atomic<int> asked{0};                // what kind of file it is
  std::atomic<int> woken{0};                // the loop, by a worker
  std::atomic<int> woken_before{0};         // the same, when the last write began
  std::mutex mutex;
  std::set<std::thread::id> writers;
  std::thread::id loop;

  void wait_at(std::int64_t offset) {
    if (held == offset || held == everywhere) gate.pass();
  }
};
Calls* calls = nullptr;
proa::sys::Table below;

long watched_write(int fd, const iovec* pieces, int count, std::int64_t offset,
                   int flags) noexcept {
  calls->woken_before = calls->woken.load();
  {
    const std::lock_guard lock(calls->mutex);
    calls->writers.insert(std::this_thread::get_id());
  }
  calls->wait_at(offset);
  return below.pwritev2(fd, pieces, count, offset, flags);
}
long watched_read(int fd, const iovec* pieces, int count, std::int64_t offset, int flags) noexcept {
  if ((flags & proa::sys::nowait) != 0 && calls->cold) return -EAGAIN;
  if ((flags & proa::sys::nowait) == 0) calls->wait_at(offset);
  return below.preadv2(fd, pieces, count, offset, flags);
}
long watched_sync(int fd) noexcept {
  calls->gate.pass();
  return below.fsync(fd);
}
long watched_info(int fd, proa::sys::FileInfo* info) noexcept {
  ++calls->asked;
  return below.file_info(fd, info);
}
long watched_signal(int fd) noexcept {
  if (std::this_thread::get_id() != calls->loop) ++calls->woken;
  return below.event_signal(fd);
}

// Declare it behind the World and the files: it opens the gate at its end.
class Watched : public Calls {
 public:
  Watched() {
    loop = std::this_thread::get_id();
    below = proa::sys::table;
    calls = this;
    proa::sys::table.pwritev2 = watched_write;
    proa::sys::table.preadv2 = watched_read;
    proa::sys::table.fsync = watched_sync;
    proa::sys::table.file_info = watched_info;
    proa::sys::table.event_signal = watched_signal;
  }
  ~Watched() {
    gate.open();
    if (world_) world_->shutdown(hang);
    proa::sys::table.pwritev2 = below.pwritev2;
    proa::sys::table.preadv2 = below.preadv2;
    proa::sys::table.fsync = below.fsync;
    proa::sys::table.file_info = below.file_info;
    proa::sys::table.event_signal = below.event_signal;
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  // No thread is inside a call when they are put back.
  void ends(proa::Proactor& world) { world_ = &world; }

 private:
  proa::Proactor* world_ = nullptr;
};

// All by workers, on every configuration.
proa::Options workers(unsigned number) {
  proa::Options with = options();
  with.native_files = false;
  with.workers = number;
  return with;
}

// Turns the loop without waiting, for a while at most.
template <class Holds>
bool becomes(World& world, Holds holds) {
  const auto end = std::chrono::steady_clock::now() + 5s;
  while (!holds() && std::chrono::steady_clock::now() < end) {
    world->poll();
    std::this_thread::yield();
  }
  return holds();
}

// Writes of a block each, side by side.
struct Batch {
  explicit Batch(std::size_t number) : bytes(pattern(7, number * block)), writes(number) {}

  void submit(World& world, proa::Descriptor file) {
    std::size_t at = 0;
    for (WritingAt& each : writes) {
      world.submit(each.to(file, at, std::string_view(bytes).substr(at, block)));
      at += block;
    }
  }
  std::size_t done() const {
    std::size_t number = 0;
    for (const WritingAt& each : writes) number += each.done();
    return number;
  }
  bool all_done() const { return done() == writes.size(); }
  WritingAt& at(std::size_t index) { return *std::next(writes.begin(), std::ptrdiff_t(index)); }
  // Each has completed once, with all its bytes.
  void check(const WritingAt* except = nullptr) const {
    for (const WritingAt& each : writes) {
      REQUIRE(each.results.size() == 1);
      if (&each == except) continue;
      CHECK(!each.error());
      CHECK(each.bytes() == block);
    }
  }

  const std::string bytes;
  std::list<WritingAt> writes;
};

TEST_CASE("quick writes of one round share a thread, and wake the loop once",
          "[file][cost][thread][R8]") {
  const Folder folder;
  Batch batch(8);
  World world(workers(4));
  const proa::File file = open_file(world, folder.file("a", ""));
  const StillClock still;
  Watched watched;
  watched.ends(*world);
  batch.submit(world, file.descriptor());
  CHECK(becomes(world, [&] { return batch.all_done(); }));
  batch.check();
  CHECK(watched.writers.size() == 1);
  CHECK(watched.writers.count(watched.loop) == 0);
  CHECK(watched.woken_before == 0);
  CHECK(contents(folder.path("a")) == batch.bytes);
}

TEST_CASE("of what kind a file is, is not asked for each request", "[file][cost][R8]") {
  const Folder folder;
  Batch batch(64);
  World world(workers(2));
  const proa::File file = open_file(world, folder.file("a", ""));
  Watched watched;
  watched.ends(*world);
  batch.submit(world, file.descriptor());
  CHECK(becomes(world, [&] { return batch.all_done(); }));
  batch.check();
  CHECK(watched.asked <= 1);
}

TEST_CASE("what may block gets a thread of its own, and holds up nothing quick",
          "[file][thread][R8]") {
  const Folder folder;
  Recording<proa::Sync> first, second;
  Batch batch(3);
  World world(workers(4));
  const proa::File file = open_file(world, folder.file("a", ""));
  const StillClock still;
  Watched watched;
  watched.ends(*world);
  for (Recording<proa::Sync>* sync : {&first, &second}) {
    sync->request.prepare(file.descriptor());
    world.submit(sync->request);
  }
  batch.submit(world, file.descriptor());
  CHECK(becomes(world, [&] { return batch.all_done() && watched.gate.arrived() == 2; }));
  CHECK(!first.done());
  CHECK(!second.done());
  batch.check();
  watched.gate.open();
  CHECK(becomes(world, [&] { return first.done() && second.done(); }));
  CHECK(!first.error());
  CHECK(!second.error());
}

TEST_CASE("a write that blocks although it is quick holds up none behind it",
          "[file][thread][R8]") {
  const Folder folder;
  Batch batch(8);
  World world(workers(2));
  const proa::File file = open_file(world, folder.file("a", ""));
  Watched watched;
  watched.ends(*world);
  watched.held = 2 * block;
  batch.submit(world, file.descriptor());
  world.run_until("the others are done", [&] { return batch.done() == batch.writes.size() - 1; });
  CHECK(!batch.at(2).done());
  watched.gate.open();
  world.run_until("it is done", [&] { return batch.all_done(); });
  batch.check();
  CHECK(contents(folder.path("a")) == batch.bytes);
}

TEST_CASE("a write whose run blocks behind it is told", "[file][thread][R8]") {
  const Folder folder;
  Batch batch(2);
  Timing guard;
  World world(workers(1));
  const proa::File file = open_file(world, folder.file("a", ""));
  Watched watched;
  watched.ends(*world);
  watched.held = block;
  batch.at(0).then = [&] {
    CHECK(!batch.at(1).done());
    world->cancel(guard.request);
    watched.gate.open();
  };
  guard.then = [&] { watched.gate.open(); };
  world.submit(guard.request, world.in(5s));
  batch.submit(world, file.descriptor());
  world->run();  // the loop sleeps, and nobody but itself wakes it
  CHECK(guard.error() == std::errc::operation_canceled);
  batch.check();
}

TEST_CASE("what the page cache does not have is read by all threads at once",
          "[file][thread][R8]") {
  const Folder folder;
  const std::string bytes = pattern(8, 4 * block);
  std::list<ReadingAt> reads;
  for (int i = 0; i < 4; ++i) reads.emplace_back(block);
  const auto done = [&] {
    std::size_t number = 0;
    for (const ReadingAt& each : reads) number += each.done();
    return number;
  };
  World world(workers(4));
  const proa::File file = open_file(world, folder.file("a", bytes));
  const StillClock still;
  Watched watched;
  watched.ends(*world);
  watched.cold = true;
  watched.held = everywhere;
  std::size_t at = 0;
  for (ReadingAt& each : reads) world.submit(each.from(file.descriptor(), block * at++));
  CHECK(becomes(world, [&] { return watched.gate.arrived() == 4; }));
  CHECK(done() == 0);
  watched.gate.open();
  CHECK(becomes(world, [&] { return done() == reads.size(); }));
  at = 0;
  for (const ReadingAt& each : reads) {
    CHECK(!each.error());
    CHECK(first_difference(8, each.text(), block * at++) == no_difference);
  }
}

TEST_CASE("one request of a batch is cancelled, the others are done", "[file][R2][R4]") {
  const Folder folder;
  Batch batch(8);
  World world(workers(1));
  const proa::File file = open_file(world, folder.file("a", std::string(8 * block, '.')));
  Watched watched;
  watched.ends(*world);
  watched.held = 0;
  batch.submit(world, file.descriptor());
  world.run_until("a worker is at the first", [&] { return watched.gate.arrived() == 1; });
  WritingAt& cancelled = batch.at(5);
  world->cancel(cancelled.request);
  world->cancel(batch.at(0).request);  // too late
  world.run_until("it is cancelled", [&] { return cancelled.done(); });
  CHECK(cancelled.error() == std::errc::operation_canceled);
  CHECK(cancelled.bytes() == 0);
  CHECK(batch.done() == 1);
  watched.gate.open();
  world.run_until("the others are done", [&] { return batch.all_done(); });
  batch.check(&cancelled);
  const std::string after = contents(folder.path("a"));
  CHECK(after.substr(5 * block, block) == std::string(block, '.'));
  CHECK(after.substr(6 * block) == batch.bytes.substr(6 * block));
}

TEST_CASE("close() of a file in the midst of a batch waits for what was begun", "[file][R4][R6]") {
  const Folder folder;
  Filings filings;
  Batch batch(8);
  World world(workers(1));
  Filing& file = filings.add(*world);
  file.open(folder.file("a", ""), OpenFlags::write);
  wait_for(world, file, "open");
  Watched watched;
  watched.ends(*world);
  watched.held = 0;
  batch.submit(world, file.descriptor());
  world.run_until("a worker is at the first", [&] { return watched.gate.arrived() == 1; });
  file.close();
  world.run_until("the others ended", [&] { return batch.done() == batch.writes.size() - 1; });
  CHECK(!file.is_closed());
  watched.gate.open();
  wait_closed(world, file);
  REQUIRE(batch.all_done());
  CHECK(!batch.at(0).error());
  for (std::size_t i = 1; i < batch.writes.size(); ++i) {
    REQUIRE(batch.at(i).results.size() == 1);
    CHECK(batch.at(i).error() == std::errc::operation_canceled);
  }
  CHECK(contents(folder.path("a")) == batch.bytes.substr(0, block));
}

TEST_CASE("a handler's writes keep their order beside a batch", "[file][R5]") {
  const Folder folder;
  Filings filings;
  Batch batch(8);
  World world;
  const proa::File other = open_file(world, folder.file("b", ""));
  Filing& file = filings.add(*world);
  file.open(folder.file("a", ""), OpenFlags::append);
  std::string expected;
  for (int i = 0; i < 64; ++i) {
    const std::string line = std::to_string(i) + "\n";
    file.write(line);
    expected += line;
    if (i % 8 == 0) file.sync();
  }
  batch.submit(world, other.descriptor());
  file.finish();
  wait_closed(world, file);
  world.run_until("the batch is done", [&] { return batch.all_done(); });
  batch.check();
  CHECK(!file.saw("error"));
  CHECK(contents(folder.path("a")) == expected);
}

TEST_CASE("a file that gets the number of another one is looked at anew", "[file][thread][R8]") {
  const Folder folder;
  Batch before(2);
  Batch batch(2);
  World world(workers(2));
  int number = -1;
  {
    proa::File file = open_file(world, folder.file("a", ""));
    number = file.descriptor().number;
    before.submit(world, file.descriptor());
    world.run_until("it is written", [&] { return before.all_done(); });
    before.check();
  }
  const proa::File file = open_file(world, folder.file("b", ""),
                                    OpenFlags::read | OpenFlags::write | OpenFlags::data_sync);
  REQUIRE(file.descriptor().number == number);
  const StillClock still;
  Watched watched;
  watched.ends(*world);
  watched.held = everywhere;
  batch.submit(world, file.descriptor());
  // Each waits for the disk, and so each has a thread.
  CHECK(becomes(world, [&] { return watched.gate.arrived() == 2; }));
  watched.gate.open();
  CHECK(becomes(world, [&] { return batch.all_done(); }));
  batch.check();
}

}  // namespace
