// A stretch of a file as one of a stream's writes: its place among them, its end, and the streams
// that end in the middle of it.
#include "contract/file_rig.hpp"
#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Error;

constexpr std::size_t mib = std::size_t{1} << 20;

Link any_link() { return GENERATE(Link::tcp4, Link::path); }

TEST_CASE("a stretch of a file goes out between the writes before and behind it", "[file][R5]") {
  const Folder folder;
  Streams streams;
  World world;
  const proa::File file = open_file(world, folder.file("a", pattern(1, 5 * mib)));
  auto [stream, far] = line(streams, world, any_link());
  stream.opened = [&, &s = stream] {
    s.write("head");
    s.send_file(file.descriptor(), 100, 3 * mib);
    s.write("between");
    s.write("two");
    s.send_file(file.descriptor(), 0, 10);
    s.send_file(file.descriptor(), 5 * mib - 7, 7);
    s.write("tail");
    CHECK(s.unsent() == 4 + 3 * mib + 10 + 10 + 7 + 4);
    CHECK(s.queued() < 4 * mib / 16);
    CHECK(s.writes.empty());
  };
  const std::string all = "head" + pattern(1, 3 * mib, 100) + "betweentwo" + pattern(1, 10) +
                          pattern(1, 7, 5 * mib - 7) + "tail";
  world.run_until("all was sent", [&s = stream] { return s.writes.size() == 7; });
  CHECK(stream.writes == std::vector<std::size_t>{4, 3 * mib, 7, 3, 10, 7, 4});
  CHECK(stream.unsent() == 0);
  CHECK(stream.queued() == 0);
  wait_received(world, far, all.size());
  CHECK(far.received() == all);
  CHECK(!stream.error);
}

TEST_CASE("a stretch of nothing has its place and its on_write", "[file][R5]") {
  const Folder folder;
  Streams streams;
  World world;
  const proa::File file = open_file(world, folder.file("a", "0123456789"));
  auto [stream, far] = line(streams, world);
  wait_open(world, stream);
  stream.send_file(file.descriptor(), 3, 0);
  stream.send_file(file.descriptor(), 1000, 0);
  stream.write("x");
  stream.send_file(file.descriptor(), 3, 2);
  stream.send_file(file.descriptor(), 3, 0);
  world.run_until("all was told", [&s = stream] { return s.writes.size() == 5; });
  CHECK(stream.writes == std::vector<std::size_t>{0, 0, 1, 2, 0});
  wait_received(world, far, 3);
  CHECK(far.received() == "x34");
}

TEST_CASE("many small stretches, each with its own on_write", "[file][R5]") {
  const Folder folder;
  Streams streams;
  World world;
  const std::string bytes = pattern(2, 100000);
  const proa::File file = open_file(world, folder.file("a", bytes));
  auto [stream, far] = line(streams, world, any_link());
  wait_open(world, stream);
  std::string all;
  for (std::size_t i = 0; i < 200; ++i) {
    stream.send_file(file.descriptor(), i * 400, i);
    stream.write(proa::Bytes(std::string_view("-+")));
    all += bytes.substr(i * 400, i) + "-+";
  }
  world.run_until("all was sent", [&s = stream] { return s.writes.size() == 400; });
  wait_received(world, far, all.size());
  CHECK(far.received() == all);
}

TEST_CASE("a file that ends early is an error, and nothing follows what was sent", "[file]") {
  const Folder folder;
  Streams streams;
  World world;
  const std::size_t size = GENERATE(std::size_t{0}, std::size_t{5000}, 3 * mib);
  const bool reads = GENERATE(true, false);
  const proa::File file = open_file(world, folder.file("a", pattern(3, size)));
  auto [stream, far] = line(streams, world, any_link());
  wait_open(world, stream);
  if (!reads) stream.stop_reading();
  std::size_t writes_before = 0;
  stream.failed = [&, &s = stream](std::error_code) {
    writes_before = s.writes.size();
    s.finish();
  };
  stream.write("head");
  stream.send_file(file.descriptor(), 0, size + 1);
  stream.write("never");
  wait_closed(world, stream);
  CHECK(stream.error == Error::end_of_file);
  CHECK(stream.count("error") == 1);
  CHECK(writes_before == 1);
  CHECK(stream.writes == std::vector<std::size_t>{4});
  wait_ended(world, far);
  CHECK(far.received() == "head" + pattern(3, size));
}

TEST_CASE("what cannot be sent is told by on_error", "[file][R2]") {
  const Folder folder;
  Streams streams;
  World world;
  const proa::File file = open_file(world, folder.file("a", "0123456789"));
  const proa::File write_only = open_file(world, folder.path("a"), proa::OpenFlags::write);
  const proa::File directory =
      open_file(world, folder.path(), proa::OpenFlags::read | proa::OpenFlags::directory);
  auto [stream, far] = line(streams, world);
  wait_open(world, stream);
  const auto fails_with = [&, &s = stream](const std::error_code& expected) {
    CHECK(!s.saw("error"));  // R1
    wait_closed(world, s);
    CHECK(s.error == expected);
    CHECK(s.count("error") == 1);
    CHECK(s.writes.empty());
  };
  SECTION("no file") {
    stream.send_file({}, 0, 10);
    fails_with(std::error_code(EBADF, std::system_category()));
  }
  SECTION("no file, and nothing of it") {
    stream.send_file({}, 0, 0);
    fails_with(std::error_code(EBADF, std::system_category()));
  }
  SECTION("offset and length") {
    stream.send_file(file.descriptor(), INT64_MAX, 1);
    fails_with(Error::bad_offset);
  }
  SECTION("offset") {
    stream.send_file(file.descriptor(), UINT64_MAX, 1);
    fails_with(Error::bad_offset);
  }
  SECTION("a file that is not open for reading") {
    stream.send_file(write_only.descriptor(), 0, 1);
    fails_with(std::error_code(EBADF, std::system_category()));
  }
  SECTION("a directory") {
    stream.send_file(directory.descriptor(), 0, 1);
    fails_with(std::error_code(EINVAL, std::system_category()));
  }
  SECTION("behind half_close()") {
    stream.half_close();
    stream.send_file(file.descriptor(), 0, 1);
    fails_with(Error::closing);
  }
}

TEST_CASE("a slow reader gets all of a file, and holds no memory of ours", "[file]") {
  const Folder folder;
  Streams streams;
  World world;
  constexpr std::size_t size = 6 * mib;
  const proa::File file = open_file(world, folder.file("a", pattern(4, size)));
  auto [stream, far] = narrow_line(streams, world, any_link());
  far.expect_pattern(4);
  far.read_slowly(60000);
  wait_open(world, stream);
  stream.send_file(file.descriptor(), 0, size);
  world.run_until("half of it arrived", [&, &f = far, &s = stream] {
    CHECK(s.queued() == 0);
    return f.received_bytes() > size / 2;
  });
  CHECK(stream.unsent() > 0);
  CHECK(stream.unsent() < size);
  CHECK(stream.writes.empty());
  wait_received(world, far, size);
  world.run_until("it was told", [&s = stream] { return !s.writes.empty(); });
  CHECK(stream.writes == std::vector<std::size_t>{size});
  CHECK(far.difference() == no_difference);
}

TEST_CASE("finish() and half_close() send the file that is queued first", "[file]") {
  const Folder folder;
  Streams streams;
  World world;
  constexpr std::size_t size = 3 * mib;
  const proa::File file = open_file(world, folder.file("a", pattern(5, size)));
  auto [stream, far] = narrow_line(streams, world, any_link());
  far.expect_pattern(5);
  far.read_slowly(100000);
  wait_open(world, stream);
  stream.send_file(file.descriptor(), 0, size - 3);
  stream.send_file(file.descriptor(), size - 3, 3);
  SECTION("finish() at once") { stream.finish(); }
  SECTION("finish() half-way") {
    wait_received(world, far, size / 2);
    stream.finish();
  }
  SECTION("half_close() at once") { stream.half_close(); }
  SECTION("half_close(), then finish()") {
    stream.half_close();
    wait_received(world, far, size / 2);
    stream.finish();
  }
  wait_ended(world, far);
  CHECK(far.received_bytes() == size);
  CHECK(far.difference() == no_difference);
  CHECK(stream.writes == std::vector<std::size_t>{size - 3, 3});
  far.close();
  wait_closed(world, stream);
  CHECK(!stream.error);
}

TEST_CASE("close() in the middle of a file: only on_closed() follows", "[file][R6]") {
  const Folder folder;
  Streams streams;
  World world;
  const proa::File file = open_file(world, folder.file("a", pattern(6, 8 * mib)));
  auto [stream, far] = narrow_line(streams, world, any_link());
  wait_open(world, stream);
  stream.send_file(file.descriptor(), 0, 8 * mib);
  stream.write("never");
  SECTION("at once") {}
  SECTION("one turn later") { world.turn(); }
  SECTION("while the peer does not read") {
    far.read(false);
    pass(world, 30ms);
  }
  SECTION("half-way") { wait_received(world, far, 2 * mib); }
  stream.close();
  const Events before = stream.events;
  wait_closed(world, stream);
  CHECK(stream.events.size() == before.size() + 1);
  CHECK(stream.writes.empty());
  far.read(true);
  wait_ended(world, far);
  CHECK(far.received_bytes() < 8 * mib);
}

TEST_CASE("a peer that goes away in the middle of a file: one error, no signal", "[file][T10]") {
  const Folder folder;
  Streams streams;
  World world;
  const proa::File file = open_file(world, folder.file("a", pattern(7, 8 * mib)));
  const Link kind = any_link();
  const bool reads = GENERATE(true, false);
  auto [stream, far] = narrow_line(streams, world, kind);
  wait_open(world, stream);
  if (!reads) stream.stop_reading();
  stream.ended = [] {};
  stream.send_file(file.descriptor(), 0, 8 * mib);
  stream.write("never");
  wait_received(world, far, mib);
  kind == Link::tcp4 ? far.reset() : far.close();
  wait_closed(world, stream);
  CHECK(stream.count("error") == 1);
  INFO(stream.error.message());
  CHECK((stream.error == std::errc::broken_pipe || stream.error == std::errc::connection_reset));
  CHECK(stream.writes.empty());
  // The next one on a worker that met EPIPE is well.
  auto [second, second_far] = line(streams, world, kind);
  wait_open(world, second);
  second.send_file(file.descriptor(), 0, 8 * mib);
  wait_received(world, second_far, 8 * mib);
  CHECK(!second.error);
}

TEST_CASE("an exception from on_write behind a file loses nothing", "[file][C07]") {
  const Folder folder;
  Streams streams;
  World world;
  const proa::File file = open_file(world, folder.file("a", pattern(8, 2 * mib)));
  auto [stream, far] = line(streams, world);
  far.expect_pattern(8);
  wait_open(world, stream);
  int thrown = 0;
  stream.written = [&](std::size_t) {
    if (++thrown % 2 == 1) throw thrown;
  };
  for (std::size_t i = 0; i < 4; ++i) stream.send_file(file.descriptor(), i * mib / 2, mib / 2);
  int caught = 0;
  const proa::TimePoint limit = world.in(10s);
  while (stream.writes.size() < 4 && world.system().now() < limit) {
    try {
      world.turn();
    } catch (int) {
      ++caught;
    }
  }
  wait_received(world, far, 2 * mib);
  CHECK(caught == 2);
  CHECK(far.difference() == no_difference);
}

TEST_CASE("a file that moves slowly is not taken for a stall, one that stops is", "[file][R7]") {
  const Folder folder;
  Streams streams;
  proa::Options with = options();
  with.linger = 200ms;
  World world(with);
  constexpr std::size_t size = 6 * mib;
  const proa::File file = open_file(world, folder.file("a", pattern(9, size)));
  auto [stream, far] = narrow_line(streams, world);
  wait_open(world, stream);
  const bool stalls = GENERATE(false, true);
  far.read(false);
  stream.send_file(file.descriptor(), 0, size);
  const bool finishes = GENERATE(false, true);
  if (finishes) {
    stream.finish();
  } else {
    stream.set_idle_timeout(200ms);
  }
  if (stalls) {
    wait_closed(world, stream);
    CHECK(stream.writes.empty());
    CHECK(stream.saw("error") == !finishes);
    if (!finishes) CHECK(stream.error == Error::deadline);
    return;
  }
  // One part of it lasts longer than the limit.
  far.expect_pattern(9);
  std::size_t allowed = 0;
  for (int step = 0; step < 8; ++step) {
    allowed += 400000;
    far.read(true);
    far.read_slowly(50000);
    world.run_until("the peer took its share",
                    [&, &f = far] { return f.received_bytes() >= std::min(allowed, size); });
    far.read(false);
    pass(world, 80ms);
    REQUIRE(!stream.is_closed());
    REQUIRE(!stream.saw("error"));
  }
  far.read(true);
  far.read_slowly(mib);
  wait_received(world, far, size);
  world.run_until("it was told", [&s = stream] { return !s.writes.empty(); });
  CHECK(far.difference() == no_difference);
  CHECK(!stream.saw("error"));
}

}  // namespace
