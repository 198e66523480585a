// What requests on files must not cost on any configuration: a wait of the loop for a disk.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <list>

#include "contract/file_rig.hpp"
#include "support/ledger.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

constexpr std::size_t block = 4096;
constexpr std::size_t blocks = 64;

// Writes it to the disk and takes it out of the page cache.
void make_cold(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(file >= 0);
  REQUIRE(::fdatasync(file) == 0);
  REQUIRE(::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0);
  ::close(file);
}

// All blocks of a file, read and written back at once; gathered from two halves each, or whole.
struct Transfers {
  std::list<Aligned> memory;
  std::list<Recording<proa::ReadAt>> reads;
  std::list<Recording<proa::WriteAt>> writes;

  void run(World& world, proa::Descriptor file, std::size_t pieces) {
    const std::size_t size = block / pieces;
    for (std::size_t i = 0; i < blocks; ++i) {
      char* const data = memory.emplace_back(block).data();
      const proa::MutableBytes parts[] = {{data, size}, {data + size, size}};
      reads.emplace_back().request.prepare(file, i * block, parts, pieces);
      world.submit(reads.back().request);
    }
    wait(world, reads);
    auto from = memory.begin();
    for (std::size_t i = 0; i < blocks; ++i, ++from) {
      const char* const data = from->data();
      const proa::Bytes parts[] = {{data, size}, {data + size, size}};
      writes.emplace_back().request.prepare(file, i * block, parts, pieces);
      world.submit(writes.back().request);
    }
    wait(world, writes);
  }

 private:
  template <class List>
  static void wait(World& world, const List& list) {
    world.run_until("all is done", [&] {
      return std::all_of(list.begin(), list.end(), [](auto& one) { return one.done(); });
    });
    for (const auto& one : list) {
      CHECK(!one.error());
      CHECK(one.bytes() == block);
    }
  }
};

TEST_CASE("the loop's thread makes no call that may wait for a disk", "[file][cost][R8][R12]") {
  const Folder folder;
  const std::string bytes = pattern(6, blocks * block);
  folder.file("a", bytes);
  Recording<proa::Open> open;
  Transfers cold, warm, scattered, direct;
  Recording<proa::WriteAt> append;
  Recording<proa::Sync> sync;
  Recording<proa::Status> status;
  Recording<proa::Truncate> cut;
  Recording<proa::Allocate> allocate;
  Recording<proa::Rename> rename;
  Recording<proa::Unlink> unlink;
  Recording<proa::MakeDirectory> make;
  Recording<proa::ReadLink> read_link;
  Recording<proa::ListDirectory> list;
  Recording<proa::SendFile> send;
  Recording<proa::CloseFile> close;
  World world;
  const Connection line = world.pair();
  const Ledger ledger;
  const auto opened = [&](OpenFlags flags) {
    open.request.prepare(folder.path("a"), flags);
    perform(world, open);
    REQUIRE(!open.error());
    return std::move(open.request.file());
  };
  const auto succeeds = [&](auto& recorded) {
    perform(world, recorded);
    CHECK(!recorded.error());
  };
  const auto closes = [&](proa::File file) {
    close.request.prepare(std::move(file));
    succeeds(close);
  };

  make_cold(folder.path("a"));
  proa::File file = opened(OpenFlags::read | OpenFlags::write);
  const proa::Descriptor number = file.descriptor();
  cold.run(world, number, 1);
  warm.run(world, number, 1);
  scattered.run(world, number, 2);
  sync.request.prepare(number);
  succeeds(sync);
  make_cold(folder.path("a"));
  send.request.prepare(line.descriptor(), number, 0, bytes.size());
  succeeds(send);
  world.run_until("it has arrived", [&] { return line.far.received_bytes() == bytes.size(); });
  let_append(file);
  append.request.prepare_append(number, "end");
  succeeds(append);
  let_append(file, false);
  sync.request.prepare_data(number);
  succeeds(sync);
  status.request.prepare(number);
  succeeds(status);
  status.request.prepare(folder.path("a"));
  succeeds(status);
  cut.request.prepare(number, bytes.size());
  succeeds(cut);
  allocate.request.prepare(number, 0, 2 * bytes.size());
  succeeds(allocate);
  closes(std::move(file));
  file = opened(OpenFlags::read | OpenFlags::write | OpenFlags::direct);
  direct.run(world, file.descriptor(), 1);
  closes(std::move(file));
  rename.request.prepare(folder.path("a"), folder.path("b"));
  succeeds(rename);
  make.request.prepare(folder.path("below"));
  succeeds(make);
  list.request.prepare(folder.path());
  succeeds(list);
  read_link.request.prepare(folder.path("b"));
  perform(world, read_link);
  CHECK(read_link.error() == std::errc::invalid_argument);
  CHECK(contents(folder.path("b")).compare(0, bytes.size(), bytes) == 0);
  unlink.request.prepare(folder.path("b"));
  succeeds(unlink);
  CHECK(ledger.waited() == "");
}

TEST_CASE("the ledger sees what may wait for a disk", "[file][cost]") {
  const Folder folder;
  folder.file("a", "bytes");
  World world;
  const Ledger ledger;
  CHECK(ledger.waited() == "");
  { const proa::File file = open_file(world, folder.path("a")); }
  CHECK(ledger.waited() == "close openat");
}

// The library has made the connection in non-blocking mode, and knows that.
TEST_CASE("a SendFile asks for no mode of a TCP connection", "[file][cost][R12]") {
  const Folder folder;
  const std::string bytes = pattern(6, block);
  Recording<proa::SendFile> send;
  World world;
  const proa::File file = open_file(world, folder.file("a", bytes));
  const Connection line = world.pair();
  const Ledger ledger;
  send.request.prepare(line.descriptor(), file.descriptor(), 0, bytes.size());
  perform(world, send);
  CHECK(!send.error());
  CHECK(send.bytes() == bytes.size());
  CHECK(ledger.count(Call::file_flags) == 0);
}

}  // namespace
