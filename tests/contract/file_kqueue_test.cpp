// aio(4) as it works and as it fails: the result is that of a healthy one, what cannot go that way
// goes to a worker, and every request is returned.
#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <list>

#include "contract/file_rig.hpp"
#include "support/faults.hpp"
#include "support/patterns.hpp"
#include "support/replaced.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

constexpr std::size_t block = 512;
constexpr std::size_t number = 600;  // more than the kernel takes

bool native_kqueue() {
  return over_kqueue() && !files_by_workers() && proa::sys::table.aio_limit() > 0;
}

// A file that is read by many at once.
class Reads {
 public:
  Reads() : bytes_(pattern(1, number * block)), path_(folder_.file("a", bytes_)) {}

  const std::string& path() const { return path_; }
  std::list<ReadingAt>& all() { return all_; }
  void begin(World& world, proa::Descriptor file) {
    for (std::size_t i = 0; i < number; ++i) {
      world.submit(all_.emplace_back(block).from(file, i * block));
    }
  }
  void wait(World& world) {
    world.run_until("all have ended", [&] {
      return std::all_of(all_.begin(), all_.end(), [](auto& one) { return one.done(); });
    });
  }
  void check(World& world, proa::Descriptor file) {
    begin(world, file);
    wait(world);
    std::string back;
    for (ReadingAt& read : all_) {
      CHECK(!read.error());
      CHECK(read.results.size() == 1);
      back += read.text();
    }
    CHECK((back == bytes_));
    all_.clear();
  }

 private:
  const Folder folder_;
  const std::string bytes_;
  const std::string path_;
  std::list<ReadingAt> all_;
};

decltype(proa::sys::Table::aio_readv) readv_below = nullptr;
decltype(proa::sys::Table::aio_return) return_below = nullptr;
std::size_t taken = 0;
std::size_t most_taken = 0;
std::size_t limit = 0;
int refusal = 0;

// A kernel that takes so many at a time.
long limited_readv(aiocb* request) noexcept {
  if (taken >= limit) return -refusal;
  const long result = readv_below(request);
  if (result == 0) most_taken = std::max(most_taken, ++taken);
  return result;
}
long counted_return(aiocb* request) noexcept {
  --taken;
  return return_below(request);
}
long small_limit() noexcept { return 3; }

struct Limited {
  explicit Limited(std::size_t to, int refusing = EAGAIN) {
    limit = to;
    refusal = refusing;
    taken = most_taken = 0;
  }
  const decltype(readv_below) below = readv_below = proa::sys::table.aio_readv;
  const decltype(return_below) back = return_below = proa::sys::table.aio_return;
  const Replaced<long(aiocb*) noexcept> readv{proa::sys::table.aio_readv, limited_readv};
  const Replaced<long(aiocb*) noexcept> returns{proa::sys::table.aio_return, counted_return};
};

TEST_CASE("files go by aio(4), and every request is returned", "[file][cost][kqueue]") {
  if (!native_kqueue()) return;
  Reads reads;
  Recording<proa::Sync> sync;
  World world;
  const auto& features = world->backend().features;
  CHECK(std::count(features.begin(), features.end(), "EVFILT_AIO for files") == 1);
  const proa::File file = open_file(world, reads.path());
  const Ledger ledger;
  reads.check(world, file.descriptor());
  CHECK(ledger.count(Call::aio_readv) == number);
  sync.request.prepare_data(file.descriptor());
  perform(world, sync);
  CHECK(!sync.error());
  CHECK(ledger.count(Call::aio_fsync) == 1);
  CHECK(ledger.count(Call::aio_return) == number + 1);
  CHECK(ledger.count(Call::preadv2) + ledger.count(Call::fdatasync) == 0);
}

TEST_CASE("no more requests are given to aio(4) than the system allows", "[file][R11][kqueue]") {
  if (!native_kqueue()) return;
  Reads reads;
  const Limited limited(number);
  const Replaced limit_replaced(proa::sys::table.aio_limit, small_limit);
  World world;
  const proa::File file = open_file(world, reads.path());
  reads.check(world, file.descriptor());
  CHECK(most_taken == 3);
  CHECK(taken == 0);
}

// Whoever holds the rest may hold it for long.
TEST_CASE("what aio(4) has no room for goes to a worker", "[file][R11][kqueue]") {
  if (!native_kqueue()) return;
  Reads reads;
  const Limited limited(GENERATE(0u, 1u, 100u));
  World world;
  const proa::File file = open_file(world, reads.path());
  const Ledger ledger;
  reads.check(world, file.descriptor());
  CHECK(ledger.count(Call::preadv2) + ledger.count(Call::aio_return) == number);
  CHECK(ledger.count(Call::preadv2) > 0);
  CHECK(most_taken == limit);
  CHECK(taken == 0);
  limit = 0;  // now that none of ours is there
  reads.check(world, file.descriptor());
}

TEST_CASE("what aio(4) refuses goes to a worker", "[file][R11][R12][kqueue]") {
  if (!native_kqueue()) return;
  Reads reads;
  const Limited limited(100, GENERATE(EOPNOTSUPP, EINVAL, ENOSYS));
  World world;
  const proa::File file = open_file(world, reads.path());
  const Ledger ledger;
  reads.check(world, file.descriptor());
  CHECK(ledger.count(Call::preadv2) > 0);
  CHECK(taken == 0);
}

TEST_CASE("an append is never aio(4)'s, and a FIFO is not asked for", "[file][R12][kqueue]") {
  if (!native_kqueue()) return;
  const Folder folder;
  const std::string fifo = folder.path("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  Recording<proa::WriteAt> append;
  ReadingAt read;
  World world;
  const OpenFlags flags = OpenFlags::read | OpenFlags::append;
  const proa::File file = open_file(world, folder.file("a", "bytes"), flags);
  const proa::File pipe = open_file(world, fifo);
  const Ledger ledger;
  append.request.prepare_append(file.descriptor(), " more");
  perform(world, append);
  CHECK(contents(folder.path("a")) == "bytes more");
  // Any other file would have to be written at an offset.
  const proa::File fixed = open_file(world, folder.path("a"));
  append.request.prepare_append(fixed.descriptor(), " lost");
  perform(world, append);
  CHECK(append.error() == std::errc::operation_not_supported);
  perform(world, (read.from(pipe.descriptor()), read));
  CHECK(read.error() == std::errc::invalid_seek);
  CHECK(ledger.count(Call::aio_writev) + ledger.count(Call::aio_readv) == 0);
}

TEST_CASE("errors of aio(4), at once or at the end, are those of the calls", "[file][R2][kqueue]") {
  if (!native_kqueue()) return;
  const Folder folder;
  ReadingAt read;
  Recording<proa::ReadAt> astray;
  World world;
  const std::string path = folder.file("a", "bytes");
  const proa::File unreadable = open_file(world, path, OpenFlags::write);
  perform(world, (read.from(unreadable.descriptor()), read));
  CHECK(read.error() == std::errc::bad_file_descriptor);
  const proa::File file = open_file(world, path);
  void* const nowhere = reinterpret_cast<void*>(8);
  astray.request.prepare(file.descriptor(), 0, {nowhere, 5});
  const Ledger ledger;
  perform(world, astray);
  CHECK(astray.error() == std::errc::bad_address);
  CHECK(astray.bytes() == 0);
  CHECK(ledger.count(Call::aio_return) == 1);
  CHECK(ledger.count(Call::preadv2) == 0);
  perform(world, (read.from(file.descriptor()), read));
  CHECK(read.text() == "bytes");
}

TEST_CASE("requests are cancelled where they wait, and none is lost", "[file][R2][R4][kqueue]") {
  if (!native_kqueue()) return;
  Reads reads;
  const Limited limited(GENERATE(1u, 256u));
  World world;
  const proa::File file = open_file(world, reads.path());
  const Ledger ledger;
  world->poll();  // before the first run no request goes to the kernel
  reads.begin(world, file.descriptor());
  for (ReadingAt& read : reads.all()) world->cancel(read.request);
  reads.wait(world);
  std::size_t cancelled = 0;
  for (ReadingAt& read : reads.all()) {
    CHECK(read.results.size() == 1);
    if (!read.error()) CHECK(read.bytes() == block);
    if (read.error()) CHECK(read.error() == std::errc::operation_canceled);
    cancelled += read.error() ? 1 : 0;
  }
  CHECK(cancelled >= number - limit);  // those at the kernel: as it sees fit
  CHECK(ledger.count(Call::aio_cancel) == limit);
  CHECK(taken == 0);
  reads.all().clear();
  reads.check(world, file.descriptor());
}

}  // namespace
