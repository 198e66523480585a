// A stretch of a file as one of a stream's writes: its place among them, its own end, and what
// cannot be sent.
#include "contract/file_rig.hpp"
#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Error;

constexpr std::size_t mib = std::size_t{1} << 20;

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
  world.run_until("all was told", [&s = stream] { return s.unsent() == 0; });
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
  world.run_until("all was told", [&s = stream] { return s.unsent() == 0; });
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
  SECTION("a file that is closed before its turn") {
    proa::File closed = open_file(world, folder.path("a"));
    stream.send_file(closed.descriptor(), 0, 10);
    closed.close();
    fails_with(std::error_code(EBADF, std::system_category()));
  }
  SECTION("a directory") {
    stream.send_file(directory.descriptor(), 0, 1);
    fails_with(std::error_code(EINVAL, std::system_category()));
  }
  SECTION("behind half_close()") {
    stream.half_close();
    stream.send_file(file.descriptor(), 0, 1);
    world.run_until("it was told", [&s = stream] { return s.saw("error"); });
    CHECK(stream.error == Error::closing);
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

}  // namespace
