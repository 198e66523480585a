// The end of a file's handler (R6), and exceptions of its callbacks.
#include <memory>
#include <stdexcept>

#include "contract/file_handler_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::Bytes;
using proa::OpenFlags;

// A file with reading, writing and syncing to do.
Filing& busy(Filings& filings, World& world, const Folder& folder) {
  Filing& file = filings.add(*world);
  file.open(folder.file("a", pattern(1, 100000)), read_write);
  file.ended = [] {};
  file.start_reading();
  file.set_write_position(100000);
  file.set_watermarks({50000, 20000, 10000000, false});
  file.write(std::string(100000, 'x'));
  file.write("end");
  file.sync();
  return file;
}

TEST_CASE("K06: a file closed inside any callback: only on_closed follows, once",
          "[file][R6][K06]") {
  const Folder folder;
  Filings filings;
  World world;
  const std::string where =
      GENERATE("open", "read", "end", "write", "drained", "synced", "error", "at once", "turn");
  CAPTURE(where);
  Filing& file = busy(filings, world, folder);
  const auto close = [&] {
    file.close();
    file.write("more");
    file.start_reading(0);
    file.sync();
    file.finish();
    file.close();
  };
  if (where == "open") file.opened = close;
  if (where == "read") file.read = [&](Buffer&) { close(); };
  if (where == "end") file.ended = close;
  if (where == "write") file.written = [&](std::size_t) { close(); };
  if (where == "drained") file.drained = close;
  if (where == "synced") file.synced = close;
  if (where == "error") {
    file.failed = [&](std::error_code) { close(); };
    file.write(Bytes(nullptr, 1));
  }
  if (where == "turn") world.turn();
  if (where == "at once" || where == "turn") close();
  wait_closed(world, file);
  turns(world, 5);
  CHECK(file.count("closed") == 1);
  CHECK(file.events.back() == "closed");
  if (where != "at once" && where != "turn") {
    REQUIRE(file.events.size() >= 2);
    CHECK(file.events[file.events.size() - 2] == where);
  }
  CHECK(!file.is_open());
}

TEST_CASE("hundreds of the user's own requests are delivered, once each, before on_closed",
          "[file][R2][R6]") {
  constexpr std::size_t number = 300;
  const Folder folder;
  std::list<ReadingAt> reads;
  std::list<WritingAt> writes;
  Filings filings;
  World world;
  Filing& file = filings.add(*world, open_file(world, folder.file("a", pattern(1, number * 4096))));
  file.start_reading();
  const std::string block(4096, 'w');
  for (std::size_t i = 0; i < number; ++i) {
    world.submit(reads.emplace_back(4096).from(file.descriptor(), i * 4096));
    world.submit(writes.emplace_back().to(file.descriptor(), (number + i) * 4096, block));
  }
  std::size_t delivered = 0;
  file.closed = [&] {
    for (const ReadingAt& read : reads) delivered += read.done();
    for (const WritingAt& write : writes) delivered += write.done();
  };
  SECTION("at once") {}
  SECTION("a turn later") { world.turn(); }
  file.close();
  CHECK(!file.is_closed());
  wait_closed(world, file);
  CHECK(delivered == 2 * number);
  for (const ReadingAt& read : reads) {
    REQUIRE(read.results.size() == 1);
    if (read.error()) REQUIRE(read.error() == std::errc::operation_canceled);
    if (!read.error()) REQUIRE(read.bytes() == 4096);
  }
  for (const WritingAt& write : writes) {
    REQUIRE(write.results.size() == 1);
    if (write.error()) REQUIRE(write.error() == std::errc::operation_canceled);
    if (!write.error()) REQUIRE(write.bytes() == 4096);
  }
}

struct Leaving : proa::FileHandler {
  Leaving(proa::Proactor& proactor, int& closed) : FileHandler(proactor), closed_(closed) {}
  void on_closed() override {
    ++closed_;
    delete this;
  }
  int& closed_;
};

TEST_CASE("a file's handler may be deleted in on_closed()", "[file][R6]") {
  const Folder folder;
  int closed = 0;
  World world;
  for (const char* const name : {"a", "none"}) {
    auto* const file = new Leaving(*world, closed);
    folder.file("a", pattern(1, 100000));
    file->open(folder.path(name), OpenFlags::read);
    file->start_reading();
  }
  world.run_until("both are closed", [&] { return closed == 2; });
}

TEST_CASE("C06: the end of the proactor while a file opens, and while it is busy",
          "[file][R6][C06]") {
  const Folder folder;
  Filings filings;
  std::list<ReadingAt> reads;
  World world;
  SECTION("before the first turn") {}
  SECTION("a turn later") {}
  Filing& file = busy(filings, world, folder);
  Filing& second = filings.add(*world);
  second.open(folder.path("b"), read_write);
  if (GENERATE(false, true)) world.turn();
  if (file.descriptor().valid()) world.submit(reads.emplace_back().from(file.descriptor()));
  CHECK(world->shutdown(hang) == 0);
  CHECK(file.events.back() == "closed");
  CHECK(second.events.back() == "closed");
  CHECK(!file.error);
  for (const ReadingAt& read : reads) CHECK(read.results.size() == 1);
  const Events before = file.events;
  file.open(folder.path("c"), read_write);
  file.write("nothing");
  CHECK(file.events == before);
}

TEST_CASE("close() while a file opens: no descriptor is lost", "[file][R4][R6]") {
  const Folder folder;
  Filings filings;
  World world;
  const std::string path = folder.file("a", "a");
  for (int i = 0; i < 50; ++i) {
    Filing& file = filings.add(*world);
    file.open(path, OpenFlags::read);
    turns(world, i % 3);
    file.close();
    CHECK(!file.is_closed());
    wait_closed(world, file);
    CHECK(file.count("closed") == 1);
    CHECK(!file.saw("error"));
  }
}

struct Unbuilt : proa::FileHandler {
  Unbuilt(proa::Proactor& proactor, proa::File file, bool closes)
      : FileHandler(proactor, std::move(file)) {
    start_reading();
    write("never");
    if (closes) close();
    throw std::runtime_error("the constructor of the derived class");
  }
};

TEST_CASE("the constructor of a derived class throws: the file is closed, nothing is left",
          "[file][R6]") {
  const Folder folder;
  World world;
  const std::string path = folder.file("a", "a");
  CHECK_THROWS_AS(Unbuilt(*world, open_file(world, path), GENERATE(false, true)),
                  std::runtime_error);
  CHECK(world->run_once(0s) == 0);
  CHECK(contents(path) == "a");
}

struct Thrown : std::runtime_error {
  Thrown() : runtime_error("thrown by a handler") {}
};

TEST_CASE("C07: what a file's callbacks throw leaves run(), and nothing is lost", "[file][C07]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = busy(filings, world, folder);
  file.opened = file.drained = file.synced = file.ended = [] { throw Thrown(); };
  file.read = [](Buffer&) { throw Thrown(); };
  file.written = [](std::size_t) { throw Thrown(); };
  std::size_t thrown = 0;
  const auto turn = [&] {
    try {
      world.turn();
    } catch (const Thrown&) {
      ++thrown;
    }
  };
  const auto limit = std::chrono::steady_clock::now() + hang;
  const auto done = [&] { return file.saw("end") && file.syncs == 1 && file.saw("drained"); };
  while (!done() && std::chrono::steady_clock::now() < limit) turn();
  CHECK(file.writes == std::vector<std::size_t>{100000, 3});
  CHECK(file.count("end") == 1);
  CHECK(thrown == file.reads + 2 + file.count("drained") + 3);
  CHECK(first_difference(1, std::string_view(file.received).substr(0, 100000)) == no_difference);
  file.finish();
  wait_closed(world, file);
  CHECK(contents(folder.path("a")) == pattern(1, 100000) + std::string(100000, 'x') + "end");
}

TEST_CASE("without workers a file's handler opens it, or is told that it cannot", "[file]") {
  const Folder folder;
  Filings filings;
  proa::Options none = options();
  none.workers = 0;
  World world(none);
  Filing& file = filings.add(*world);
  file.opened = [&] { file.close(); };
  file.open(folder.path("a"), read_write);
  wait_closed(world, file);
  CHECK(file.saw("open") == !file.error);
  if (file.error) CHECK(file.error == std::errc::operation_not_supported);
}

TEST_CASE("an error that the owner of a file's handler does not answer is counted", "[file][R2]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing* file = nullptr;
  SECTION("an open() that failed, though reading is on") {
    file = &filings.add(*world);
    file->open(folder.path("none"), OpenFlags::read);
    file->start_reading();
  }
  SECTION("an invalid file") { file = &filings.add(*world, proa::File()); }
  SECTION("no open()") {
    file = &filings.add(*world);
    file->write("x");
  }
  SECTION("a read") {
    file = &filings.add(*world);
    file->open(folder.path("."), OpenFlags::read);
    file->start_reading();
  }
  SECTION("a write") {
    file = &filings.add(*world);
    file->open(folder.file("a", "x"), OpenFlags::read);
    file->write("y");
  }
  file->failed = [](std::error_code) {};
  wait_for(world, *file, "error");
  turns(world, 5);
  CHECK(file->count("error") == 1);
  CHECK(file->is_open());
  CHECK(world->counters().errors_unanswered == 1);
}

TEST_CASE("an error of a file's handler that is answered, or takes nothing, is not counted",
          "[file][R2]") {
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  const std::string a = folder.file("a", "x");
  file.ended = [] {};
  file.failed = [](std::error_code) {};
  SECTION("finish() was called before") {
    file.open(folder.path("none"), OpenFlags::read);
    file.finish();
    wait_closed(world, file);
  }
  SECTION("it opens another file") {
    file.failed = [&](std::error_code) { file.open(a, OpenFlags::read); };
    file.open(folder.path("none"), OpenFlags::read);
    wait_for(world, file, "open");
  }
  SECTION("it reads from elsewhere") {
    file.open(a, OpenFlags::read);
    file.write("y");
    file.failed = [&](std::error_code) { file.start_reading(0); };
    wait_for(world, file, "end");
  }
  SECTION("of a setting") {
    file.open(a, OpenFlags::read);
    wait_for(world, file, "open");
    file.set_watermarks({1, 2, 3, false});
    wait_for(world, file, "error");
  }
  CHECK(file.count("error") == 1);
  CHECK(world->counters().errors_unanswered == 0);
}

TEST_CASE("close() ends the sends that read the file", "[file][R6]") {
  const Folder folder;
  const std::string path = folder.file("a", pattern(1, 16000000));
  Recording<proa::SendFile> first;
  Recording<proa::SendFile> second;  // waits behind the first
  Recording<proa::SendFile> other;   // of another file
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.open(path, OpenFlags::read);
  wait_for(world, file, "open");
  const proa::File kept = open_file(world, path, OpenFlags::read);
  const Connection line = world.pair();
  const Connection another = world.pair();
  line.far.read(false);
  another.far.read(false);
  first.request.prepare(line.descriptor(), file.descriptor(), 0, 16000000);
  second.request.prepare(line.descriptor(), file.descriptor(), 0, 16000000);
  other.request.prepare(another.descriptor(), kept.descriptor(), 0, 16000000);
  world.submit(first.request);
  world.submit(second.request);
  world.submit(other.request);
  turns(world, 20);
  std::size_t told = 0;
  file.closed = [&] { told = first.results.size() + second.results.size(); };
  file.close();
  wait_closed(world, file);
  CHECK(told == 2);
  CHECK(first.error() == std::errc::operation_canceled);
  CHECK(second.error() == std::errc::operation_canceled);
  CHECK(second.bytes() == 0);
  CHECK(other.request.pending());
  world->cancel(other.request);
  world.run_until("that has ended too", [&] { return other.done(); });
}

}  // namespace
