// What a handler's file tells of errors that meet exceptions of its callbacks, syncs in flight and
// writes of nothing: each error once, behind all that was done before it.
#include <sys/uio.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <stdexcept>

#include "contract/file_handler_rig.hpp"
#include "support/allocations.hpp"
#include "support/replaced.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

struct Thrown : std::runtime_error {
  Thrown() : runtime_error("thrown by a handler") {}
};

// What callbacks throw is swallowed.
template <class Done>
void run_through(World& world, const char* what, const Done& done) {
  const auto limit = std::chrono::steady_clock::now() + hang;
  while (!done() && std::chrono::steady_clock::now() < limit) {
    try {
      world.turn();
    } catch (const Thrown&) {
    }
  }
  INFO(what);
  REQUIRE(done());
}

TEST_CASE("C07: an exception before a write of nothing: what follows goes where it was told to",
          "[file][R5][C07]") {
  const bool syncs_throw = GENERATE(false, true);
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.written = [](std::size_t) { throw Thrown(); };
  if (syncs_throw) file.synced = [] { throw Thrown(); };
  file.open(folder.path("a"), read_write);
  file.sync();
  file.sync();
  file.write("0000");
  file.sync();
  file.set_write_position(10);
  file.write("");
  file.sync();
  file.write("10");
  file.set_write_position(20);
  file.set_write_position(30);
  file.write("");
  file.write("");
  file.set_write_position(40);
  file.write("40");
  file.finish();
  run_through(world, "it is closed", [&] { return file.is_closed(); });
  CHECK(!file.error);
  CHECK(file.writes == std::vector<std::size_t>{4, 0, 2, 0, 0, 2});
  CHECK(file.syncs == 4);
  const auto gap = [](std::size_t bytes) { return std::string(bytes, '\0'); };
  CHECK(contents(folder.path("a")) == "0000" + gap(6) + "10" + gap(28) + "40");
}

TEST_CASE("C07: exceptions in on_write() while a write fails: each write in the file is told first",
          "[file][R2][C07][F05]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.failed = [](std::error_code) { throw Thrown(); };
  file.written = [](std::size_t) { throw Thrown(); };
  file.open(folder.path("a"), read_write);
  wait_for(world, file, "open");
  const FileSizeLimit limit(50000);
  for (const char byte : {'a', 'b', 'c'}) file.write(std::string(20000, byte));
  file.sync();
  run_through(world, "the error is told", [&] { return file.saw("error"); });
  turns(world, 5);
  CHECK(file.error == std::errc::file_too_large);
  CHECK(file.events == Events{"open", "write", "error"});
  CHECK(file.writes == std::vector<std::size_t>{20000, 20000});
  CHECK(file.write_position() == 50000);
}

// Writes to one file, by workers: those of more than `most` bytes fail. Every fsync(2) waits at the
// gate, then gives `sync_result`.
Gate gate;
Gate write_gate;
std::atomic<bool> holds_writes{false};
constexpr std::size_t most = 100;
long sync_result = 0;
std::atomic<int> too_large{0};
decltype(proa::sys::Table::pwritev2) write_below = nullptr;

long small_write(int fd, const iovec* pieces, int count, std::int64_t offset, int flags) noexcept {
  std::size_t size = 0;
  for (int i = 0; i < count; ++i) size += pieces[i].iov_len;
  if (holds_writes) {
    if (flags != 0) return -EOPNOTSUPP;  // a try of the loop, which must not wait
    write_gate.pass();
  }
  if (size <= most) return write_below(fd, pieces, count, offset, flags);
  ++too_large;
  return -ENOSPC;
}
long held_sync(int) noexcept {
  gate.pass();
  return sync_result;
}

class Disk {
 public:
  explicit Disk(long result = 0) {
    gate.shut();
    write_gate.shut();
    holds_writes = false;
    too_large = 0;
    sync_result = result;
    write_below = before_;
  }
  // So that no worker waits for ever, if the test fails.
  ~Disk() {
    gate.open();
    write_gate.open();
  }

 private:
  decltype(write_below) before_ = proa::sys::table.pwritev2;
  Replaced<long(int, const iovec*, int, std::int64_t, int) noexcept> write_{
      proa::sys::table.pwritev2, small_write};
  Replaced<long(int) noexcept> sync_{proa::sys::table.fsync, held_sync};
};

proa::Options by_workers() {
  proa::Options with = options();
  with.native_files = false;
  return with;
}

// Writes and syncs; returns when the write is told and the Sync at the gate.
void begin_a_sync(World& world, Filing& file, const Folder& folder) {
  file.open(folder.path("a"), read_write);
  file.write("first");
  file.sync();
  world.run_until("the Sync is at work",
                  [&] { return file.writes.size() == 1 && gate.arrived() == 1; });
}

TEST_CASE("F08: a write fails: syncs of the writes before it are told, and told before it",
          "[file][R2][F08]") {
  const Folder folder;
  Filings filings;
  World world(by_workers());
  Disk disk;
  Filing& file = filings.add(*world);
  file.failed = [](std::error_code) {};
  bool finishes = false;
  begin_a_sync(world, file, folder);
  file.write("second");
  file.sync();
  file.sync();
  world.run_until("the second is written", [&] { return file.writes.size() == 2; });
  SECTION("a write that fails") { file.write(std::string(2 * most, '3')); }
  SECTION("a write that is refused") {
    file.set_write_position(std::uint64_t{1} << 63);
    file.write("third");
  }
  SECTION("finish() waits for all of it") {
    file.write(std::string(2 * most, '3'));
    finishes = true;
  }
  file.sync();
  if (finishes) file.finish();
  turns(world, 5);
  CHECK(too_large <= 1);  // it is not tried again
  CHECK(file.events == Events{"open", "write"});
  gate.open();
  if (finishes) {
    wait_closed(world, file);
    CHECK(file.events == Events{"open", "write", "synced", "error", "closed"});
    CHECK(file.syncs == 3);
    return;
  }
  wait_for(world, file, "error");
  turns(world, 5);
  CHECK(file.events == Events{"open", "write", "synced", "error"});
  CHECK(file.syncs == 3);  // the fourth was for the write that failed
  CHECK(file.queued() == 0);
  file.set_write_position(5);
  file.write("again");
  file.sync();
  world.run_until("that one is told", [&] { return file.syncs == 4; });
  CHECK(file.count("error") == 1);
  CHECK(contents(folder.path("a")) == "firstagaind");
}

// A file whose syncs fail, and its errors.
struct FailingSync {
  const Folder folder;
  Filings filings;
  World world{by_workers()};
  Disk disk{-EIO};
  Filing& file = filings.add(*world);
  std::vector<std::error_code> errors;

  FailingSync() {
    file.failed = [this](std::error_code error) { errors.push_back(error); };
  }
};

TEST_CASE("F08: a Sync fails, and a write behind it: both errors are told, in this order",
          "[file][R2][F08]") {
  FailingSync rig;
  World& world = rig.world;
  Filing& file = rig.file;
  std::vector<std::error_code>& errors = rig.errors;
  begin_a_sync(world, file, rig.folder);
  file.write("second");
  file.sync();
  world.run_until("the second is written", [&] { return file.writes.size() == 2; });
  file.write(std::string(2 * most, '3'));
  file.sync();
  const bool finishes = GENERATE(false, true);
  if (finishes) file.finish();
  turns(world, 5);
  gate.open();
  world.run_until("both are told", [&] { return errors.size() >= 2; });
  if (finishes) wait_closed(world, file);
  turns(world, 5);
  REQUIRE(errors.size() == 2);
  CHECK(errors[0] == std::errc::io_error);
  CHECK(errors[1] == std::errc::no_space_on_device);
  CHECK(gate.arrived() == 1);  // what comes behind it would be told as if nothing was lost
  if (finishes) {
    CHECK(file.events == Events{"open", "write", "error", "error", "closed"});
    return;
  }
  CHECK(file.events == Events{"open", "write", "error", "error"});
  sync_result = 0;
  file.set_write_position(0);
  file.write("again");
  file.sync();
  file.finish();
  wait_closed(world, file);
  CHECK(file.syncs == 1);
  CHECK(errors.size() == 2);
}

TEST_CASE("F08: a Sync fails behind which a write is refused: both errors are told, in this order",
          "[file][R2][F08]") {
  FailingSync rig;
  World& world = rig.world;
  Filing& file = rig.file;
  std::vector<std::error_code>& errors = rig.errors;
  begin_a_sync(world, file, rig.folder);
  file.write(proa::Buffer());
  file.write(proa::Buffer());  // behind the gap: told with the first
  gate.open();
  world.run_until("both are told", [&] { return errors.size() >= 2; });
  turns(world, 5);
  REQUIRE(errors.size() == 2);
  CHECK(errors[0] == std::errc::io_error);
  CHECK(errors[1] == std::errc::no_buffer_space);
}

TEST_CASE("F08: what is written in the on_error() of a Sync comes behind the error of the write",
          "[file][R2][F08]") {
  FailingSync rig;
  World& world = rig.world;
  Filing& file = rig.file;
  std::vector<std::error_code>& errors = rig.errors;
  const bool throws = GENERATE(false, true);
  file.failed = [&](std::error_code error) {
    errors.push_back(error);
    if (errors.size() > 1) return;
    sync_result = 0;
    file.set_write_position(0);
    file.write("again");
    file.sync();
    if (throws) throw Thrown();
  };
  begin_a_sync(world, file, rig.folder);
  file.write(std::string(2 * most, '3'));
  turns(world, 5);
  gate.open();
  run_through(world, "the new one is synced", [&] { return file.syncs == 1; });
  REQUIRE(errors.size() == 2);
  CHECK(errors[0] == std::errc::io_error);
  CHECK(errors[1] == std::errc::no_space_on_device);
  if (!throws) CHECK(file.events == Events{"open", "write", "error", "error", "write", "synced"});
  CHECK(contents(rig.folder.path("a")) == "again");
}

TEST_CASE("F08: a Sync fails while a write is in flight: that one ends and is told first",
          "[file][R3][F08]") {
  const Folder folder;
  Filings filings;
  World world(by_workers());
  Disk disk(-EIO);
  Filing& file = filings.add(*world);
  file.failed = [](std::error_code) {};
  begin_a_sync(world, file, folder);
  holds_writes = true;
  file.write("second");
  world.run_until("the write is at work", [] { return write_gate.arrived() == 1; });
  gate.open();
  turns(world, 20);
  CHECK(!file.saw("error"));
  CHECK(file.queued() > 0);
  write_gate.open();
  wait_for(world, file, "error");
  CHECK(file.events == Events{"open", "write", "error"});
  CHECK(file.writes.size() == 2);
  CHECK(contents(folder.path("a")) == "firstsecond");
}

TEST_CASE("a file that does not open: a write of nothing waits for one that does",
          "[file][R2][F03]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.failed = [](std::error_code) {};
  file.open(folder.path("none"), OpenFlags::write);
  file.write("");
  file.write("a");
  wait_for(world, file, "error");
  turns(world, 5);
  CHECK(file.events == Events{"error"});
  file.open(folder.path("a"), read_write);
  world.run_until("both are written", [&] { return file.writes.size() == 2; });
  CHECK(file.events == Events{"error", "open", "write"});
  CHECK(file.writes == std::vector<std::size_t>{0, 1});
}

TEST_CASE("a write that finds no memory is told before finish() closes", "[file][R2]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.open(folder.path("a"), read_write);
  world.run_until("it is open", [&] { return file.saw("open"); });
  const std::string large(std::size_t{8} << 20, 'x');
  proa::Watermarks marks;
  marks.limit = std::size_t{16} << 20;
  file.set_watermarks(marks);
  {
    const Replaced no_memory(
        proa::sys::table.map, +[](std::size_t, void**) noexcept -> long { return -ENOMEM; });
    file.write(proa::Bytes(large));
  }
  file.finish();
  world.run_until("it is closed", [&] { return file.is_closed(); });
  CHECK(file.error == std::errc::no_buffer_space);
  CHECK(file.count("error") == 1);
}

TEST_CASE("an open() behind close() that finds no memory is an error, told once",
          "[file][R2][R6]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  const std::string path = folder.path("a");
  file.open(path, read_write);
  if (GENERATE(false, true)) wait_for(world, file, "open");
  file.events.clear();
  file.close();
  if (GENERATE(false, true)) file.open(path, read_write);  // which the next one replaces
  bool failed = false;
  {
    FailingAllocation none(1, true);
    file.open(path, read_write);
    failed = none.stop();
  }
  CHECK(failed);
  wait_for(world, file, "error");
  CHECK(file.error == std::errc::not_enough_memory);
  world.run_until("it was closed again", [&] { return file.count("closed") == 2; });
  turns(world, 5);
  CHECK(file.events == Events{"closed", "error", "closed"});
  file.events.clear();
  file.open(path, read_write);  // as new
  wait_for(world, file, "open");
  file.close();
  wait_closed(world, file);
}

// An on_error() that closes, as the default does, or does nothing.
TEST_CASE("finish() of a file's handler closes behind the error that is due", "[file][R2]") {
  Filings filings;
  World world;
  std::vector<std::error_code> errors;
  std::error_condition expected = std::errc::bad_file_descriptor;
  Filing* file = nullptr;
  const bool closes = GENERATE(true, false);
  const bool finishes = GENERATE(true, false);
  SECTION("write(), no open()") {
    file = &filings.add(*world);
    file->write("x");
  }
  SECTION("sync(), no open()") {
    file = &filings.add(*world);
    file->sync();
  }
  SECTION("an invalid file, and a write") {
    file = &filings.add(*world, proa::File());
    file->write("x");
  }
  SECTION("a file that is not there") {
    file = &filings.add(*world);
    file->write("x");
    file->open("/nonexistent/proa", OpenFlags::read);
    expected = std::errc::no_such_file_or_directory;
  }
  file->failed = [&](std::error_code error) {
    errors.push_back(error);
    if (closes) file->close();
  };
  if (finishes) file->finish();
  CHECK(file->events.empty());
  if (closes || finishes) wait_closed(world, *file);
  world.run_until("it was told", [&] { return !errors.empty(); });
  turns(world, 20);
  REQUIRE(errors.size() == 1);
  CHECK(errors[0] == expected);
  CHECK(file->is_open() == (!closes && !finishes));
}

TEST_CASE("an error that has nothing to do with it does not hide the want of a file",
          "[file][R2]") {
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  std::vector<std::error_code> errors;
  file.failed = [&](std::error_code error) { errors.push_back(error); };
  const bool first = GENERATE(true, false);
  if (first) file.set_watermarks({1, 2, 3});
  file.write("x");
  if (!first) file.set_watermarks({1, 2, 3});
  turns(world, 20);
  REQUIRE(errors.size() == 2);
  CHECK(errors[0] == std::errc::invalid_argument);
  CHECK(errors[1] == std::errc::bad_file_descriptor);
}

TEST_CASE("a file's refused write hides no other error, and none hides it", "[file][R2]") {
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  std::vector<int> errors;
  file.failed = [&](std::error_code error) { errors.push_back(error.value()); };
  std::vector<int> expected = {EINVAL, ENOBUFS};
  const bool opens = GENERATE(false, true);
  const bool first = GENERATE(false, true);
  CAPTURE(opens, first);
  if (opens) file.open("/none/such", proa::OpenFlags::write);
  if (first) file.write(proa::Buffer());
  file.set_watermarks({1, 2, 3});
  if (!first) file.write(proa::Buffer());
  if (opens) expected.push_back(ENOENT);
  world.run_until("all were told", [&] { return errors.size() >= expected.size(); });
  turns(world, 5);
  std::sort(errors.begin(), errors.end());
  std::sort(expected.begin(), expected.end());
  CHECK(errors == expected);
}

}  // namespace
