// Requests that are larger than anything else: their length, their offset, their number of pieces.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <limits>
#include <string>
#include <vector>

#include "contract/file_rig.hpp"
#include "support/faults.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

constexpr std::size_t mebibyte = std::size_t{1} << 20;
constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30;

// One mebibyte, 2,049 times: more than one request can move.
template <class Piece, class Pointer>
std::vector<Piece> more_than_most(Pointer data) {
  return std::vector<Piece>(2049, Piece{data, mebibyte});
}

proa::File sparse_file(World& world, std::uint64_t size) {
  const int number = ::memfd_create("proa-test", MFD_CLOEXEC);
  REQUIRE(number >= 0);
  REQUIRE(::ftruncate(number, static_cast<off_t>(size)) == 0);
  std::error_code error;
  proa::File file = proa::File::adopt(*world, number, error);
  REQUIRE(!error);
  return file;
}

TEST_CASE("F11: of more than 2 GiB max_transfer bytes are read", "[file][F11]") {
  std::string memory(mebibyte, '?');
  Recording<proa::ReadAt> read;
  World world;
  const proa::File file = sparse_file(world, 3 * gibibyte);
  const auto pieces = more_than_most<proa::MutableBytes>(memory.data());
  read.request.prepare(file.descriptor(), 0, pieces.data(), pieces.size());
  perform(world, read);
  CHECK(!read.error());
  CHECK(read.bytes() == proa::max_transfer);
  CHECK(read.bytes() == 0x7ffff000);
  CHECK(memory == std::string(mebibyte, '\0'));
  // What is left is short, and no error.
  read.request.prepare(file.descriptor(), 3 * gibibyte - 10, pieces.data(), pieces.size());
  perform(world, read);
  CHECK(!read.error());
  CHECK(read.bytes() == 10);
}

TEST_CASE("F11: of more than 2 GiB max_transfer bytes are written", "[file][F11]") {
  const std::string memory(mebibyte, 'x');
  Recording<proa::WriteAt> write;
  World world;
  const proa::File null = open_file(world, "/dev/null", OpenFlags::write);
  const auto pieces = more_than_most<proa::Bytes>(memory.data());
  write.request.prepare(null.descriptor(), 0, pieces.data(), pieces.size());
  perform(world, write);
  CHECK(!write.error());
  CHECK(write.bytes() == proa::max_transfer);
}

TEST_CASE("F11: one piece of 3 GiB reads a small file", "[file][F11]") {
  const Folder folder;
  const std::size_t size = 3 * gibibyte;
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  {
    Recording<proa::ReadAt> read;
    World world;
    const proa::File file = open_file(world, folder.file("a", pattern(1, 100000)));
    read.request.prepare(file.descriptor(), 0, {memory, size});
    perform(world, read);
    CHECK(!read.error());
    CHECK(read.bytes() == 100000);
    CHECK(first_difference(1, {static_cast<const char*>(memory), 100000}) == no_difference);
    read.request.prepare_exactly(file.descriptor(), 0, {memory, size});
    perform(world, read);
    CHECK(read.error() == proa::Error::end_of_file);
    CHECK(read.bytes() == 100000);
  }
  ::munmap(memory, size);
}

TEST_CASE("F11: what no file can hold is told as such", "[file][F11]") {
  constexpr std::uint64_t last = std::numeric_limits<std::int64_t>::max();
  const Folder folder;
  ReadingAt read(10);
  WritingAt write;
  Recording<proa::Truncate> cut;
  Recording<proa::Allocate> allocate;
  World world;
  const proa::File file = open_file(world, folder.file("a", "bytes"));
  perform(world, (read.from(file.descriptor(), last - 10), read));
  CHECK(!read.error());
  CHECK(read.bytes() == 0);
  perform(world, (write.to(file.descriptor(), last - 5, "bytes"), write));
  CHECK(write.error() == std::errc::file_too_large);
  cut.request.prepare(file.descriptor(), last);
  perform(world, cut);
  CHECK(cut.error() == std::errc::file_too_large);
  cut.request.prepare(file.descriptor(), last + 1);
  CHECK(world->submit(cut.request) == proa::Error::bad_offset);
  allocate.request.prepare(file.descriptor(), 1, last);
  CHECK(world->submit(allocate.request) == proa::Error::bad_offset);
  allocate.request.prepare(file.descriptor(), 0, 0);
  perform(world, allocate);
  CHECK(allocate.error() == std::errc::invalid_argument);
  allocate.request.prepare(file.descriptor(), last - 1, 1);
  perform(world, allocate);
  CHECK(allocate.error() == std::errc::file_too_large);
  CHECK(contents(folder.path("a")) == "bytes");
}

TEST_CASE("F02: 54,321 pieces come through storms of short transfers, in order",
          "[file][R11][F02]") {
  constexpr std::size_t number = 54321;
  const std::string bytes = pattern(7, number * 5);
  std::string back(bytes.size(), '?');
  std::vector<proa::Bytes> out;
  std::vector<proa::MutableBytes> in;
  std::size_t position = 0;
  for (std::size_t i = 0; i < number; ++i) {
    const std::size_t size = i + 1 == number ? bytes.size() - position : i % 10;
    out.push_back({bytes.data() + position, size});
    in.push_back({back.data() + position, size});
    position += size;
  }
  const Folder folder;
  Recording<proa::WriteAt> write;
  Recording<proa::ReadAt> read;
  World world;
  const proa::File file = open_file(world, folder.file("a", ""));
  Faults faults(GENERATE(1u, 2u));
  faults.shorten(1001);
  faults.deny(0.2);
  faults.interrupt(0.2);
  write.request.prepare(file.descriptor(), 0, out.data(), out.size());
  perform(world, write);
  CHECK(!write.error());
  CHECK(write.bytes() == bytes.size());
  CHECK((contents(folder.path("a")) == bytes));
  read.request.prepare(file.descriptor(), 0, in.data(), in.size());
  perform(world, read);
  CHECK(!read.error());
  CHECK(read.bytes() == bytes.size());
  CHECK((back == bytes));
  CHECK(faults.injected() > 100);
}

}  // namespace
