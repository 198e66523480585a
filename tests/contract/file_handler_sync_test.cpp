// What a handler's file says of its writes: errors and what they leave behind, and syncs.
#include <sys/uio.h>

#include <condition_variable>
#include <mutex>

#include "contract/file_handler_rig.hpp"
#include "sys/sys.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

TEST_CASE("F05: no room on the disk: one on_error(), and what was told is in the file",
          "[file][R2][F05]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.failed = [](std::error_code) {};
  SECTION("/dev/full") {
    file.open("/dev/full", OpenFlags::write);
    file.write("nothing ");
    file.write("is taken");
    file.sync();
    wait_for(world, file, "error");
    CHECK(file.writes.empty());
    file.write("neither is this");
    file.sync();
    turns(world, 5);
    CHECK(file.write_position() == 0);
  }
  SECTION("at the limit of a descriptor's offsets") {
    // The last write crosses the end of what can be addressed.
    file.open(folder.path("a"), read_write);
    file.write("before");
    file.set_write_position((std::uint64_t{1} << 63) - 4);
    file.write("behind it");
    file.write("never");
    file.sync();
    wait_for(world, file, "error");
    CHECK(file.writes == std::vector<std::size_t>{6});
    CHECK(contents(folder.path("a")) == "before");
  }
  CHECK(file.count("error") == 1);
  CHECK(file.syncs == 0);
  CHECK(file.queued() == 0);
  file.finish();
  wait_closed(world, file);
  CHECK(file.syncs == 0);
}

TEST_CASE("F05: room for a part of what is written: the position says how much is in the file",
          "[file][R2][F05]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.failed = [](std::error_code) {};
  file.open(folder.path("a"), read_write);
  wait_for(world, file, "open");
  const FileSizeLimit limit(50000);
  file.write(std::string(20000, 'a'));
  file.write(std::string(20000, 'b'));
  file.write(std::string(20000, 'c'));
  file.write("d");
  file.sync();
  wait_for(world, file, "error");
  turns(world, 3);
  CHECK(file.error == std::errc::file_too_large);
  CHECK(file.events == Events{"open", "write", "error"});
  CHECK(file.writes == std::vector<std::size_t>{20000, 20000});
  CHECK(file.write_position() == 50000);
  CHECK(contents(folder.path("a")) ==
        std::string(20000, 'a') + std::string(20000, 'b') + std::string(10000, 'c'));
}

TEST_CASE("after an error writing goes on where set_write_position() says", "[file]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.failed = [&](std::error_code) {
    file.set_write_position(3);
    file.write("again");
    file.sync();
  };
  file.open(folder.file("a", "0123"), read_write);
  file.set_write_position(std::uint64_t{1} << 63);
  file.write("nowhere");
  file.write("neither");
  file.sync();
  world.run_until("it is on the disk", [&] { return file.syncs == 1; });
  CHECK(file.writes == std::vector<std::size_t>{5});
  CHECK(file.count("error") == 1);
  CHECK(contents(folder.path("a")) == "012again");
}

TEST_CASE("on_synced() comes once per sync(), behind the writes before it", "[file][R5][F08]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.open(folder.path("a"), read_write);
  std::vector<std::size_t> written_by_then;
  file.synced = [&] { written_by_then.push_back(file.writes.size()); };
  file.sync();
  file.write("a");
  file.sync();
  file.sync();
  file.write(std::string(100000, 'b'));
  file.write("");
  file.sync();
  file.write("c");
  SECTION("as they come") {}
  SECTION("finish() waits for them") { file.finish(); }
  world.run_until("all are told", [&] { return file.syncs == 4; });
  CHECK(written_by_then[1] >= 1);
  CHECK(written_by_then[2] >= 1);
  CHECK(written_by_then[3] >= 3);
  CHECK(!file.error);
  if (file.closing()) wait_closed(world, file);
  turns(world, 5);
  CHECK(file.syncs == 4);
}

// Notes how many bytes had been written when each fsync(2) began. One at a time. A write gives an
// fsync(2) that does not wait for it a moment to begin.
struct SyncWatch {
  SyncWatch() : below(proa::sys::table) {
    watch = this;
    proa::sys::table.pwritev2 = [](int fd, const iovec* pieces, int count, std::int64_t offset,
                                   int flags) noexcept {
      std::unique_lock lock(watch->mutex);
      const std::size_t before = watch->written_by.size();
      watch->begun.wait_for(lock, 10ms, [before] { return watch->written_by.size() > before; });
      const long result = watch->below.pwritev2(fd, pieces, count, offset, flags);
      if (result > 0) watch->written += result;
      return result;
    };
    proa::sys::table.fsync = [](int fd) noexcept {
      {
        const std::lock_guard lock(watch->mutex);
        watch->written_by.push_back(watch->written);
        watch->begun.notify_all();
      }
      return watch->below.fsync(fd);
    };
  }
  ~SyncWatch() { proa::sys::table = below; }

  static SyncWatch* watch;
  const proa::sys::Table below;
  std::mutex mutex;
  std::condition_variable begun;
  long written = 0;
  std::vector<long> written_by;
};
SyncWatch* SyncWatch::watch = nullptr;

TEST_CASE("a Sync is submitted when the writes before it have completed", "[file][R5][F08]") {
  constexpr long block = 20000;
  constexpr std::size_t number = 30;
  const Folder folder;
  SyncWatch watch;
  Filings filings;
  proa::Options workers_only = options();
  workers_only.native_files = false;
  World world(workers_only);
  Filing& file = filings.add(*world);
  file.open(folder.path("a"), read_write);
  std::size_t added = 0;
  const auto add = [&] {
    if (added == number) return;
    ++added;
    file.write(std::string(block, 'x'));
    file.sync();
  };
  file.opened = file.synced = add;
  file.written = [&](std::size_t) { add(); };
  world.run_until("all are told", [&] { return file.syncs == number; });
  CHECK(file.writes.size() == number);
  REQUIRE(!watch.written_by.empty());
  // Each is for one more write at least, the last one for all.
  for (std::size_t i = 0; i < watch.written_by.size(); ++i) {
    INFO("fsync number " << i);
    CHECK(watch.written_by[i] >= block * static_cast<long>(i + 1));
  }
  CHECK(watch.written_by.back() == block * static_cast<long>(number));
  file.close();
  wait_closed(world, file);
}

TEST_CASE("a sync that the file cannot do is told once, without on_synced()", "[file][F08]") {
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.open("/dev/null", OpenFlags::write);
  file.write("a");
  file.sync();
  file.sync();
  wait_closed(world, file);
  CHECK(file.error == std::errc::invalid_argument);
  CHECK(file.events == Events{"open", "write", "error", "closed"});
}

}  // namespace
