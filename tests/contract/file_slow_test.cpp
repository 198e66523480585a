// A file whose every read takes 50 ms: what that costs the others on the loop (nothing), and how
// requests end that are at it.
#include <algorithm>
#include <list>
#include <optional>
#include <vector>

#include "contract/file_rig.hpp"
#include "support/cpu_wait.hpp"
#include "support/patterns.hpp"
#include "support/slow_files.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

constexpr std::size_t block = 4096;
constexpr std::size_t many = 16;  // in flight: more than there are workers

bool by_workers() { return over_epoll() || files_by_workers(); }

// Reads that begin again when they have completed.
class Readers {
 public:
  Readers(World& world, proa::Descriptor file) {
    for (std::size_t i = 0; i < many; ++i) {
      ReadingAt& read = reads_.emplace_back(block);
      read.then = [&world, &read, file, this] {
        good_ +=
            !read.error() && first_difference(slow_seed, read.text(), at(read)) == no_difference;
        if (going_) world.submit(read.from(file, (at(read) + many * block) % slow_size));
      };
      world.submit(read.from(file, i * block));
    }
  }
  void stop() { going_ = false; }
  bool done() const {
    return std::all_of(reads_.begin(), reads_.end(), [](auto& one) { return one.done(); });
  }
  std::size_t completed() const {
    std::size_t sum = 0;
    for (const ReadingAt& read : reads_) sum += read.results.size();
    return sum;
  }
  std::size_t good() const { return good_; }

 private:
  static std::size_t at(const ReadingAt& read) {
    return static_cast<std::size_t>(read.request.offset());
  }
  std::list<ReadingAt> reads_;
  std::size_t good_ = 0;
  bool going_ = true;
};

// Writes, each followed by a sync, that begin again.
class Writers {
 public:
  Writers(World& world, proa::Descriptor file) {
    for (std::size_t i = 0; i < many; ++i) {
      Pair& pair = pairs_.emplace_back();
      const auto write = [&world, &pair, file, i, this] {
        world.submit(pair.write.to(file, i * block, bytes_));
      };
      pair.write.then = [&world, &pair, file, this] {
        good_ += !pair.write.error() && pair.write.bytes() == block;
        pair.sync.request.prepare(file);
        world.submit(pair.sync.request);
      };
      pair.sync.then = [this, write, &pair] {
        good_ += !pair.sync.error();
        if (going_) write();
      };
      write();
    }
  }
  void stop() { going_ = false; }
  bool done() const {
    return std::all_of(pairs_.begin(), pairs_.end(), [](const Pair& one) {
      return one.sync.done() && one.write.done() &&
             one.sync.results.size() == one.write.results.size();
    });
  }
  std::size_t completed() const {
    std::size_t sum = 0;
    for (const Pair& pair : pairs_) sum += pair.write.results.size() + pair.sync.results.size();
    return sum;
  }
  std::size_t good() const { return good_; }

 private:
  struct Pair {
    WritingAt write;
    Recording<proa::Sync> sync;
  };
  const std::string bytes_ = pattern(1, block);
  std::list<Pair> pairs_;
  std::size_t good_ = 0;
  bool going_ = true;
};

// Half of what the disk takes. A busy machine slows the loop down, not the disk.
const proa::Duration late = 25ms;
constexpr std::size_t trips = 250;
constexpr std::size_t late_trips = trips / 100;  // of them the 99th percentile knows nothing

// The 99th percentile of the time that one byte takes to an echoing connection and back, less what
// other threads had the processor for. Each is sent a millisecond after the one before was back, so
// that a pause of the loop is seen once. The peer is turned by the same thread: no other one's
// scheduling is measured. Returns once it is clear that it is late.
proa::Duration p99_of_echo(World& world, const Connection& line) {
  std::vector<proa::Duration> lengths;
  std::size_t were_late = 0;
  while (lengths.size() < trips && were_late <= late_trips) {
    const proa::TimePoint due = world.in(1ms);
    const proa::Duration waited = waited_for_cpu();
    while (world.system().now() < due) world.turn();
    const std::size_t before = line.far.received_bytes();
    line.far.send("x");
    world.run_until("the byte is back", [&] { return line.far.received_bytes() > before; });
    const proa::Duration length = world.system().now() - due;
    lengths.push_back(length - (waited_for_cpu() - waited));
    were_late += lengths.back() >= late;
  }
  std::sort(lengths.begin(), lengths.end());
  return lengths[lengths.size() - 1 - late_trips];
}

// What is left of the machine's noise is no property of the loop either: the best of some measures
// counts, each of them fresh. Where the loop waits for the disk, all are bad.
proa::Duration best_p99(World& world, const Connection& line) {
  proa::Duration best = proa::Duration::max();
  for (int attempt = 0; attempt < 3 && best >= late; ++attempt) {
    best = std::min(best, p99_of_echo(world, line));
  }
  return best;
}

template <class Load>
void echo_beside(const SlowFiles& files, const char* name) {
  Read read;
  Sending send;
  std::optional<Load> load;
  World world;
  const proa::File file = open_file(world, files.path(name));
  const Connection line = world.pair();
  send.then = [&] { world.submit(read.from(line.descriptor())); };
  read.then = [&] {
    if (!read.error() && read.bytes() > 0) world.submit(send.to(line.descriptor(), read.text()));
  };
  world.submit(read.from(line.descriptor()));
  load.emplace(world, file.descriptor());
  const proa::Duration p99 = best_p99(world, line);
  const std::size_t meanwhile = load->completed();
  load->stop();
  world.run_until("the disk is idle", [&] { return load->done(); });
  INFO("99th percentile: " << p99 / 1us << " us; " << meanwhile << " requests completed meanwhile");
  CHECK(p99 < late);
  CHECK(meanwhile >= 4);  // the disk was at work
  CHECK(load->good() == load->completed());
}

TEST_CASE("a slow disk that is read does not hold up its loop", "[file][slow][R8]") {
  const SlowFiles files;
  if (files.missing()) return;
  echo_beside<Readers>(files, slow_reads);
}

TEST_CASE("a slow disk that is written and synced does not hold up its loop", "[file][slow][R8]") {
  const SlowFiles files;
  if (files.missing()) return;
  echo_beside<Writers>(files, slow_writes);
}

// Reads of a slow file, all at once. Declare them before the World.
struct Reads {
  static constexpr std::size_t number = 64;

  // Until the first has completed: then some are at the disk, and others have not begun.
  void begin(World& world, proa::Descriptor file, proa::Duration limit = proa::Duration::max()) {
    for (std::size_t i = 0; i < number; ++i) {
      all.emplace_back(block);
      world.submit(all.back().from(file, i * block),
                   limit == proa::Duration::max() ? proa::never : world.in(limit));
    }
    world.run_until("one is read", [&] { return completed() > 0; });
  }
  std::size_t completed() const {
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](auto& one) { return one.done(); }));
  }
  // Each has all its bytes, or the error and nothing. Returns how many have the error.
  template <class Code>
  std::size_t check(Code error) {
    std::size_t failed = 0;
    for (ReadingAt& read : all) {
      REQUIRE(read.results.size() == 1);
      if (read.error()) {
        ++failed;
        CHECK(read.error() == error);
        CHECK(read.bytes() == 0);
        CHECK(read.memory == std::string(block, '?'));
      } else {
        const auto offset = static_cast<std::size_t>(read.request.offset());
        CHECK(read.bytes() == block);
        CHECK(first_difference(slow_seed, read.text(), offset) == no_difference);
      }
    }
    return failed;
  }

  std::list<ReadingAt> all;
};

TEST_CASE("F09: reads of a slow disk are cancelled, or complete", "[file][slow][R4][F09]") {
  const SlowFiles files;
  if (files.missing()) return;
  Reads reads;
  World world;
  const proa::File file = open_file(world, files.path(slow_reads));
  reads.begin(world, file.descriptor());
  for (ReadingAt& read : reads.all) world->cancel(read.request);
  world.run_until("all have ended", [&] { return reads.completed() == Reads::number; });
  const std::size_t cancelled = reads.check(std::errc::operation_canceled);
  CHECK(cancelled < Reads::number);
  if (by_workers()) CHECK(cancelled > Reads::number / 2);
}

TEST_CASE("a deadline ends what a slow disk has not begun", "[file][slow][R4][R7]") {
  const SlowFiles files;
  if (files.missing()) return;
  Reads reads;
  World world;
  const proa::File file = open_file(world, files.path(slow_reads));
  reads.begin(world, file.descriptor(), 80ms);
  world.run_until("all have ended", [&] { return reads.completed() == Reads::number; });
  const std::size_t ended = reads.check(proa::Error::deadline);
  CHECK(ended < Reads::number);
  if (by_workers()) CHECK(ended > Reads::number / 2);
}

TEST_CASE("shutdown waits for a slow disk, no longer than it may", "[file][slow][R2][C06]") {
  const SlowFiles files(1s);
  if (files.missing()) return;
  Reads reads;
  World world;
  const proa::File file = open_file(world, files.path(slow_reads));
  reads.begin(world, file.descriptor());
  const proa::TimePoint soon = world.in(300ms);
  world.run_until("the workers are at the disk again",
                  [&] { return world.system().now() >= soon; });
  const std::size_t left = world->shutdown(20ms);
  CHECK(left == Reads::number - reads.completed());
  if (by_workers()) CHECK(left == 4);
  CHECK(world->shutdown(hang) == 0);
  const std::size_t cancelled = reads.check(std::errc::operation_canceled);
  if (by_workers()) CHECK(cancelled > Reads::number / 2);
}

}  // namespace
