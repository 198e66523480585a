// FrameReader and FrameLength: all lengths in both orders, however the bytes were cut; limits,
// ends, and what is held meanwhile.
#include <cstdint>
#include <limits>
#include <list>
#include <proa/frame_reader.hpp>

#include "framing_rig.hpp"
#include "support/allocations.hpp"
#include "support/death.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;
using namespace std::string_literals;
using namespace std::string_view_literals;
using proa::ByteOrder;
using proa::Bytes;
using proa::Error;
using proa::FrameLength;
using proa::FrameReader;

std::string prefix(FrameLength length, std::uint64_t payload) {
  char bytes[8] = {};
  if (length.put(bytes, payload)) FAIL("it does not fit");
  return std::string(bytes, length.bytes);
}
std::string framed(FrameLength length, std::string_view payload) {
  return prefix(length, payload.size()).append(payload);
}

void check_frames(std::string_view bytes, std::size_t limit, FrameLength length,
                  const Outcome& expected) {
  CAPTURE(length.bytes, length.counts_itself);
  check_each_cut<FrameReader>(bytes, limit, length, expected);
}

std::vector<FrameLength> all_lengths() {
  std::vector<FrameLength> lengths;
  for (std::uint8_t bytes = 1; bytes <= 8; ++bytes) {
    for (const ByteOrder order : {ByteOrder::big, ByteOrder::little}) {
      for (const bool counts_itself : {false, true}) {
        lengths.push_back({bytes, order, counts_itself});
      }
    }
  }
  return lengths;
}

TEST_CASE("frames: a length is written as it says", "[framing]") {
  CHECK(prefix({}, 0x01020304) == "\1\2\3\4"sv);
  CHECK(prefix({4, ByteOrder::little}, 0x01020304) == "\4\3\2\1"sv);
  CHECK(prefix({3, ByteOrder::big}, 1) == "\0\0\1"sv);
  CHECK(prefix({2, ByteOrder::little, true}, 1) == "\3\0"sv);
  CHECK(prefix({8, ByteOrder::big}, 0x0102030405060708) == "\1\2\3\4\5\6\7\10"sv);
  CHECK(prefix({1}, 255) == "\xff");
}

TEST_CASE("frames: a length that does not fit is refused, and nothing written", "[framing]") {
  for (const FrameLength length : all_lengths()) {
    CAPTURE(length.bytes, length.counts_itself);
    const std::uint64_t own = length.counts_itself ? length.bytes : 0;
    const std::uint64_t most = (length.bytes == 8 ? std::numeric_limits<std::uint64_t>::max()
                                                  : (std::uint64_t{1} << (8 * length.bytes)) - 1) -
                               own;
    CHECK(prefix(length, most) == std::string(length.bytes, '\xff'));
    if (most == std::numeric_limits<std::uint64_t>::max()) continue;
    char bytes[8] = "abcdefg";
    CHECK(length.put(bytes, most + 1) == Error::too_long);
    CHECK(length.put(bytes, std::numeric_limits<std::uint64_t>::max()) == Error::too_long);
    CHECK(bytes == "abcdefg"sv);
  }
}

TEST_CASE("frames: the same come out, however the bytes were cut", "[framing]") {
  const Outcome expected{{"one", "", "\0\1two"s.append(1, '\0'), "", "x"}, {}};
  for (const FrameLength length : all_lengths()) {
    std::string bytes;
    for (const std::string& payload : expected.given) bytes += framed(length, payload);
    check_frames(bytes, 100, length, expected);
  }
}

TEST_CASE("frames: one that lies in a block is not copied", "[framing]") {
  Blocks blocks;
  FrameReader reader(100);
  proa::Buffer block = blocks.with(framed({}, "one") + framed({}, "two") + "\0\0\0"s);
  const char* bytes = block.data();
  reader.add(std::move(block));
  const std::uint64_t before = allocations();
  const bool first = reader.next();
  const Bytes one = reader.frame();
  const bool second = reader.next();
  const Bytes two = reader.frame();
  const bool third = reader.next();
  const std::uint64_t more = allocations() - before;
  CHECK(more == 0);
  REQUIRE(first);
  CHECK(one.data == bytes + 4);
  CHECK(one.size == 3);
  REQUIRE(second);
  CHECK(two.data == bytes + 11);
  CHECK(two.size == 3);
  CHECK(!third);
  CHECK(blocks.lent() == 0);  // half a length is kept elsewhere
  block = blocks.with("\5three"sv);
  bytes = block.data();
  reader.add(std::move(block));
  REQUIRE(reader.next());
  CHECK(reader.frame().data == bytes + 1);  // behind a length that was cut too
  CHECK(reader.frame().text() == "three");
}

TEST_CASE("frames: half a frame holds no block", "[framing][R11]") {
  Blocks blocks;
  FrameReader reader(100);
  const std::string frame = framed({}, "payload");
  for (std::size_t at = 0; at < frame.size(); ++at) {
    CHECK(!reader.next());
    CHECK(blocks.lent() == 0);
    reader.add(blocks.with(frame.substr(at, 1)));
  }
  REQUIRE(reader.next());
  CHECK(reader.frame().text() == "payload");
  CHECK(!reader.next());
  CHECK(blocks.lent() == 0);
}

TEST_CASE("frames: what is not asked for waits, in order, and more may come", "[framing]") {
  Blocks blocks;
  const FrameLength length{2};
  FrameReader reader(5000, length);
  std::string stream;
  std::vector<std::string> expected;
  for (std::uint32_t i = 0; i < 30; ++i) {
    expected.push_back(pattern(i, i * 97 % 1500));
    stream += framed(length, expected.back());
  }
  std::vector<std::string> frames;
  const auto one_more = [&] {
    const bool there = reader.next();
    if (there) frames.emplace_back(reader.frame().text());
    return there;
  };
  for (std::size_t at = 0, size = 7; at < stream.size(); at += size, size = size * 7 % 701) {
    reader.add(blocks.with(stream.substr(at, size)));
    one_more();
  }
  while (one_more()) {
  }
  CHECK(frames == expected);
  CHECK(blocks.lent() == 0);
}

TEST_CASE("frames: a length above the limit is told at once, behind the frames before",
          "[framing]") {
  for (const FrameLength length : all_lengths()) {
    const std::string good = framed(length, "12345");
    check_frames(good + prefix(length, 6) + "123456" + good, 5, length,
                 {{"12345"}, Error::too_long});
    check_frames(good + std::string(length.bytes, '\xff'), 5, length, {{"12345"}, Error::too_long});
  }
  Blocks blocks;
  FrameReader reader(5);
  reader.add(blocks.with("\0\0\0\6"sv));
  CHECK(!reader.next());
  CHECK(reader.error() == Error::too_long);
  // 2^64 - 1, where no memory could have it.
  FrameReader boundless(SIZE_MAX, {8});
  boundless.add(
      blocks.with("\xff\xff\xff\xff\xff\xff\xff\xff"
                  "x"));
  CHECK(!boundless.next());
  CHECK(boundless.error() != std::errc::not_enough_memory);
}

TEST_CASE("frames: a length that counts itself is not below that", "[framing]") {
  for (const FrameLength length : all_lengths()) {
    if (!length.counts_itself) continue;
    std::string less = prefix({length.bytes, length.order}, length.bytes - 1u);
    check_frames(framed(length, "") + less + "xyz", 5, length, {{""}, Error::bad_length});
  }
}

TEST_CASE("frames: an end within a frame is told", "[framing]") {
  const std::string whole = framed({}, "one") + framed({}, "");
  check_frames(whole, 10, {}, {{"one", ""}, {}});
  check_frames(whole + "\0", 10, {}, {{"one", ""}, {}});
  check_frames(whole + "\0"s, 10, {}, {{"one", ""}, Error::cut_short});
  check_frames(whole + "\0\0\0\1"s, 10, {}, {{"one", ""}, Error::cut_short});
  check_frames(whole + "\0\0\0\2x"s, 10, {}, {{"one", ""}, Error::cut_short});
  check_frames("", 10, {}, {{}, {}});
}

TEST_CASE("frames: behind an error there are none, until clear()", "[framing]") {
  Blocks blocks;
  FrameReader reader(10, {1});
  reader.add(blocks.with("\5hal"));
  CHECK(!reader.next());
  CHECK(reader.end() == Error::cut_short);
  reader.add(blocks.with("\1x"));
  CHECK(!reader.next());
  CHECK(reader.frame().size == 0);
  CHECK(blocks.lent() == 0);
  reader.clear();
  reader.add(blocks.with("\2xy\3"));
  REQUIRE(reader.next());
  CHECK(reader.frame().text() == "xy");
  CHECK(!reader.next());
  reader.clear();  // which drops half a frame too
  CHECK(!reader.end());
}

TEST_CASE("frames: memory grows with what came, not with what was announced", "[framing]") {
  if (bytes_in_use() == 0) return;
  constexpr std::size_t size = 200 * 800, little = 10000;  // what others have
  const std::string payload = pattern(1, size);
  Blocks blocks;
  FrameReader reader(std::size_t{1} << 30);
  const std::size_t before = bytes_in_use();
  reader.add(blocks.with(prefix({}, std::size_t{1} << 30) + "x"));
  CHECK(!reader.next());
  CHECK(bytes_in_use() < before + little);
  reader.clear();

  const std::uint64_t allocations_before = allocations();
  reader.add(blocks.with(prefix({}, size)));
  bool bounded = true, there = false;
  for (std::size_t at = 0; at < size; at += 800) {
    if (there) FAIL("it is not complete");
    reader.add(blocks.with(std::string_view(payload).substr(at, 800)));
    there = reader.next();
    bounded = bounded && bytes_in_use() < before + 2 * (at + 800) + little;
  }
  const std::uint64_t times = allocations() - allocations_before;
  const std::size_t at_the_end = bytes_in_use();
  REQUIRE(there);
  CHECK((reader.frame().text() == payload));
  CHECK(bounded);
  CHECK(times < 20);
  CHECK(at_the_end < before + size + little);
  CHECK(!reader.next());
  CHECK(bytes_in_use() < before + little);
}

TEST_CASE("frames: half a short one takes little memory", "[framing]") {
  if (bytes_in_use() == 0) return;
  Blocks blocks;
  std::list<FrameReader> readers;
  for (int i = 0; i < 100; ++i) readers.emplace_back(10, FrameLength{1});
  const std::size_t before = bytes_in_use();
  bool waits = true;
  for (FrameReader& reader : readers) {
    reader.add(blocks.with("\12half"));
    waits = waits && !reader.next();
  }
  CHECK(waits);
  CHECK(bytes_in_use() - before < 100 * 100);
}

TEST_CASE("frames: want of memory is an error", "[framing]") {
  Blocks blocks;
  FrameReader reader(2000, {1});
  reader.add(blocks.with("\1a\7half"));
  bool first = false, second = true;
  {
    FailingAllocation none(1, true);
    first = reader.next();
    second = reader.next();
    if (!none.stop()) return;  // malloc() cannot fail here
  }
  CHECK(first);
  CHECK(!second);
  CHECK(reader.error() == std::errc::not_enough_memory);
  CHECK(blocks.lent() == 0);
}

TEST_CASE("frames: what cannot be meant is misuse", "[framing]") {
  const auto said = [](std::size_t limit, std::uint8_t bytes) {
    return message_of([=] { FrameReader made(limit, {bytes}); });
  };
  CHECK(said(0, 4).find("with a limit of 0 bytes") != std::string::npos);
  CHECK(said(1, 0).find("a length of 0 bytes, which is not from 1 to 8") != std::string::npos);
  CHECK(said(1, 9).find("a length of 9 bytes") != std::string::npos);
  CHECK(said(1, 8) == "survived");
  const std::string put = message_of([] {
    char to[16];
    (void)FrameLength{9}.put(to, 1);
  });
  CHECK(put.find("a length of 9 bytes") != std::string::npos);
}

}  // namespace
