// A handler's file as a stream to read, and how it opens.
#include <algorithm>
#include <fstream>
#include <thread>

#include "contract/file_handler_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::OpenFlags;

void append_to(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::app) << bytes;
}

TEST_CASE("a file is read in order to its end", "[file][R5]") {
  const std::size_t size = GENERATE(0u, 1u, 17280u, 2 * 17280u, 1000003u);
  const Folder folder;
  Filings filings;
  World world;
  const std::string path = folder.file("a", pattern(1, size));
  Filing& file = filings.add(*world);
  file.open(path, OpenFlags::read);
  file.start_reading();
  CHECK(file.events.empty());
  wait_closed(world, file);
  CHECK(file.received.size() == size);
  CHECK(first_difference(1, file.received) == no_difference);
  CHECK(file.events ==
        (size == 0 ? Events{"open", "end", "closed"} : Events{"open", "read", "end", "closed"}));
}

TEST_CASE("positions: from anywhere, stopped and started again", "[file][R5]") {
  constexpr std::size_t size = 300000;
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world, open_file(world, folder.file("a", pattern(1, size))));
  std::size_t position = 100;
  bool intact = true;
  bool jumped = false;
  file.read = [&](Buffer& data) {
    intact = intact && first_difference(1, data.text(), position) == no_difference;
    position += data.size();
    intact = intact && file.read_position() == position;
  };
  SECTION("from there to the end") { file.start_reading(position); }
  SECTION("behind the end") {
    file.start_reading(position = size + 7);
    file.opened = [&] { CHECK(file.read_position() == size + 7); };
  }
  SECTION("stopped in each on_read, started from elsewhere") {
    const auto check = file.read;
    file.read = [&, check](Buffer& data) {
      check(data);
      file.stop_reading();
    };
    file.start_reading(position);
    for (std::size_t reads = 1; !file.saw("end") && reads < 100; ++reads) {
      world.run_until("it was read", [&] { return file.reads == reads || file.saw("end"); });
      turns(world, 3);
      CHECK((file.reads == reads || file.saw("end")));
      file.start_reading();
    }
  }
  SECTION("another position, in on_read") {
    const auto check = file.read;
    file.read = [&, check](Buffer& data) {
      check(data);
      if (!std::exchange(jumped, true)) file.start_reading(position = 5000);
    };
    file.start_reading(position);
  }
  wait_closed(world, file);
  CHECK(intact);
  CHECK(position == std::max(position, size));
  CHECK(file.count("end") == 1);
}

TEST_CASE("a file that grows: start_reading() after on_end() brings what was added", "[file]") {
  const Folder folder;
  Filings filings;
  World world;
  const std::string path = folder.file("a", pattern(1, 20000));
  Filing& file = filings.add(*world);
  file.open(path, GENERATE(OpenFlags::read, OpenFlags::read | OpenFlags::direct));
  file.ended = [] {};
  file.start_reading();
  for (std::size_t ends = 1, size = 20000; ends < 20; ++ends) {
    world.run_until("the end", [&] { return file.count("end") == ends; });
    CHECK(file.received.size() == size);
    turns(world, 2);
    CHECK(file.count("end") == ends);
    append_to(path, pattern(1, 1234, size));
    size += 1234;
    file.start_reading();
  }
  CHECK(first_difference(1, file.received) == no_difference);
  CHECK(!file.error);
}

TEST_CASE("a file opened for direct I/O is read from any position", "[file][F07]") {
  const Folder folder;
  Filings filings;
  World world;
  const std::string path = folder.file("a", pattern(1, 100001));
  Filing& file = filings.add(*world);
  const std::size_t from = GENERATE(0u, 1u, 4096u, 16384u, 99999u);
  file.open(path, OpenFlags::read | OpenFlags::direct);
  file.start_reading(from);
  wait_closed(world, file);
  CHECK(!file.error);
  CHECK(file.received.size() == 100001 - from);
  CHECK(first_difference(1, file.received, from) == no_difference);
}

TEST_CASE("what cannot be opened or read: one on_error()", "[file][R1][F03]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  std::error_condition expected;
  bool reads = true;
  SECTION("a file that is missing") {
    file.open(folder.path("none"), OpenFlags::read);
    expected = std::errc::no_such_file_or_directory;
  }
  SECTION("a path with a NUL byte") {
    file.open(std::string("a\0b", 3), OpenFlags::read);
    expected = std::errc::invalid_argument;
  }
  SECTION("a directory") {
    file.open(folder.path(), OpenFlags::read);
    expected = std::errc::is_a_directory;
  }
  SECTION("a file that is open for writing only") {
    file.open(folder.path("a"), OpenFlags::write | OpenFlags::create);
    expected = std::errc::bad_file_descriptor;
  }
  SECTION("two files") {
    file.open(folder.file("a", "a"), OpenFlags::read);
    file.open(folder.file("b", "b"), OpenFlags::read);
    reads = false;
    expected = std::errc::device_or_resource_busy;
  }
  SECTION("an offset that is none") {
    file.open(folder.file("a", "a"), OpenFlags::read);
    file.start_reading(std::uint64_t{1} << 63);
    expected = std::errc::invalid_argument;
  }
  if (reads) file.start_reading(file.read_position());
  CHECK(file.events.empty());
  wait_closed(world, file);
  CHECK(file.error == expected);
  CHECK(file.count("error") == 1);
  CHECK(file.events.back() == "closed");
  CHECK(!file.saw("read"));
}

TEST_CASE("a handler is as new after on_closed()", "[file][R6]") {
  const Folder folder;
  Filings filings;
  World world;
  const std::string second = folder.file("b", "second");
  Filing& file = filings.add(*world);
  file.open(folder.file("a", "first "), OpenFlags::read);
  file.start_reading();
  file.set_watermarks({100, 50, 5000});
  file.closed = [&] {
    file.closed = {};
    CHECK(file.watermarks().limit == 5000);  // what was set stays
    CHECK(!file.descriptor().valid());
    file.open(second, OpenFlags::read);
    file.start_reading();
  };
  world.run_until("both are read", [&] { return file.count("closed") == 2; });
  CHECK(file.received == "first second");
}

TEST_CASE("a path is looked up from an open directory", "[file]") {
  const Folder folder;
  Filings filings;
  proa::File directory;
  World world;
  folder.file("a", "here");
  directory = open_file(world, folder.path(), OpenFlags::read | OpenFlags::directory);
  Filing& file = filings.add(*world);
  file.open("a", OpenFlags::read, 0, directory.descriptor());
  file.start_reading();
  wait_closed(world, file);
  CHECK(file.received == "here");
  directory.close();
}

TEST_CASE("B03: without a buffer reading waits, does not spin, and goes on", "[file][R11][B03]") {
  constexpr std::size_t size = 500000;
  const bool direct = GENERATE(false, true);
  const Folder folder;
  Filings filings;
  std::list<Buffer> kept;
  proa::Options few = options();
  few.buffers = 4;
  World world(few);
  const OpenFlags flags = direct ? OpenFlags::read | OpenFlags::direct : OpenFlags::read;
  Filing& file = filings.add(*world);
  Filing& other = filings.add(*world);
  file.read = [&](Buffer& data) { kept.push_back(std::move(data)); };
  file.open(folder.file("a", pattern(1, size)), flags);
  file.start_reading();
  world.run_until("it waits", [&] { return world->counters().buffers_missed > 0; });
  other.open(folder.file("b", pattern(2, size)), flags);
  other.start_reading();
  turns(world, 10);
  CHECK(kept.size() <= 4);
  CHECK(!file.saw("end"));
  CHECK(!other.saw("read"));
  const std::uint64_t missed = world->counters().buffers_missed;
  const std::uint64_t rounds = world->counters().rounds;
  turns(world, 10);
  CHECK(world->counters().buffers_missed == missed);
  CHECK(world->counters().rounds - rounds <= 20);

  SECTION("it is closed while it waits") {
    file.close();
    wait_closed(world, file);
    kept.clear();
    wait_closed(world, other);
    CHECK(first_difference(2, other.received) == no_difference);
    return;
  }
  SECTION("they come back one at a time") {
    world.run_until("both are read", [&] {
      if (!kept.empty()) kept.pop_front();
      return file.is_closed() && other.is_closed();
    });
  }
  SECTION("another thread gives them back") {
    file.read = {};
    std::thread([&] { kept.clear(); }).join();
    wait_closed(world, file);
    wait_closed(world, other);
  }
  CHECK(file.received.size() == size);
  CHECK(first_difference(1, file.received) == no_difference);
  CHECK(other.received.size() == size);
  CHECK(first_difference(2, other.received) == no_difference);
}

}  // namespace
