// Files that are received into, and what can go wrong: a peer that ends, a disk that is full.
#include "contract/store_rig.hpp"
#include "support/patient_clock.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::Error;
using proa::OpenFlags;

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = kib * kib;

TEST_CASE("a peer that ends before the file is full: what came is written", "[file]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File file = new_file(world, folder);
  const std::size_t came = GENERATE(std::size_t{0}, std::size_t{1000}, 2 * mib);
  auto [stream, far] = store_line(stores, world, any_link());
  std::uint64_t at_end = UINT64_MAX;
  std::string in_file;
  const auto note = [&, &s = stream] {
    at_end = s.file_received();
    in_file = contents(folder.path("a"));
    s.close();
  };
  stream.ended = note;
  stream.opened = [&, &s = stream] { s.receive_file(file.descriptor(), 0, came + 1); };
  far.send(pattern(6, came));
  far.half_close();
  wait_closed(world, stream);
  CHECK(stream.stored.empty());
  CHECK(at_end == came);
  CHECK(in_file == pattern(6, came));
}

TEST_CASE("bytes that were given to a refused receive_file() are read again", "[file]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File file = new_file(world, folder);
  const bool bad_descriptor = GENERATE(true, false);
  auto [stream, far] = store_line(stores, world, any_link());
  stream.failed = [](std::error_code) {};
  stream.read = [&, &s = stream](proa::Buffer& data) {
    if (s.reads > 1) return;
    data.remove_prefix(4);
    if (bad_descriptor) {
      s.receive_file(proa::Descriptor(), 0, 10, std::move(data));
    } else {
      s.receive_file(file.descriptor(), UINT64_MAX, 10, std::move(data));
    }
  };
  far.send("headbody");
  world.run_until("all was read", [&s = stream] { return s.received == "headbodybody"; });
  far.send("tail");
  world.run_until("the rest came", [&s = stream] { return s.received == "headbodybodytail"; });
  CHECK(stream.count("error") == 1);
  stream.close();
  wait_closed(world, stream);
}

TEST_CASE("an error of the file leaves the connection, and the bytes, to the handler", "[file]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File full = open_file(world, "/dev/full", OpenFlags::write);
  const proa::File read_only = open_file(world, folder.file("a", "x"), OpenFlags::read);
  const bool is_full = GENERATE(true, false);
  const proa::File& file = is_full ? full : read_only;
  auto [stream, far] = store_line(stores, world, any_link());
  stream.opened = [&, &s = stream] {
    s.receive_file(file.descriptor(), 0, 500 * kib);
    s.receive_file(file.descriptor(), 0, 10);
  };
  far.send_pattern(7, 600 * kib);
  SECTION("the default closes") {
    wait_closed(world, stream);
    CHECK(stream.events == Events{"open", "error", "closed"});
  }
  SECTION("a handler that stays gets what was not written, and can answer") {
    stream.failed = [&s = stream](std::error_code) { s.write("no room"); };
    stream.expect_pattern(7);
    world.run_until("the rest arrived", [&s = stream] { return s.received_bytes == 600 * kib; });
    CHECK(stream.difference == no_difference);
    wait_received(world, far, 7);
    CHECK(far.received() == "no room");
  }
  CHECK(stream.count("error") == 1);
  CHECK(stream.error == std::error_code(is_full ? ENOSPC : EBADF, std::system_category()));
  CHECK(stream.stored.empty());
  CHECK(stream.file_received() == 0);
}

TEST_CASE("what cannot be received into is told by on_error", "[file][R2]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File file = new_file(world, folder);
  auto [stream, far] = store_line(stores, world);
  wait_open(world, stream);
  SECTION("no file") {
    stream.receive_file({}, 0, 1);
    wait_closed(world, stream);
    CHECK(stream.error == std::errc::bad_file_descriptor);
  }
  SECTION("an offset that overflows") {
    stream.receive_file(file.descriptor(), INT64_MAX, 1);
    wait_closed(world, stream);
    CHECK(stream.error == Error::bad_offset);
  }
  SECTION("a second one that brings bytes of its own") {
    stream.read = [&, &s = stream](Buffer& data) {
      s.receive_file(file.descriptor(), 0, 100);
      s.receive_file(file.descriptor(), 0, 100, std::move(data));
    };
    far.send("1234");
    wait_closed(world, stream);
    CHECK(stream.error == std::errc::connection_already_in_progress);
  }
  CHECK(stream.count("error") == 1);
}

TEST_CASE("a receive_file() behind the peer's end is told so", "[file][R2]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File to = new_file(world, folder);
  auto [stream, far] = store_line(stores, world);
  stream.ended = [] {};
  stream.failed = [](std::error_code) {};
  far.half_close();
  world.run_until("the end was told", [&s = stream] { return s.saw("end"); });
  stream.receive_file(to.descriptor(), 0, GENERATE(std::uint64_t{0}, std::uint64_t{3}));
  world.run_until("it was told", [&s = stream] { return s.saw("error"); });
  CHECK(stream.error == Error::end_of_file);
  stream.write("and writing goes on");
  wait_received(world, far, 19);
}

TEST_CASE("close() and finish() while a file is received into", "[file][R6]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File file = new_file(world, folder);
  auto [stream, far] = store_line(stores, world, any_link());
  const bool closes = GENERATE(true, false);
  const int when = GENERATE(0, 1, 2, 5, 20);
  stream.opened = [&, &s = stream] { s.receive_file(file.descriptor(), 0, 64 * mib); };
  far.send_pattern(8, 8 * mib);
  wait_open(world, stream);
  turns(world, when);
  closes ? stream.close() : stream.finish();
  const Events before = stream.events;
  if (!closes) {
    wait_ended(world, far);
    far.close();
  }
  wait_closed(world, stream);
  CHECK(stream.events.size() == before.size() + 1);
  CHECK(stream.stored.empty());
  // No write comes behind on_closed().
  const std::string then = contents(folder.path("a"));
  CHECK(first_difference(8, then) == no_difference);
  turns(world, 5);
  CHECK(contents(folder.path("a")) == then);
}

TEST_CASE("an exception from on_received loses nothing", "[file][C07]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File file = new_file(world, folder);
  auto [stream, far] = store_line(stores, world);
  wait_open(world, stream);
  for (std::size_t i = 0; i < 4; ++i) stream.receive_file(file.descriptor(), i * 1000, 1000);
  stream.on_stored = [](std::uint64_t bytes) { throw bytes; };
  far.send(pattern(9, 4000) + "behind");
  int caught = 0;
  const proa::TimePoint limit = world.in(hang);
  while (stream.received.size() < 6 && world.system().now() < limit) {
    try {
      world.turn();
    } catch (std::uint64_t) {
      ++caught;
    }
  }
  CHECK(caught == 4);
  CHECK(stream.received == "behind");
  CHECK(contents(folder.path("a")) == pattern(9, 4000));
}

TEST_CASE("the read timeout counts while a file waits for the peer", "[file][R7]") {
  const Folder folder;
  Stores stores;
  const PatientClock clock;
  World world;
  const proa::File file = new_file(world, folder);
  auto [stream, far] = store_line(stores, world);
  stream.set_read_timeout(200ms);
  std::uint64_t came = 0;
  stream.failed = [&, &s = stream](std::error_code) {
    came = s.file_received();
    s.close();
  };
  stream.opened = [&, &s = stream] { s.receive_file(file.descriptor(), 0, 1000); };
  wait_open(world, stream);
  for (int i = 0; i < 6; ++i) {
    far.send("12345");
    pass(world, 60ms);
  }
  REQUIRE(!stream.saw("error"));
  const proa::TimePoint since = world.system().now();
  wait_closed(world, stream);
  CHECK(world.system().now() - since > 100ms);
  CHECK(stream.error == Error::deadline);
  CHECK(came == 30);
  CHECK(contents(folder.path("a")).size() == 30);
}

TEST_CASE("a reset while a file is received into: what came is written first", "[file]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File file = new_file(world, folder);
  auto [stream, far] = store_line(stores, world);
  stream.opened = [&, &s = stream] { s.receive_file(file.descriptor(), 0, 64 * mib); };
  far.send_pattern(10, 200 * kib);
  world.run_until("some was written", [&s = stream] { return s.file_received() > 0; });
  std::uint64_t came = 0;
  stream.failed = [&, &s = stream](std::error_code) {
    came = s.file_received();
    s.close();
  };
  far.reset();
  wait_closed(world, stream);
  CHECK(stream.error == std::errc::connection_reset);
  CHECK(came > 0);
  CHECK(contents(folder.path("a")).size() == came);
  CHECK(first_difference(10, contents(folder.path("a"))) == no_difference);
}

}  // namespace
