// Reading and writing files: what completes how, on every backend and tier.
#include "contract/file_rig.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;
using proa::Error;
using proa::OpenFlags;

TEST_CASE("F01: what is read at, past and across the end of a file", "[file][R2][F01]") {
  const Folder folder;
  World world;
  const proa::File file = open_file(world, folder.file("a", "0123456789"));
  ReadingAt read(4);
  perform(world, (read.from(file.descriptor(), 2), read));
  CHECK(!read.error());
  CHECK(read.text() == "2345");
  perform(world, (read.from(file.descriptor(), 8), read));
  CHECK(!read.error());
  CHECK(read.text() == "89");
  perform(world, (read.from(file.descriptor(), 10), read));
  CHECK(!read.error());
  CHECK(read.bytes() == 0);
  perform(world, (read.from(file.descriptor(), std::uint64_t{1} << 40), read));
  CHECK(!read.error());
  CHECK(read.bytes() == 0);
  read.request.prepare_exactly(file.descriptor(), 8, {read.memory.data(), 4});
  perform(world, read);
  CHECK(read.error() == Error::end_of_file);
  CHECK(read.bytes() == 2);
}

TEST_CASE("what was written is read back, scattered and gathered", "[file][R2][R3]") {
  const Folder folder;
  World world;
  const proa::File file =
      open_file(world, folder.path("a"), OpenFlags::read | OpenFlags::write | OpenFlags::create);
  WritingAt write;
  {
    // The list may be on the stack (R3).
    const proa::Bytes pieces[] = {"one ", "two ", "", "three ", "four ", "five"};
    write.request.prepare(file.descriptor(), 100, pieces, 6);
    world.submit(write.request);
  }
  world.run_until("it is written", [&] { return write.done(); });
  CHECK(!write.error());
  CHECK(write.bytes() == 23);
  std::string first(108, '?');
  std::string second(40, '?');
  Recording<proa::ReadAt> read;
  const proa::MutableBytes into[] = {{first.data(), first.size()}, {second.data(), second.size()}};
  read.request.prepare(file.descriptor(), 0, into, 2);
  perform(world, read);
  CHECK(!read.error());
  CHECK(read.bytes() == 123);
  CHECK(first == std::string(100, '\0') + "one two ");
  CHECK(second.substr(0, 15) == "three four five");
}

TEST_CASE("hundreds of requests on one file, all at once", "[file][R2]") {
  constexpr std::size_t number = 400;
  constexpr std::size_t block = 4096;
  const Folder folder;
  std::list<WritingAt> writes;
  std::list<ReadingAt> reads;
  World world;
  const proa::File file =
      open_file(world, folder.path("a"), OpenFlags::read | OpenFlags::write | OpenFlags::create);
  const std::string bytes = pattern(5, number * block);
  for (std::size_t i = 0; i < number; ++i) {
    writes.emplace_back();
    world.submit(writes.back().to(file.descriptor(), i * block,
                                  std::string_view(bytes).substr(i * block, block)));
  }
  world.run_until("all is written", [&] {
    return std::all_of(writes.begin(), writes.end(), [](auto& one) { return one.done(); });
  });
  for (WritingAt& write : writes) {
    CHECK(!write.error());
    CHECK(write.results.size() == 1);
  }
  for (std::size_t i = 0; i < number; ++i) {
    reads.emplace_back(block);
    world.submit(reads.back().from(file.descriptor(), i * block));
  }
  world.run_until("all is read", [&] {
    return std::all_of(reads.begin(), reads.end(), [](auto& one) { return one.done(); });
  });
  std::string back;
  for (ReadingAt& read : reads) back += read.text();
  CHECK(back == bytes);
}

TEST_CASE("F07: direct I/O with buffers of the pool", "[file][R2][F07]") {
  const Folder folder;
  Recording<proa::WriteAt> write;
  Recording<proa::ReadAt> read;
  World world;
  const proa::File file =
      open_file(world, folder.path("a"),
                OpenFlags::read | OpenFlags::write | OpenFlags::create | OpenFlags::direct);
  const proa::FileAlignment needed = file.alignment();
  CHECK(needed.offset >= 512);
  CHECK(needed.memory >= 1);
  for (std::size_t i = 0; i < 100; ++i) {
    proa::Buffer out = world->take_direct_buffer();
    proa::Buffer in = world->take_direct_buffer();
    REQUIRE(out.room() % 4096 == 0);
    REQUIRE(reinterpret_cast<std::uintptr_t>(out.data()) % 4096 == 0);
    REQUIRE(out.append(pattern(9, 4096)) == 4096);
    write.request.prepare(file.descriptor(), i * 4096, out.bytes());
    perform(world, write);
    CHECK(!write.error());
    read.request.prepare(file.descriptor(), i * 4096, {in.data(), in.room()});
    perform(world, read);
    CHECK(!read.error());
    in.extend(read.bytes());
    CHECK(in.text() == pattern(9, 4096));
  }
  read.request.prepare(file.descriptor(), 100, {world->take_direct_buffer().data(), 512});
  perform(world, read);
  CHECK(read.error() == Error::misaligned);
}

TEST_CASE("a stretch of a file is sent over a socket, in order with other sends", "[file][R5]") {
  constexpr std::size_t size = std::size_t{6} << 20;
  const Folder folder;
  Recording<proa::SendFile> transfer;
  Sending before;
  Sending after;
  World world;
  const proa::File file = open_file(world, folder.file("a", "skipped" + pattern(4, size)));
  const Connection line = world.pair(GENERATE(Link::tcp4, Link::path));
  line.far.read_slowly(100000);
  const auto done = [&] { return after.done() && transfer.done(); };
  world.submit(before.to(line.descriptor(), "head"));
  SECTION("all of it") {
    transfer.request.prepare(line.descriptor(), file.descriptor(), 7, size);
    world.submit(transfer.request);
    world.submit(after.to(line.descriptor(), "tail"));
    world.run_until("all is sent", done);
    world.run_until("all has arrived", [&] { return line.far.received_bytes() == size + 8; });
    CHECK(!transfer.error());
    CHECK(transfer.bytes() == size);
    CHECK(line.far.received() == "head" + pattern(4, size) + "tail");
  }
  SECTION("as much as there is") {
    transfer.request.prepare(line.descriptor(), file.descriptor(), 7, 2 * size);
    world.submit(transfer.request);
    world.run_until("all is sent", [&] { return transfer.done(); });
    CHECK(!transfer.error());
    CHECK(transfer.bytes() == size);
  }
  SECTION("cancelled half-way, it says how much went out") {
    line.far.read(false);
    transfer.request.prepare(line.descriptor(), file.descriptor(), 7, size);
    world.submit(transfer.request);
    world.submit(after.to(line.descriptor(), "tail"));
    const auto until = world.in(50ms);
    world.run_until("the socket is full", [&] { return world.system().now() >= until; });
    world->cancel(transfer.request);
    line.far.read(true);
    world.run_until("it ended", done);
    if (transfer.error()) CHECK(transfer.error() == std::errc::operation_canceled);
    const std::size_t sent = transfer.bytes();
    world.run_until("all has arrived", [&] { return line.far.received_bytes() == sent + 8; });
    CHECK(line.far.received() == "head" + pattern(4, size).substr(0, sent) + "tail");
  }
  SECTION("the peer goes away") {
    transfer.request.prepare(line.descriptor(), file.descriptor(), 7, size);
    world.submit(transfer.request);
    world.turn();
    line.far.close();
    world.run_until("it ended", [&] { return transfer.done(); });
    CHECK(transfer.results.size() == 1);
    CHECK(transfer.bytes() < size);
    CHECK(transfer.error());
  }
}

}  // namespace
