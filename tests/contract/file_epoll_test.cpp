// What a file costs over epoll: cached reads in one call, direct ones in batches, and nothing on
// the loop's thread that could wait for a disk.
#include <algorithm>
#include <list>

#include "contract/file_rig.hpp"
#include "support/ledger.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

constexpr std::size_t block = 4096;

bool native_epoll() { return configuration() == "epoll"; }

TEST_CASE("a cached read costs one system call and no other thread", "[file][cost]") {
  if (!native_epoll()) return;
  const Folder folder;
  ReadingAt read(block);
  World world;
  const proa::File file = open_file(world, folder.file("a", pattern(1, block)));
  perform(world, (read.from(file.descriptor()), read));
  const Ledger ledger;
  perform(world, (read.from(file.descriptor()), read));
  CHECK(read.text() == pattern(1, block));
  CHECK(ledger.count(Call::preadv2) == 1);
  CHECK(ledger.count(Call::name_thread) == 0);
  CHECK(ledger.count(Call::event_signal) == 0);
}

TEST_CASE("direct reads submitted together go out with one call", "[file][cost]") {
  if (!native_epoll()) return;
  constexpr std::size_t number = 32;
  const Folder folder;
  const std::string bytes = pattern(2, number * block);
  folder.file("a", bytes);
  std::list<Aligned> memory;
  std::list<Recording<proa::ReadAt>> reads;
  World world;
  const proa::File file = open_file(world, folder.path("a"), OpenFlags::read | OpenFlags::direct);
  const auto all_done = [&] {
    return std::all_of(reads.begin(), reads.end(), [](auto& one) { return one.done(); });
  };
  const Ledger ledger;
  for (std::size_t i = 0; i < number; ++i) {
    memory.emplace_back(block);
    reads.emplace_back();
    reads.back().request.prepare(file.descriptor(), i * block, memory.back().all());
    world.submit(reads.back().request);
  }
  world.run_until("all is read", all_done);
  std::string back;
  for (Aligned& each : memory) back += each.text();
  CHECK(back == bytes);
  for (auto& read : reads) {
    CHECK(!read.error());
    CHECK(read.results.size() == 1);
  }
  CHECK(ledger.count(Call::aio_setup) == 1);
  CHECK(ledger.count(Call::aio_submit) == 1);
  CHECK(ledger.count(Call::aio_events) == 0);  // from the mapped ring
}

TEST_CASE("kernel AIO never sees a file that goes through the page cache", "[file][cost]") {
  if (!native_epoll()) return;
  const Folder folder;
  WritingAt write;
  ReadingAt read(block);
  World world;
  const proa::File file =
      open_file(world, folder.path("a"), OpenFlags::read | OpenFlags::write | OpenFlags::create);
  const Ledger ledger;
  const std::string bytes = pattern(3, block);
  perform(world, (write.to(file.descriptor(), 0, bytes), write));
  perform(world, (read.from(file.descriptor()), read));
  CHECK(read.text() == bytes);
  CHECK(ledger.count(Call::aio_setup) == 0);
  CHECK(ledger.count(Call::aio_submit) == 0);
}

}  // namespace
