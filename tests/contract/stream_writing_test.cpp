// StreamHandler writing: all of it, in order, gathered, told once per write; what is refused, and
// how that is told.
#include <cerrno>
#include <csignal>

#include "contract/stream_rig.hpp"
#include "support/ledger.hpp"
#include "support/replaced.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::Bytes;
using proa::Error;

constexpr std::size_t kib = 1024;

TEST_CASE("T07: three writes of 4096 pieces of 10 KB, then the end", "[R5][T07]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  far.expect_pattern(7);
  const std::size_t piece = sanitized() ? 1000 : 10000;
  const std::size_t size = 4096 * piece;
  stream.set_watermarks({256 * kib, 64 * kib, 4 * size});
  // The same memory again and again would hide what is swapped; all of it at once is too much.
  std::string bytes;
  for (std::size_t i = 0; i < 3; ++i) {
    bytes = pattern(7, size, i * size);
    std::vector<Bytes> pieces;
    for (std::size_t at = 0; at < size; at += piece) pieces.emplace_back(&bytes[at], piece);
    stream.writev(pieces.data(), pieces.size());
    bytes.assign(size, 'x');  // it was copied
  }
  CHECK(stream.unsent() == 3 * size);
  stream.finish();
  CHECK(stream.writes.empty());
  world.run_until("the peer saw the end", [&f = far] { return f.ended(); });
  CHECK(far.received_bytes() == 3 * size);
  CHECK(far.difference() == no_difference);
  CHECK(stream.writes == std::vector<std::size_t>{size, size, size});
  far.close();
  wait_closed(world, stream);
  CHECK(!stream.error);
}

TEST_CASE("what is queued in one callback leaves in one system call", "[R10]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  wait_open(world, stream);
  std::string expected;
  stream.read = [&, &s = stream](Buffer& data) {
    for (int i = 0; i < 20; ++i) {
      const std::string small = "small " + std::to_string(i) + ";";
      s.write(Bytes(small));
      Buffer large = world->take_buffer();
      large.append(Bytes(pattern(1, 3000, static_cast<std::size_t>(i))));
      expected += small + std::string(large.text());
      s.write(std::move(large));
    }
    s.write(std::move(data));
    expected += "go";
  };
  far.send("go");
  far.turn();
  {
    const Ledger ledger;
    for (int i = 0; i < 10 && stream.writes.size() < 41; ++i) world->run_once(10ms);
    CHECK(stream.writes.size() == 41);
    const std::uint64_t sends = ledger.count(Call::send) + ledger.count(Call::sendmsg);
    if (!over_uring() || configuration() == "uring-filtered") CHECK(sends == 1);
    // One receive, perhaps one that finds nothing more, one send, one wake-up.
    if (over_uring()) CHECK(ledger.submitted().number <= 4);
  }
  wait_received(world, far, expected.size());
  CHECK(far.received() == expected);
}

TEST_CASE("on_write comes once per write, in order, with its size", "[R2][R5]") {
  Streams streams;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  auto [stream, far] = line(streams, world, kind);
  far.expect_pattern(8);
  std::vector<std::size_t> sizes;
  std::size_t total = 0;
  for (std::size_t i = 0; i < 300; ++i) {
    const std::size_t size = i * 7919 % 9000 * (i % 3 == 0 ? 0 : 1) + i % 2;
    const std::string bytes = pattern(8, size, total);
    if (i % 5 == 0 && size <= 3000) {
      Buffer buffer = world->take_buffer();
      REQUIRE(buffer.append(Bytes(bytes)) == size);
      stream.write(std::move(buffer));
    } else {
      stream.write(Bytes(bytes));
    }
    sizes.push_back(size);
    total += size;
  }
  REQUIRE(std::count(sizes.begin(), sizes.end(), 0) > 10);
  CHECK(stream.unsent() == total);
  world.run_until("all was written", [&, &s = stream] { return s.writes.size() == sizes.size(); });
  wait_received(world, far, total);
  CHECK(stream.writes == sizes);
  CHECK(far.difference() == no_difference);
  CHECK(stream.unsent() == 0);
  CHECK(stream.queued() == 0);
}

TEST_CASE("C12: a write of nothing is told, in its place", "[C12]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  SECTION("alone") {
    stream.write(Bytes("", 0));
    CHECK(stream.writes.empty());
    world.run_until("it was told", [&s = stream] { return s.writes.size() == 1; });
    CHECK(stream.writes == std::vector<std::size_t>{0});
  }
  SECTION("of no pieces") {
    stream.writev(nullptr, 0);
    world.run_until("it was told", [&s = stream] { return s.writes.size() == 1; });
    CHECK(stream.writes == std::vector<std::size_t>{0});
  }
  SECTION("between others") {
    for (const char* const text : {"", "a", "", "", "bc", ""}) stream.write(text);
    world.run_until("all was told", [&s = stream] { return s.writes.size() == 6; });
    CHECK(stream.writes == std::vector<std::size_t>{0, 1, 0, 0, 2, 0});
    wait_received(world, far, 3);
    CHECK(far.received() == "abc");
  }
  SECTION("again and again: others have their turn") {
    bool timer = false;
    proa_test::Timing other;
    other.then = [&] { timer = true; };
    stream.written = [&, &s = stream](std::size_t) {
      if (!timer) s.write(Bytes("", 0));
    };
    stream.write(Bytes("", 0));
    world.submit(other.request, world.in(5ms));
    world.run_until("the timer fired", [&] { return timer; });
  }
  CHECK(!stream.saw("end"));
  CHECK(!stream.error);
}

TEST_CASE("a write after finish() is an error, the writes before it are not lost", "[T14]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  stream.failed = [](std::error_code) {};
  stream.write("before");
  stream.finish();
  stream.write("after");
  stream.finish();
  CHECK(stream.events.empty());
  wait_ended(world, far);
  CHECK(far.received() == "before");
  far.close();
  wait_closed(world, stream);
  CHECK(stream.error == Error::closing);
  CHECK(stream.count("error") == 1);
  CHECK(stream.count("closed") == 1);
  CHECK(stream.writes == std::vector<std::size_t>{6});
}

TEST_CASE("a write too many takes nothing from those before it, by the default on_error()",
          "[R2][T14]") {
  Streams streams;
  World world;
  auto [stream, far] = narrow_line(streams, world);
  far.expect_pattern(1);
  const bool finishes = GENERATE(true, false);
  CHECK(!stream.finishing());
  stream.write(Bytes(pattern(1, 1024 * kib)));
  finishes ? stream.finish() : stream.half_close();
  CHECK(stream.finishing() == finishes);
  stream.write("late");
  wait_ended(world, far);
  CHECK(far.received_bytes() == 1024 * kib);
  CHECK(far.difference() == no_difference);
  CHECK(stream.error == Error::closing);
  far.close();
  wait_closed(world, stream);
  CHECK(!stream.finishing());
}

TEST_CASE("writes after close() are dropped without a word", "[R6]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  wait_open(world, stream);
  stream.close();
  stream.write("x");
  stream.write(world->take_buffer());
  stream.finish();
  stream.start_reading();
  stream.stop_reading();
  stream.set_read_timeout(1ms);
  stream.close();
  wait_closed(world, stream);
  wait_ended(world, far);
  CHECK(stream.events == Events{"open", "closed"});
  CHECK(far.received().empty());
}

TEST_CASE("a write above the limit fails, and says so", "[T33]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  far.read(false);
  const std::size_t limit = 100 * kib;
  stream.set_watermarks({64 * kib, 16 * kib, limit});
  wait_open(world, stream);
  SECTION("one that is too large by itself") { stream.write(Bytes(std::string(limit + 1, 'x'))); }
  SECTION("one too many") {
    stream.failed = [](std::error_code) {};
    for (int i = 0; i < 10000 && !stream.saw("error"); ++i) {
      stream.write(Bytes(std::string(kib, 'x')));
      CHECK(stream.queued() <= limit + 4 * kib);
      if (i % 16 == 0) world.turn();
    }
  }
  SECTION("a buffer too many") {
    stream.failed = [](std::error_code) {};
    for (int i = 0; i < 10000 && !stream.saw("error"); ++i) {
      Buffer buffer = world->take_buffer();
      buffer.append(Bytes(std::string(2 * kib, 'x')));
      stream.write(std::move(buffer));
      if (i % 16 == 0) world.turn();
    }
    CHECK(stream.queued() <= limit);
  }
  SECTION("a length without memory") { stream.write(Bytes(nullptr, 10)); }
  SECTION("lengths that overflow") {
    const Bytes pieces[] = {{"x", SIZE_MAX / 2}, {"y", SIZE_MAX / 2}, {"z", 100}};
    stream.writev(pieces, 3);
  }
  far.read(true);  // the error comes behind what was written before
  world.run_until("it was told", [&s = stream] { return s.saw("error"); });
  if (stream.error != Error::bad_length) {
    CHECK(stream.error == Error::write_limit);
    CHECK(stream.error == std::errc::no_buffer_space);
  }
}

TEST_CASE("the error of a refused write comes behind what was written before it", "[R2][R5]") {
  Streams streams;
  World world;
  auto [stream, far] = narrow_line(streams, world, any_link());
  stream.set_watermarks({64 * kib, 16 * kib, 1024 * kib});
  if (GENERATE(true, false)) wait_open(world, stream);
  const std::size_t size = 1000 * kib;
  stream.write(Bytes(pattern(1, size)));
  stream.write(Bytes(std::string(1000 * kib, 'x')));
  if (GENERATE(true, false)) stream.finish();
  far.expect_pattern(1);
  wait_closed(world, stream);
  wait_ended(world, far);
  CHECK(far.received_bytes() == size);
  CHECK(far.difference() == no_difference);
  CHECK(stream.writes == std::vector<std::size_t>{size});
  CHECK(stream.count("error") == 1);
  CHECK(stream.error == Error::write_limit);
}

TEST_CASE("a write that is refused: what was written before it is sent, and nothing behind it",
          "[R2][R5]") {
  Streams streams;
  World world;
  auto [stream, far] = narrow_line(streams, world);
  std::vector<std::error_code> errors;
  stream.failed = [&](std::error_code error) { errors.push_back(error); };
  stream.set_watermarks({64 * kib, 16 * kib, 4096 * kib});
  wait_open(world, stream);
  const std::size_t before = GENERATE(std::size_t{5}, 1024 * kib);
  std::error_condition expected = std::errc::no_buffer_space;
  stream.write(Bytes(pattern(1, before)));
  SECTION("above the limit") { stream.write(Bytes(std::string(4096 * kib, 'x'))); }
  SECTION("a buffer above the limit") {
    stream.set_watermarks({2, 1, 3});
    stream.write(world->take_buffer());
  }
  SECTION("bytes that find no block") {
    const Replaced no_memory(
        proa::sys::table.map, +[](std::size_t, void**) noexcept -> long { return -ENOMEM; });
    stream.write(Bytes(std::string(3000 * kib, 'x')));
  }
  SECTION("a buffer that found no block") { stream.write(Buffer()); }
  SECTION("a length without memory") {
    stream.write(Bytes(nullptr, 10));
    expected = std::errc::invalid_argument;
  }
  SECTION("no file") {
    stream.send_file({}, 0, 10);
    expected = std::errc::bad_file_descriptor;
  }
  SECTION("an offset") {
    stream.send_file({0, proa::DescriptorKind::file}, UINT64_MAX, 1);
    expected = std::errc::invalid_argument;
  }
  stream.write("behind");
  stream.write(Bytes(std::string(4096 * kib, 'x')));
  far.expect_pattern(1);
  wait_received(world, far, before);
  world.run_until("it was told", [&s = stream] { return s.writes.size() == 1; });
  stream.write("behind");
  turns(world, 5);
  CHECK(stream.unsent() == 0);
  far.send("and reading goes on");
  world.run_until("it was read", [&s = stream] { return !s.received.empty(); });
  stream.half_close();
  wait_ended(world, far);
  CHECK(stream.is_open());
  stream.finish();
  far.close();
  wait_closed(world, stream);
  CHECK(far.received_bytes() == before);
  CHECK(far.difference() == no_difference);
  REQUIRE(errors.size() == 1);
  CHECK(errors[0] == expected);
}

TEST_CASE("finish() behind a write that was refused sends what was written before it",
          "[R2][T13]") {
  Streams streams;
  World world;
  auto [stream, far] = narrow_line(streams, world);
  stream.failed = [](std::error_code) {};
  wait_open(world, stream);
  far.expect_pattern(1);
  stream.write(Bytes(pattern(1, 1024 * kib)));
  stream.write(Buffer());
  const bool at_once = GENERATE(true, false);
  if (!at_once) turns(world, 3);
  stream.finish();
  wait_ended(world, far);
  CHECK(far.received_bytes() == 1024 * kib);
  CHECK(far.difference() == no_difference);
  far.close();
  wait_closed(world, stream);
  CHECK(stream.count("error") == 1);
}

TEST_CASE("T10: writing to a peer that is gone is an error, not a signal", "[R11][T10]") {
  Streams streams;
  World world;
  REQUIRE(std::signal(SIGPIPE, SIG_DFL) != SIG_ERR);
  const Link kind = GENERATE(Link::tcp4, Link::path);
  auto [stream, far] = line(streams, world, kind);
  stream.opened = [] {};
  wait_open(world, stream);
  far.close();
  for (int i = 0; i < 100 && !stream.saw("error"); ++i) {
    stream.write("are you there?");
    world.turn();
  }
  wait_closed(world, stream);
  CHECK((stream.error == std::errc::broken_pipe || stream.error == std::errc::connection_reset));
  CHECK(stream.count("error") == 1);
}

TEST_CASE("writes that were sent are all told before an error of the connection", "[R2]") {
  constexpr std::size_t many = 5000;
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  wait_open(world, stream);
  stream.written = [&, &s = stream, &f = far](std::size_t) {
    if (s.writes.size() == 1) f.reset();
  };
  for (std::size_t i = 0; i < many; ++i) stream.write("x");
  wait_closed(world, stream);
  CHECK(stream.writes.size() == many);
  CHECK(stream.events == Events{"open", "write", "error", "closed"});
  CHECK(stream.error == std::errc::connection_reset);
}

}  // namespace
