// F07: what direct I/O asks for, and what it says when that is not so.
#include <cerrno>
#include <list>

#include "contract/file_rig.hpp"
#include "support/faults.hpp"
#include "support/patterns.hpp"
#include "support/replaced.hpp"

namespace {

using namespace proa_test;
using proa::Error;
using proa::OpenFlags;

constexpr OpenFlags direct = OpenFlags::read | OpenFlags::write | OpenFlags::direct;

// False where the file system takes anything (tmpfs).
bool insists(const proa::File& file) { return file.alignment().reported; }

TEST_CASE("F07: memory, offset and length that are not aligned have one error", "[file][F07]") {
  const Folder folder;
  const std::string bytes = pattern(1, 16384);
  Aligned memory(16384, 'x');
  Recording<proa::ReadAt> read;
  Recording<proa::WriteAt> write;
  World world;
  const proa::File file = open_file(world, folder.file("a", bytes), direct);
  if (!insists(file)) return skip("the system tells no alignment of direct I/O here", true);
  const std::size_t odd = file.alignment().offset / 2;
  const auto check = [&](std::size_t skip, std::uint64_t offset, std::size_t size) {
    read.request.prepare(file.descriptor(), offset, {memory.data() + skip, size});
    perform(world, read);
    CHECK(read.error() == Error::misaligned);
    CHECK(read.error() == std::errc::invalid_argument);
    CHECK(read.bytes() == 0);
    write.request.prepare(file.descriptor(), offset, {memory.data() + skip, size});
    perform(world, write);
    CHECK(write.error() == Error::misaligned);
    CHECK(write.bytes() == 0);
  };
  check(1, 0, 4096);
  check(0, odd, 4096);
  check(0, 0, 4096 + odd);
  check(0, 0, odd);
  CHECK((contents(folder.path("a")) == bytes));
  // Of several pieces each.
  const proa::MutableBytes pieces[] = {{memory.data(), 4096}, {memory.data() + 4096, odd}};
  read.request.prepare(file.descriptor(), 0, pieces, 2);
  perform(world, read);
  CHECK(read.error() == Error::misaligned);
  // The next one that is right works.
  read.request.prepare(file.descriptor(), 0, memory.all());
  perform(world, read);
  CHECK(!read.error());
  CHECK((memory.text() == bytes));
}

// A disk with sectors of 4,096 bytes: behind the end of a file in the middle of one it refuses.
decltype(proa::sys::Table::preadv2) read_below = nullptr;
long read_sectors(int fd, const iovec* pieces, int count, std::int64_t offset, int flags) noexcept {
  return offset % 4096 != 0 ? -EINVAL : read_below(fd, pieces, count, offset, flags);
}

TEST_CASE("F07: a file that ends at an odd place is read directly to its end", "[file][F07]") {
  const std::size_t size = GENERATE(5000u, 4608u, 8192u, 1u);
  const Folder folder;
  const std::string bytes = pattern(2, size);
  Aligned memory(16384);
  Recording<proa::ReadAt> read;
  proa::Options with = options();
  const bool large_sectors = GENERATE(false, true);
  if (large_sectors) with.native_files = false;
  World world(with);
  const proa::File file = open_file(world, folder.file("a", bytes), direct);
  read_below = proa::sys::table.preadv2;
  const Replaced replaced(proa::sys::table.preadv2, large_sectors ? read_sectors : read_below);
  read.request.prepare(file.descriptor(), 0, memory.all());
  perform(world, read);
  CHECK(!read.error());
  CHECK(read.bytes() == size);
  CHECK((memory.text().substr(0, size) == bytes));
  read.request.prepare_exactly(file.descriptor(), 0, memory.all());
  perform(world, read);
  CHECK(read.error() == Error::end_of_file);
  CHECK(read.bytes() == size);
  read.request.prepare(file.descriptor(), 8192, memory.all());
  perform(world, read);
  CHECK(!read.error());
  CHECK(read.bytes() == 0);
}

TEST_CASE("direct reads and writes are the same through short and denied transfers",
          "[file][R11][F07]") {
  constexpr std::size_t block = 16384;
  constexpr std::size_t number = 40;
  const Folder folder;
  const std::string bytes = pattern(3, block);
  std::list<Aligned> memory;
  std::list<Recording<proa::WriteAt>> writes;
  std::list<Recording<proa::ReadAt>> reads;
  World world;
  const proa::File file = open_file(world, folder.file("a", ""), direct);
  Aligned from(block);
  bytes.copy(from.data(), block);
  Faults faults(GENERATE(1u, 2u));
  faults.shorten(4096);
  faults.deny(0.3);
  faults.interrupt(0.2);
  for (std::size_t i = 0; i < number; ++i) {
    writes.emplace_back().request.prepare(file.descriptor(), i * block, from.text());
    world.submit(writes.back().request);
  }
  world.run_until("all is written", [&] {
    return std::all_of(writes.begin(), writes.end(), [](auto& one) { return one.done(); });
  });
  for (std::size_t i = 0; i < number; ++i) {
    Aligned& into = memory.emplace_back(block);
    const proa::MutableBytes pieces[] = {
        {into.data(), 512}, {into.data() + 512, 7680}, {into.data() + 8192, 8192}};
    reads.emplace_back().request.prepare(file.descriptor(), i * block, pieces, 3);
    world.submit(reads.back().request);
  }
  world.run_until("all is read", [&] {
    return std::all_of(reads.begin(), reads.end(), [](auto& one) { return one.done(); });
  });
  for (auto& write : writes) CHECK((!write.error() && write.bytes() == block));
  for (auto& read : reads) CHECK((!read.error() && read.bytes() == block));
  for (Aligned& each : memory) CHECK((each.text() == bytes));
  CHECK(faults.injected() > number);
}

}  // namespace
