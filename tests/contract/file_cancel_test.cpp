// Requests on files that are cancelled, late, or in flight when all ends; and CloseFile beside
// them.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <thread>

#include "contract/file_rig.hpp"
#include "support/ledger.hpp"
#include "support/patterns.hpp"
#include "support/replaced.hpp"
#include "sys/names.hpp"
#include "sys/sys.hpp"

namespace {

using namespace proa_test;
using proa::Error;
using proa::OpenFlags;

Gate gate;
decltype(proa::sys::Table::ftruncate) truncate_below = nullptr;
decltype(proa::sys::Table::openat) open_below = nullptr;

long held_truncate(int fd, std::int64_t size) noexcept {
  gate.pass();
  return truncate_below(fd, size);
}
long held_open(int at, const char* path, int flags, unsigned mode) noexcept {
  gate.pass();
  return open_below(at, path, flags, mode);
}

// One worker, which a Truncate or an Open holds until the gate is opened.
proa::Options one_worker() {
  proa::Options with = options();
  with.native_files = false;
  with.workers = 1;
  return with;
}

class Hold {
 public:
  Hold() {
    gate.shut();
    truncate_below = truncate_before_;
    open_below = open_before_;
  }
  ~Hold() { gate.open(); }

 private:
  decltype(truncate_below) truncate_before_ = proa::sys::table.ftruncate;
  decltype(open_below) open_before_ = proa::sys::table.openat;
  Replaced<long(int, std::int64_t) noexcept> truncate_{proa::sys::table.ftruncate, held_truncate};
  Replaced<long(int, const char*, int, unsigned) noexcept> open_{proa::sys::table.openat,
                                                                 held_open};
};

// Holds the worker with a Truncate to 3 bytes.
void hold(World& world, Recording<proa::Truncate>& cut, proa::Descriptor file) {
  cut.request.prepare(file, 3);
  world.submit(cut.request);
  world.run_until("a worker is held", [] { return gate.arrived() == 1; });
}

TEST_CASE("F09: a queued request is cancelled at once, its memory untouched", "[file][R4][F09]") {
  const Folder folder;
  const std::string path = folder.file("a", "bytes");
  Recording<proa::Truncate> running;
  ReadingAt read(5);
  WritingAt write;
  Recording<proa::Sync> late;
  Recording<proa::Open> open;
  World world(one_worker());
  const proa::File file = open_file(world, path);
  Hold held;
  hold(world, running, file.descriptor());
  world.submit(read.from(file.descriptor()));
  world.submit(write.to(file.descriptor(), 0, "other"));
  late.request.prepare(file.descriptor());
  world.submit(late.request, world.in(1ms));
  open.request.prepare(path, OpenFlags::read);
  world.submit(open.request);
  world->cancel(read.request);
  world->cancel(write.request);
  world->cancel(open.request);
  world->cancel(running.request);  // too late
  world.run_until("they ended", [&] { return write.done() && open.done() && late.done(); });
  CHECK(read.error() == std::errc::operation_canceled);
  CHECK(read.bytes() == 0);
  CHECK(read.memory == "?????");
  CHECK(write.error() == std::errc::operation_canceled);
  CHECK(late.error() == Error::deadline);
  CHECK(open.error() == std::errc::operation_canceled);
  CHECK(!open.request.file().valid());
  CHECK(!running.done());
  gate.open();
  world.run_until("what ran is done", [&] { return running.done(); });
  CHECK(!running.error());
  CHECK(contents(path) == "byt");
}

TEST_CASE("a file that was opened although it was cancelled is delivered", "[file][R4][F09]") {
  const Folder folder;
  const std::string path = folder.file("a", "bytes");
  Recording<proa::Open> open;
  ReadingAt read;
  World world(one_worker());
  Hold held;
  open.request.prepare(path, OpenFlags::read);
  world.submit(open.request);
  world.run_until("a worker is at it", [] { return gate.arrived() == 1; });
  SECTION("cancel") {
    world->cancel(open.request);
    gate.open();
    world.run_until("it is open", [&] { return open.done(); });
    CHECK(!open.error());
    const proa::File file = std::move(open.request.file());
    REQUIRE(file.valid());
    perform(world, (read.from(file.descriptor()), read));
    CHECK(read.text() == "bytes");
  }
  SECTION("but closed at the end of all") {
    std::thread opener([] { gate.open(); });
    CHECK(world->shutdown(hang) == 0);
    opener.join();
    CHECK(open.results.size() == 1);
    CHECK(open.error() == std::errc::operation_canceled);
    CHECK(!open.request.file().valid());
  }
}

// Requests of all kinds, many of each.
struct Crowd {
  static constexpr std::size_t number = 40;
  static constexpr std::size_t block = 4096;

  std::list<ReadingAt> reads;
  std::list<WritingAt> writes;
  std::list<Aligned> memory;
  std::list<Recording<proa::ReadAt>> direct;
  std::list<Recording<proa::Open>> opens;
  std::list<Recording<proa::Sync>> syncs;
  std::list<Recording<proa::Status>> statuses;
  Recording<proa::ListDirectory> list;
  Recording<proa::Truncate> cut;
  const std::string bytes = pattern(1, block);

  template <class Submit>
  void begin(Submit submit, const std::string& path, proa::Descriptor file,
             proa::Descriptor direct_file) {
    for (std::size_t i = 0; i < number; ++i) {
      submit(reads.emplace_back(block).from(file, i * block));
      submit(writes.emplace_back().to(file, i * block, bytes));
      opens.emplace_back().request.prepare(path, OpenFlags::read);
      submit(opens.back().request);
      direct.emplace_back().request.prepare(direct_file, i * block,
                                            memory.emplace_back(block).all());
      submit(direct.back().request);
      syncs.emplace_back().request.prepare(file);
      submit(syncs.back().request);
      statuses.emplace_back().request.prepare(file);
      submit(statuses.back().request);
    }
    list.request.prepare("/");
    submit(list.request);
    cut.request.prepare(file, number * block);
    submit(cut.request);
  }
  template <class Visit>
  void each(Visit visit) {
    const auto all = [&](auto& some) { std::for_each(some.begin(), some.end(), visit); };
    all(reads), all(writes), all(direct), all(opens), all(syncs), all(statuses);
    visit(list), visit(cut);
  }
  std::size_t results() {
    std::size_t sum = 0;
    each([&](auto& one) { sum += one.results.size(); });
    return sum;
  }
  void check_ended() {
    each([](auto& one) {
      CHECK(one.results.size() == 1);
      CHECK(!one.request.pending());
      if (one.error()) CHECK(one.error() == std::errc::operation_canceled);
    });
    for (auto& open : opens) {
      if (open.error()) CHECK(!open.request.file().valid());
      open.request.file().close();
    }
  }
};

TEST_CASE("C06: at the end all that is in flight on files completes once", "[file][R2][R4][C06]") {
  const Folder folder;
  const std::string path = folder.file("a", pattern(2, Crowd::number * Crowd::block));
  Crowd crowd;
  World world;
  proa::File file = open_file(world, path);
  proa::File direct = open_file(world, path, OpenFlags::read | OpenFlags::direct);
  crowd.begin([&](proa::Operation& operation) { world.submit(operation); }, path, file.descriptor(),
              direct.descriptor());
  const int turns = GENERATE(0, 1, 3);
  for (int i = 0; i < turns; ++i) world->run_once(1ms);
  CHECK(world->shutdown(hang) == 0);
  crowd.check_ended();
  const std::size_t results = crowd.results();
  file.close();
  direct.close();
  world.end(true);
  CHECK(crowd.results() == results);
}

TEST_CASE("C06: a proactor is destroyed with requests on files in flight", "[file][R2][C06]") {
  const Folder folder;
  const std::string path = folder.file("a", pattern(2, Crowd::number * Crowd::block));
  const std::size_t before = open_descriptors();
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  const int direct = static_cast<int>(
      proa::sys::openat(AT_FDCWD, path.c_str(), O_RDONLY | proa::sys::direct_io, 0));
  Crowd crowd;
  {
    const auto proactor = make_proactor();
    std::error_code error;
    const proa::File near = proa::File::borrow(*proactor, file, error);
    const proa::File far = proa::File::borrow(*proactor, direct, error);
    crowd.begin([&](proa::Operation& operation) { REQUIRE(!proactor->submit(operation)); }, path,
                near.descriptor(), far.descriptor());
    CHECK(proactor->shutdown(hang) == 0);
    crowd.check_ended();
  }
  ::close(file);
  ::close(direct);
  CHECK(open_descriptors() == before);
}

TEST_CASE("what the kernel was not given yet is cancelled at the end", "[file][R4][C06]") {
  if (!over_epoll() || files_by_workers()) return;
  const Folder folder;
  std::list<Aligned> memory;
  std::list<Recording<proa::ReadAt>> reads;
  ReadingAt cached;
  World world;
  const std::string path = folder.file("a", pattern(2, 4096));
  proa::File file = open_file(world, path, OpenFlags::read | OpenFlags::direct);
  proa::File buffered = open_file(world, path, OpenFlags::read);
  {
    const Ledger ledger;
    for (int i = 0; i < 10; ++i) {
      reads.emplace_back().request.prepare(file.descriptor(), 0, memory.emplace_back(4096).all());
      world.submit(reads.back().request);
    }
    world.submit(cached.from(buffered.descriptor()));
    CHECK(world->shutdown(hang) == 0);
    CHECK(ledger.count(Call::aio_submit) == 0);
    CHECK(ledger.count(Call::preadv2) == 0);
  }
  for (auto& read : reads) CHECK(read.error() == std::errc::operation_canceled);
  CHECK(cached.error() == std::errc::operation_canceled);
  file.close();
  buffered.close();
  world.end(true);
}

}  // namespace
