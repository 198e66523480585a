// Transfers between direct files and the pool's blocks over io_uring: the kernel pins a block once,
// where it has room for that, and the bytes are the same where it has not.
#ifdef PROA_HAVE_URING
#include <liburing.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <type_traits>
#include <vector>

#include "contract/file_handler_rig.hpp"
#include "support/faults.hpp"
#include "support/ledger.hpp"
#include "support/patterns.hpp"
#include "support/replaced.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

constexpr std::size_t block = 4096;
constexpr OpenFlags direct = OpenFlags::read | OpenFlags::write | OpenFlags::direct;

bool registers(World& world) {
  const auto& names = world->backend().features;
  return std::find(names.begin(), names.end(), "registered buffers") != names.end();
}

bool direct_files_bypass_the_cache(const proa::File& file) { return file.alignment().reported; }

proa::Options with_blocks_of_16_kib() {
  proa::Options with = options();
  with.buffer_size = 4 * block;
  return with;
}

proa::Buffer filled(World& world, std::string_view bytes) {
  proa::Buffer buffer = world->take_direct_buffer();
  REQUIRE(buffer.append(bytes) == bytes.size());
  return buffer;
}

// Writes `bytes` from `memory`, and reads them again into it, both at this offset.
void there_and_back(World& world, const proa::File& file, char* memory, std::size_t offset,
                    std::string_view bytes) {
  Recording<proa::WriteAt> write;
  Recording<proa::ReadAt> read;
  bytes.copy(memory, bytes.size());
  write.request.prepare(file.descriptor(), offset, {memory, bytes.size()});
  perform(world, write);
  CHECK((!write.error() && write.bytes() == bytes.size()));
  std::memset(memory, '?', bytes.size());
  read.request.prepare(file.descriptor(), offset, {memory, bytes.size()});
  perform(world, read);
  CHECK((!read.error() && read.bytes() == bytes.size()));
  CHECK((std::string_view(memory, bytes.size()) == bytes));
}

// Counts the blocks that enter the kernel's table, and lets only so many in. The table's budget is
// that of the user, so the tests use few of them.
int entered = 0;
int room = 0;
long limited_register(int fd, unsigned call, void* argument, unsigned count) noexcept {
  if (call != IORING_REGISTER_BUFFERS_UPDATE) {
    return proa::sys::direct::uring_register(fd, call, argument, count);
  }
  if (entered == room) return -ENOMEM;
  ++entered;
  return proa::sys::direct::uring_register(fd, call, argument, count);
}

struct Table {
  explicit Table(int with_room) {
    entered = 0;
    room = with_room;
  }
  const Replaced<std::remove_pointer_t<decltype(proa::sys::table.uring_register)>> seam{
      proa::sys::table.uring_register, limited_register};
};

TEST_CASE("direct transfers use the pool's blocks as registered buffers, each entered once",
          "[file][cost][R10]") {
  if (!over_uring()) return;
  const Table table(1000);
  const Folder folder;
  World world(with_blocks_of_16_kib());
  const bool expected = registers(world);
  const std::string name = configuration();
  if (name == "uring-5.11" || name == "uring-pool" || name == "uring-filtered") CHECK(!expected);
  const proa::File file = open_file(world, folder.file("a", ""), direct);
  if (!direct_files_bypass_the_cache(file)) return skip("the file system has no direct I/O", true);
  std::vector<proa::Buffer> blocks;
  for (int i = 0; i < 3; ++i) blocks.push_back(world->take_direct_buffer());
  const Ledger ledger;
  const std::string bytes = pattern(1, 2 * block);
  for (int times = 0; times < 3; ++times) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      there_and_back(world, file, blocks[i].data(), i * 2 * block, bytes);
      there_and_back(world, file, blocks[i].data() + block, i * 2 * block, bytes.substr(0, block));
    }
  }
  CHECK(entered == (expected ? 3 : 0));
  const auto& opcodes = ledger.submitted().opcodes;
  CHECK(opcodes.count(IORING_OP_READ_FIXED) == (expected ? 1 : 0));
  CHECK(opcodes.count(IORING_OP_WRITE_FIXED) == (expected ? 1 : 0));
  if (expected) CHECK(opcodes.count(IORING_OP_READ) + opcodes.count(IORING_OP_WRITE) == 0);
}

TEST_CASE("memory of the program's own and buffered files need no registered buffers",
          "[file][cost]") {
  if (!over_uring()) return;
  const Table table(1000);
  const Folder folder;
  World world(with_blocks_of_16_kib());
  Aligned memory(2 * block);
  const std::string bytes = pattern(2, 2 * block);
  const proa::File file = open_file(world, folder.file("a", ""), direct);
  there_and_back(world, file, memory.data(), 0, bytes);
  const proa::File buffered = open_file(world, folder.file("b", ""));
  proa::Buffer ours = world->take_direct_buffer();
  there_and_back(world, buffered, ours.data(), 0, bytes);
  proa::Buffer usual = world->take_buffer();
  there_and_back(world, buffered, usual.data(), 0, bytes);
  CHECK(entered == 0);
}

TEST_CASE("where the kernel has no room for registered buffers, direct transfers do without",
          "[file][R12]") {
  if (!over_uring()) return;
  const int with_room = GENERATE(0, 1);
  const Table table(with_room);
  const Folder folder;
  World world(with_blocks_of_16_kib());
  if (!registers(world)) return;
  const proa::File file = open_file(world, folder.file("a", ""), direct);
  if (!direct_files_bypass_the_cache(file)) return skip("the file system has no direct I/O", true);
  proa::Buffer first = world->take_direct_buffer();
  proa::Buffer second = world->take_direct_buffer();
  const std::string bytes = pattern(3, block);
  for (int times = 0; times < 3; ++times) {
    there_and_back(world, file, first.data(), 0, bytes);
    there_and_back(world, file, second.data(), block, bytes);
  }
  CHECK(entered == with_room);
  CHECK(registers(world) == (with_room > 0));  // what is in use, and nothing else
}

TEST_CASE("more blocks are under way than the table of registered buffers holds", "[file][R11]") {
  constexpr std::size_t number = 400;
  const Folder folder;
  std::list<Recording<proa::WriteAt>> writes;
  std::list<Recording<proa::ReadAt>> reads;
  World world(with_blocks_of_16_kib());
  const proa::File file = open_file(world, folder.file("a", ""), direct);
  std::vector<proa::Buffer> blocks;
  const auto all = [&](auto& requests) {
    world.run_until("all are done", [&] {
      return std::all_of(requests.begin(), requests.end(), [](auto& one) { return one.done(); });
    });
    for (auto& one : requests) CHECK((!one.error() && one.bytes() == block));
  };
  for (std::uint32_t i = 0; i < number; ++i) {
    blocks.push_back(filled(world, pattern(i, block)));
    auto& write = writes.emplace_back().request;
    write.prepare(file.descriptor(), i * block, {blocks[i].data(), block});
    world.submit(write);
  }
  all(writes);
  for (std::uint32_t i = 0; i < number; ++i) {
    auto& read = reads.emplace_back().request;
    // Into another block than the one from which the bytes came.
    read.prepare(file.descriptor(), i * block, {blocks[number - 1 - i].data(), block});
    world.submit(read);
  }
  all(reads);
  for (std::uint32_t i = 0; i < number; ++i) {
    CHECK((std::string_view(blocks[number - 1 - i].data(), block) == pattern(i, block)));
  }
}

TEST_CASE("a child of fork(2) has its own copy of registered buffers", "[file][R14]") {
  const Table table(1000);
  const Folder folder;
  World world(with_blocks_of_16_kib());
  const proa::File file = open_file(world, folder.file("a", ""), direct);
  proa::Buffer memory = world->take_direct_buffer();
  there_and_back(world, file, memory.data(), 0, pattern(4, block));
  CHECK(entered == (registers(world) ? 1 : 0));
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string seen(memory.data(), block);
    std::memset(memory.data(), 'c', block);  // the parent must not see this
    ::_exit(seen == pattern(4, block) ? 0 : 1);
  }
  REQUIRE(child > 0);
  // What the disk reads into the block from here on reaches the parent, and not the child.
  there_and_back(world, file, memory.data(), 0, pattern(5, block));
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK((std::string_view(memory.data(), block) == pattern(5, block)));
  there_and_back(world, file, memory.data(), block, pattern(6, block));
  CHECK((contents(folder.path("a")) == pattern(5, block) + pattern(6, block)));
}

TEST_CASE("a handler of a direct file reads through registered buffers", "[file][cost]") {
  if (!over_uring()) return;
  const Table table(1000);
  const Folder folder;
  const std::string bytes = pattern(7, 40 * block);
  Filings filings;
  World world(with_blocks_of_16_kib());
  const bool expected = registers(world);
  Filing& file = filings.add(*world);
  file.open(folder.file("a", bytes), direct);
  const Ledger ledger;
  file.opened = [&] { file.start_reading(); };
  wait_closed(world, file);
  CHECK((file.received == bytes));
  if (!expected) return;
  CHECK(ledger.submitted().opcodes.count(IORING_OP_READ_FIXED) == 1);
  CHECK(entered <= 3);  // the two that it reads ahead, and the one that the handler looks at
}

// A transfer that is cut short goes on in the same block.
TEST_CASE("registered buffers are the same through short and denied transfers", "[file][R11]") {
  constexpr std::size_t number = 40;
  const Folder folder;
  std::list<Recording<proa::WriteAt>> writes;
  std::list<Recording<proa::ReadAt>> reads;
  World world(with_blocks_of_16_kib());
  const proa::File file = open_file(world, folder.file("a", ""), direct);
  if (!direct_files_bypass_the_cache(file)) return skip("the file system has no direct I/O", true);
  std::vector<proa::Buffer> blocks;
  const std::size_t size = 4 * block;
  for (std::uint32_t i = 0; i < number; ++i) {
    blocks.push_back(filled(world, pattern(i, size)));
    // Registers the block, if it can be.
    there_and_back(world, file, blocks[i].data(), 0, pattern(i, size));
  }
  Faults faults(GENERATE(1u, 2u));
  faults.shorten(4096);
  faults.deny(0.3);
  faults.interrupt(0.2);
  const auto all = [&](auto& requests) {
    world.run_until("all are done", [&] {
      return std::all_of(requests.begin(), requests.end(), [](auto& one) { return one.done(); });
    });
    for (auto& one : requests) CHECK((!one.error() && one.bytes() == size));
  };
  for (std::size_t i = 0; i < number; ++i) {
    auto& write = writes.emplace_back().request;
    write.prepare(file.descriptor(), i * size, {blocks[i].data(), size});
    world.submit(write);
  }
  all(writes);
  for (std::size_t i = 0; i < number; ++i) {
    auto& read = reads.emplace_back().request;
    read.prepare(file.descriptor(), i * size, {blocks[number - 1 - i].data(), size});
    world.submit(read);
  }
  all(reads);
  for (std::uint32_t i = 0; i < number; ++i) {
    CHECK((std::string_view(blocks[number - 1 - i].data(), size) == pattern(i, size)));
  }
  CHECK(faults.injected() > number);
}

}  // namespace
#endif
