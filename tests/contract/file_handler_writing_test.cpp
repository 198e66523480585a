// A handler's file as a stream to write: order, positions and watermarks.
#include <cerrno>

#include "contract/file_handler_rig.hpp"
#include "support/allocations.hpp"
#include "support/replaced.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::Bytes;
using proa::Error;
using proa::OpenFlags;

TEST_CASE("100,000 small writes are told one by one, and in their order in the file",
          "[file][R2][R5]") {
  const std::size_t number = sanitized() ? 20000 : 100000;
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.open(folder.path("a"), read_write);
  std::string expected;
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < number; ++i) {
    const std::string line = std::to_string(i) + "\n";
    const Bytes pieces[] = {Bytes(std::string_view(line).substr(0, 1)),
                            Bytes(std::string_view(line).substr(1))};
    i % 3 == 0 ? file.writev(pieces, 2) : file.write(line);
    expected += line;
    sizes.push_back(line.size());
  }
  file.write("");
  sizes.push_back(0);
  CHECK(file.unsent() == expected.size());
  file.finish();
  CHECK(file.events.empty());
  wait_closed(world, file);
  CHECK(!file.error);
  CHECK(file.writes == sizes);
  CHECK((contents(folder.path("a")) == expected));
}

TEST_CASE("positions: each write goes where the position was when it was written", "[file][R5]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.open(folder.file("a", std::string(30, '.')), read_write);
  file.set_write_position(10);
  file.write("ten");
  file.set_write_position(2);
  file.write("2");
  file.write("");
  file.set_write_position(20);
  file.set_write_position(25);
  file.write("25");
  file.written = [&](std::size_t) {
    // The queue is empty in the last of them.
    if (file.writes.size() == 4) {
      file.set_write_position(0);
      file.write("0");
    }
  };
  world.run_until("all is written", [&] { return file.writes.size() == 5; });
  CHECK(file.write_position() == 1);
  CHECK(contents(folder.path("a")) == "0.2.......ten............25...");
  file.set_write_position(29);
  file.write("29");
  file.finish();
  wait_closed(world, file);
  CHECK(contents(folder.path("a")) == "0.2.......ten............25..29");
}

TEST_CASE("a file opened for appending is written at its end", "[file]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.open(folder.file("a", "old "), OpenFlags::append);
  file.write("new ");
  world.run_until("it is written", [&] { return !file.writes.empty(); });
  file.write("newer");
  file.finish();
  wait_closed(world, file);
  CHECK(contents(folder.path("a")) == "old new newer");
}

TEST_CASE("a file is copied, its buffers are not", "[file][R5]") {
  constexpr std::size_t size = 2000003;
  const Folder folder;
  Filings filings;
  World world;
  Filing& from = filings.add(*world);
  Filing& to = filings.add(*world);
  from.open(folder.file("a", pattern(1, size)), OpenFlags::read);
  to.open(folder.path("b"), read_write);
  from.read = [&](Buffer& data) {
    to.write(std::move(data));
    if (to.queued() > 100000) from.stop_reading();
  };
  to.set_watermarks({100000, 30000, 200000});
  to.drained = [&] { from.start_reading(); };
  from.ended = [&] {
    to.finish();
    from.close();
  };
  from.start_reading();
  wait_closed(world, to);
  CHECK(!to.error);
  CHECK(!from.error);
  const std::string copy = contents(folder.path("b"));
  CHECK(copy.size() == size);
  CHECK(first_difference(1, copy) == no_difference);
}

TEST_CASE("one file is written and read as streams, with its reading paused above the high mark",
          "[file][R5]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.open(folder.file("a", pattern(1, 200000)), read_write);
  file.set_write_position(200000);
  file.set_watermarks({50000, 20000, 10000000});
  std::size_t most = 0;
  file.read = [&](Buffer& data) {
    most = std::max(most, file.queued());
    if (file.received.size() <= 200000) {
      file.write(std::move(data));
      file.write(std::string(60000, 'x'));
    }
  };
  file.start_reading();
  wait_closed(world, file);
  CHECK(!file.error);
  CHECK(file.saw("drained"));
  CHECK(most < 200000);
  const std::string all = contents(folder.path("a"));
  CHECK(all.size() > 200000);
  CHECK(first_difference(1, std::string_view(all).substr(0, 200000)) == no_difference);
  CHECK(first_difference(1, std::string_view(file.received).substr(0, 200000)) == no_difference);
}

TEST_CASE("watermarks of a file: on_drained() once the queue has fallen", "[file]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.set_watermarks({50000, 20000, 1000000});
  file.open(folder.path("a"), read_write);
  for (std::size_t i = 1; i <= 3; ++i) {
    file.write(std::string(30000, 'x'));
    file.write(std::string(30000, 'y'));
    CHECK(file.queued() >= 60000);
    CHECK(file.unsent() == 60000);
    world.run_until("it is written", [&] { return file.writes.size() == 2 * i; });
    CHECK(file.count("drained") == i);
    CHECK(file.queued() == 0);
    CHECK(file.unsent() == 0);
  }
  file.write("below the mark");
  file.finish();
  wait_closed(world, file);
  CHECK(file.count("drained") == 3);
}

TEST_CASE("a write above the hard limit fails", "[file]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.open(folder.path("a"), read_write);
  file.set_watermarks({1000, 100, 100000});
  file.write(std::string(50000, 'x'));
  file.write(std::string(60000, 'y'));
  wait_closed(world, file);
  CHECK(file.error == Error::write_limit);
  CHECK(file.count("error") == 1);
}

TEST_CASE("a file's write too many takes nothing from those before it, by the default on_error()",
          "[file][R2]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.open(folder.path("a"), read_write);
  for (std::size_t i = 0; i < 50; ++i) file.write(Bytes(pattern(1, 100000, i * 100000)));
  CHECK(!file.finishing());
  file.finish();
  CHECK(file.finishing());
  file.write("late");
  file.sync();
  wait_closed(world, file);
  CHECK(!file.finishing());
  CHECK(file.error == Error::closing);
  CHECK(file.writes.size() == 50);
  CHECK(first_difference(1, contents(folder.path("a"))) == no_difference);
}

TEST_CASE("the error of a file's refused write comes behind what was written before it",
          "[file][R2][R5]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.set_watermarks({30000, 0, 40000});
  file.open(folder.path("a"), read_write);
  if (GENERATE(true, false)) world.run_until("it is open", [&] { return file.saw("open"); });
  file.write(Bytes(pattern(1, 500)));
  file.sync();
  file.write(std::string(60000, 'x'));
  switch (GENERATE(0, 1, 2)) {
    case 1:
      file.set_write_position(1000);
      break;
    case 2:
      file.finish();
      break;
    default:
      break;
  }
  wait_closed(world, file);
  CHECK(file.writes == std::vector<std::size_t>{500});
  CHECK(file.syncs == 1);
  CHECK(contents(folder.path("a")) == pattern(1, 500));
  CHECK(file.count("error") == 1);
  CHECK(file.error == Error::write_limit);
}

TEST_CASE(
    "a write that is refused: what was written before it is in the file, and nothing behind it",
    "[file][R2][R5]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  std::vector<std::error_code> errors;
  file.failed = [&](std::error_code error) { errors.push_back(error); };
  file.open(folder.path("a"), read_write);
  file.set_watermarks({1000, 100, std::size_t{4} << 20});
  const bool opens_first = GENERATE(true, false);
  const bool begins_anew = GENERATE(true, false);
  if (opens_first) world.run_until("it is open", [&] { return file.saw("open"); });
  const std::string large(std::size_t{4} << 20, 'x');
  std::error_condition expected = std::errc::no_buffer_space;
  file.write("first");
  SECTION("above the limit") { file.write(Bytes(large)); }
  SECTION("a buffer above the limit") {
    file.set_watermarks({2, 1, 3});
    file.write(world->take_buffer());
    file.set_watermarks({});
  }
  SECTION("bytes that find no block") {
    const Replaced no_memory(
        proa::sys::table.map, +[](std::size_t, void**) noexcept -> long { return -ENOMEM; });
    file.write(Bytes(large.data(), large.size() - (std::size_t{1} << 20)));
  }
  SECTION("a buffer that found no block") { file.write(Buffer()); }
  SECTION("a length without memory") {
    file.write(Bytes(nullptr, 10));
    expected = std::errc::invalid_argument;
  }
  file.write("behind");
  file.sync();
  world.run_until("it was told", [&] { return !errors.empty() && !file.writes.empty(); });
  file.write("behind");
  turns(world, 5);
  CHECK(file.unsent() == 0);
  CHECK(file.syncs == 0);
  CHECK(contents(folder.path("a")) == "first");
  if (begins_anew) {
    file.set_write_position(3);
    file.write("st line");
    file.sync();
  }
  file.finish();
  wait_closed(world, file);
  CHECK(contents(folder.path("a")) == (begins_anew ? "first line" : "first"));
  CHECK(file.syncs == (begins_anew ? 1 : 0));
  REQUIRE(errors.size() == 1);
  CHECK(errors[0] == expected);
}

TEST_CASE("a write that was refused before open() takes nothing from those before it",
          "[file][R2]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.write(Bytes(pattern(1, 300000)));
  file.write(Buffer());
  file.open(folder.path("a"), read_write);
  wait_closed(world, file);
  CHECK(file.writes == std::vector<std::size_t>{300000});
  CHECK(contents(folder.path("a")) == pattern(1, 300000));
  CHECK(file.count("error") == 1);
  CHECK(file.error == std::errc::no_buffer_space);
}

TEST_CASE("direct writes in a stream: aligned buffers are taken as they are", "[file][F07]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.open(folder.path("a"), read_write | OpenFlags::direct);
  for (std::size_t i = 0; i < 50; ++i) {
    Buffer block = world->take_direct_buffer();
    REQUIRE(block.append(pattern(1, block.room(), i * block.room())) > 0);
    file.write(std::move(block));
  }
  file.finish();
  wait_closed(world, file);
  CHECK(!file.error);
  CHECK(file.writes.size() == 50);
  CHECK(first_difference(1, contents(folder.path("a"))) == no_difference);
}

// Notes nothing.
struct Steady : proa::FileHandler {
  using FileHandler::FileHandler;
  void on_write(std::size_t) override { ++written; }
  void on_synced() override { ++synced; }
  void on_end() override { ++ends; }
  std::size_t written = 0, synced = 0, ends = 0;
};

TEST_CASE("reading, writing and syncing a file allocates nothing in steady state", "[file][R10]") {
  const Folder folder;
  std::list<Steady> files;
  proa::Options with = options();
  with.workers = 1;  // one that begins late is an allocation
  World world(with);
  Steady& file = files.emplace_back(*world, open_file(world, folder.file("a", "")));
  REQUIRE(counts_malloc());
  const std::string bytes = pattern(1, 3000);
  const auto round = [&](std::size_t number) {
    file.set_write_position(0);
    for (int i = 0; i < 100; ++i) file.write(bytes);
    file.sync();
    for (int i = 0; i < 1000 && file.synced < number; ++i) world->run_once(100ms);
    file.start_reading(0);
    for (int i = 0; i < 1000 && file.ends < number; ++i) world->run_once(100ms);
    return file.synced == number && file.ends == number;
  };
  for (std::size_t i = 1; i <= 20; ++i) REQUIRE(round(i));
  bool intact = true;
  const std::uint64_t before = allocations();
  for (std::size_t i = 21; i <= 60; ++i) intact = intact && round(i);
  const std::uint64_t after = allocations();
  CHECK(intact);
  CHECK(file.written == 6000);
  CHECK(after - before == 0);
}

}  // namespace
