// The journal of the tools: what it acknowledges is on the disk, because of when it syncs.
#include "journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "contract/file_rig.hpp"
#include "support/faults.hpp"
#include "support/ledger.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

struct Log : journal::Journal {
  Log(World& world, const proa::File& file, const Ledger& with,
      const journal::Contents& contents = {})
      : Journal(*world, file.descriptor(), contents), ledger(with), last_synced(contents.records) {}

  void on_written(std::uint64_t number) override {
    syncs_when_written.resize(number + 1, ledger.syncs() + 1);
  }
  void on_synced(std::uint64_t number) override {
    while (last_synced < number) {
      ++last_synced;
      const bool written =
          last_synced < syncs_when_written.size() && syncs_when_written[last_synced] > 0;
      // One that was begun after the write had completed.
      covered += written && ledger.syncs() >= syncs_when_written[last_synced];
    }
    if (then) then();
  }
  void on_error(std::error_code error) override { errors.push_back(error); }

  const Ledger& ledger;
  std::vector<std::uint64_t> syncs_when_written;  // the number of the next one; 0: not written
  std::uint64_t last_synced;
  std::uint64_t covered = 0;
  std::vector<std::error_code> errors;
  std::function<void()> then;
};

// What is in a file, by its path.
journal::Contents scan(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(file >= 0);
  journal::Contents found = journal::scan(file);
  ::close(file);
  return found;
}

TEST_CASE("each record of a journal is covered by a sync begun after it was written",
          "[file][journal][F08]") {
  constexpr std::size_t number = 1000;
  const Folder folder;
  std::optional<Ledger> ledger;
  std::optional<Log> log;
  World world;
  const proa::File file =
      open_file(world, folder.path("log"), OpenFlags::read | OpenFlags::write | OpenFlags::create);
  ledger.emplace();
  log.emplace(world, file, *ledger);
  std::size_t appended = 0;
  const auto append = [&](std::size_t count) {
    for (; count > 0 && appended < number; --count, ++appended) {
      CHECK(log->append(pattern(1, appended * 37 % 5000)) == appended + 1);
    }
  };
  // Groups of many sizes: what is appended while one is under way waits for the next.
  log->then = [&] { append(1 + appended % 13); };
  append(100);
  world.run_until("all is acknowledged", [&] { return log->last_synced == number; });
  CHECK(log->covered == number);
  CHECK(log->errors.empty());
  CHECK(ledger->syncs() < number / 2);  // that is what groups are for
  CHECK(scan(folder.path("log")).records == number);
  CHECK(scan(folder.path("log")).end == contents(folder.path("log")).size());
  ledger.reset();
}

TEST_CASE("a journal goes on behind its last intact record", "[file][journal]") {
  const Folder folder;
  std::optional<Ledger> ledger;
  std::optional<Log> log;
  World world;
  const std::string path = folder.path("log");
  ledger.emplace();
  const auto write = [&](std::uint64_t records) {
    const proa::File file =
        open_file(world, path, OpenFlags::read | OpenFlags::write | OpenFlags::create);
    log.emplace(world, file, *ledger, scan(path));
    const std::uint64_t last = log->last_synced + records;
    while (records-- > 0) log->append("a record");
    world.run_until("all is acknowledged", [&] { return log->last_synced == last; });
    log.reset();
  };
  write(10);
  std::string bytes = contents(path);
  const std::size_t size = bytes.size() / 10;
  SECTION("it is whole") {
    write(5);
    CHECK(scan(path).records == 15);
  }
  SECTION("the last record is cut off") {
    folder.file("log", bytes.substr(0, bytes.size() - 1));
    CHECK(scan(path).records == 9);
    CHECK(scan(path).torn == size - 1);
    CHECK(scan(path).refusal.empty());
    folder.file("log", bytes.substr(0, scan(path).end));
    write(1);
    CHECK(scan(path).records == 10);
  }
  SECTION("a byte is another one") {
    bytes[4 * size + 20] = 'X';
    folder.file("log", bytes);
    CHECK(scan(path).records == 4);
    CHECK(scan(path).end == 4 * size);
    // Intact records follow: to go on in their place would lose them.
    CHECK(scan(path).refusal == "offset " + std::to_string(4 * size) +
                                    ": record 5 has a wrong checksum, and the intact record 6 "
                                    "follows at offset " +
                                    std::to_string(5 * size));
  }
  ledger.reset();
}

TEST_CASE("a write of a journal that fails leaves no gap before other records", "[file][journal]") {
  const Folder folder;
  std::optional<Ledger> ledger;
  std::optional<Log> log;
  World world;
  const std::string path = folder.path("log");
  const proa::File file =
      open_file(world, path, OpenFlags::read | OpenFlags::write | OpenFlags::create);
  ledger.emplace();
  log.emplace(world, file, *ledger);
  std::optional<Faults> faults;
  log->then = [&] {  // the next group has records 2 to 10
    faults.emplace();
    faults->fail(told_by(Call::pwritev2), -EIO);
  };
  for (int i = 0; i < 10; ++i) log->append("a record");
  world.run_until("it has failed", [&] { return !log->errors.empty(); });
  CHECK(log->errors.front() == std::errc::io_error);
  CHECK(log->last_synced == 1);
  CHECK(scan(path).end == contents(path).size());
  faults.reset();
  ledger.reset();
}

TEST_CASE("a journal whose writes fail acknowledges nothing, and says so once", "[file][journal]") {
  std::optional<Ledger> ledger;
  std::optional<Log> log;
  World world;
  const proa::File full = open_file(world, "/dev/full", OpenFlags::write);
  ledger.emplace();
  log.emplace(world, full, *ledger);
  for (int i = 0; i < 5; ++i) log->append("a record");
  world.run_until("it has failed", [&] { return !log->errors.empty(); });
  log->append("one more");
  for (int i = 0; i < 3; ++i) world.turn();
  CHECK(log->errors.size() == 1);
  CHECK(log->errors.front() == std::errc::no_space_on_device);
  CHECK(log->last_synced == 0);
  CHECK(ledger->syncs() == 0);
  ledger.reset();
}

}  // namespace
