// LineReader: what comes out does not depend on how the bytes were cut, what it costs, what ends
// it.
#include <chrono>
#include <cstdint>
#include <proa/line_reader.hpp>

#include "framing_rig.hpp"
#include "support/allocations.hpp"
#include "support/death.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;
using namespace std::string_view_literals;
using proa::Bytes;
using proa::Error;
using proa::LineReader;

std::vector<std::string> all_of(LineReader& reader) {
  std::vector<std::string> lines;
  while (reader.next()) lines.emplace_back(reader.line());
  return lines;
}

void check_lines(std::string_view bytes, std::size_t limit, Bytes delimiter,
                 const Outcome& expected) {
  check_each_cut<LineReader>(bytes, limit, delimiter, expected);
}

TEST_CASE("lines: the same come out, however the bytes were cut", "[framing]") {
  SECTION("LF and CR LF") {
    check_lines("one\ntwo\r\n\n\r\nf\rive\n\r\r\n", 100, "\n",
                {{"one", "two", "", "", "f\rive", "\r"}, {}});
  }
  SECTION("CR LF alone") {
    check_lines("one\ntwo\r\r\n\r\n\n\r\n", 100, "\r\n", {{"one\ntwo\r", "", "\n"}, {}});
  }
  SECTION("one byte, which may be 0") {
    check_lines("one\0\0two\r\0"sv, 100, Bytes("\0", 1), {{"one", "", "two\r"}, {}});
  }
  SECTION("a delimiter that begins in the midst of what is like it") {
    check_lines("xaaabyaabaabzaaaab", 100, "aab", {{"xa", "y", "", "zaa"}, {}});
    check_lines("ababacabaxabaaba", 100, "aba", {{"", "bac", "x", ""}, {}});
  }
  SECTION("no byte is part of two delimiters") {
    check_lines("x-----y----", 100, "--", {{"x", "", "-y", ""}, {}});
  }
  SECTION("eight bytes") {
    check_lines("one12345678121234567812345678", 100, "12345678", {{"one", "12", ""}, {}});
  }
}

TEST_CASE("lines: one that lies in a block is not copied", "[framing]") {
  Blocks blocks;
  LineReader reader(100);
  proa::Buffer block = blocks.with("one\ntwo\r\n\nfour");
  const char* const bytes = block.data();
  reader.add(std::move(block));
  const std::uint64_t before = allocations();
  std::string_view lines[3];
  bool there = true;
  for (std::string_view& line : lines) {
    there = there && reader.next();
    line = reader.line();
  }
  const std::uint64_t more = allocations() - before;
  CHECK(more == 0);
  REQUIRE(there);
  CHECK(lines[0] == "one");
  CHECK(lines[0].data() == bytes);
  CHECK(lines[1].data() == bytes + 4);
  CHECK(lines[2].data() == bytes + 9);
  CHECK(blocks.lent() == 1);
  CHECK(!reader.next());
  CHECK(blocks.lent() == 0);
}

TEST_CASE("lines: half a line holds no block", "[framing][R11]") {
  Blocks blocks;
  LineReader reader(100);
  reader.add(blocks.with("half"));
  CHECK(!reader.next());
  CHECK(blocks.lent() == 0);
  reader.add(blocks.with(" and half\nrest"));
  REQUIRE(reader.next());
  CHECK(reader.line() == "half and half");
  CHECK(!reader.next());
  CHECK(blocks.lent() == 0);
  reader.add(blocks.with(""));  // nothing
  reader.add({});
  CHECK(blocks.lent() == 0);
}

TEST_CASE("lines: what is not asked for waits, in order, and more may come", "[framing]") {
  Blocks blocks;
  LineReader reader(2000);
  std::vector<std::string> expected;
  std::string stream;
  for (int i = 0; i < 40; ++i) {
    expected.push_back(std::to_string(i) +
                       std::string(static_cast<std::size_t>(i * 13 % 200), 'x'));
    stream += expected.back() + "\n";
  }
  std::vector<std::string> lines;
  const auto one_more = [&] {
    const bool there = reader.next();
    if (there) lines.emplace_back(reader.line());
    return there;
  };
  bool many = false;
  for (std::size_t at = 0, size = 1; at < stream.size(); at += size, size = size * 5 % 601) {
    reader.add(blocks.with(stream.substr(at, size)));
    one_more();
    many = many || blocks.lent() > 1;
  }
  CHECK(many);
  while (one_more()) {
  }
  CHECK(lines == expected);
  CHECK(blocks.lent() == 0);
  CHECK(!reader.end());
}

TEST_CASE("lines: many small pieces that wait share blocks", "[framing]") {
  Blocks blocks(3);
  LineReader reader(1000);
  for (int i = 0; i < 500; ++i) reader.add(blocks.with(i % 10 == 9 ? "\n" : "x"));
  CHECK(all_of(reader) == std::vector<std::string>(50, "xxxxxxxxx"));
}

TEST_CASE("lines: the limit counts neither delimiter nor CR", "[framing]") {
  SECTION("at the limit") {
    check_lines("abcde\nabcde\r\nabcd\r\r\n", 5, "\n", {{"abcde", "abcde", "abcd\r"}, {}});
    check_lines("abcde--", 5, "--", {{"abcde"}, {}});
  }
  SECTION("one byte above, behind others") {
    check_lines("abcde\nabcdef\nx\n", 5, "\n", {{"abcde"}, Error::too_long});
    check_lines("a\r\nabcdef\r\nx\n", 5, "\n", {{"a"}, Error::too_long});
    check_lines("a--abcdef--x--", 5, "--", {{"a"}, Error::too_long});
  }
  SECTION("no delimiter comes") {
    check_lines("a\nabcdefghijklm", 5, "\n", {{"a"}, Error::too_long});
    check_lines("abcde--abcdefghijklm", 5, "--", {{"abcde"}, Error::too_long});
  }
  SECTION("no limit") { check_lines("abc\nd\n", SIZE_MAX, "\n", {{"abc", "d"}, {}}); }
}

TEST_CASE("lines: behind an error there are none, until clear()", "[framing]") {
  Blocks blocks;
  LineReader reader(3);
  reader.add(blocks.with("a\nb\nabcde\nc\n"));
  reader.add(blocks.with("d\n"));
  CHECK(!reader.error());  // not before its turn
  CHECK(all_of(reader) == std::vector<std::string>{"a", "b"});
  CHECK(reader.error() == Error::too_long);
  CHECK(blocks.lent() == 0);
  reader.add(blocks.with("d\n"));
  CHECK(blocks.lent() == 0);
  CHECK(!reader.next());
  CHECK(reader.end() == Error::too_long);
  reader.clear();
  CHECK(!reader.error());
  reader.add(blocks.with("d\ne"));
  CHECK(all_of(reader) == std::vector<std::string>{"d"});
  reader.clear();  // which drops half a line too
  CHECK(!reader.end());
}

TEST_CASE("lines: an end within a line is told, with what there is of it", "[framing]") {
  Blocks blocks;
  LineReader reader(5);
  CHECK(!reader.end());  // nothing came
  SECTION("whole lines came") {
    reader.add(blocks.with("a\nb\n"));
    REQUIRE(reader.next());
    REQUIRE(reader.next());
    CHECK(!reader.end());
    reader.add(blocks.with("c\n"));  // and more
    CHECK(all_of(reader) == std::vector<std::string>{"c"});
    CHECK(!reader.end());
  }
  SECTION("half a line") {
    reader.add(blocks.with("a\nha"));
    REQUIRE(reader.next());
    CHECK(!reader.next());
    reader.add(blocks.with("lf"));
    CHECK(!reader.next());
    CHECK(reader.end() == Error::cut_short);
    CHECK(reader.line() == "half");
    CHECK(!reader.next());
    CHECK(reader.error() == Error::cut_short);
  }
  SECTION("lines wait") {
    reader.add(blocks.with("a\nb\nhal"));
    reader.add(blocks.with("f\r"));
    REQUIRE(reader.next());
    CHECK(!reader.end());
    REQUIRE(reader.next());
    CHECK(reader.line() == "b");
    CHECK(!reader.next());
    CHECK(reader.line() == "half\r");
    CHECK(reader.error() == Error::cut_short);
  }
  SECTION("half a line that is longer than the limit") {
    reader.add(blocks.with("sixsix"));
    CHECK(!reader.next());
    CHECK(reader.end() == Error::too_long);
  }
  SECTION("half a line that is too long by the CR that might have ended it") {
    reader.add(blocks.with("12345\r"));
    CHECK(!reader.next());
    CHECK(reader.end() == Error::too_long);
    CHECK(reader.line().empty());
  }
}

TEST_CASE("lines: one that comes byte by byte is searched once", "[framing]") {
  Blocks blocks;
  constexpr std::size_t size = std::size_t{1} << 21;
  LineReader reader(size, "-=-=-=");
  const auto began = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < size; ++i) {
    reader.add(blocks.with("x"));
    if (reader.next()) FAIL("no line is there");
  }
  reader.add(blocks.with("-=-=-="));
  REQUIRE(reader.next());
  CHECK(reader.line().size() == size);
  // To search all of it at each byte takes minutes.
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(30));
}

TEST_CASE("lines: in steady state nothing is allocated", "[framing][R10]") {
  Blocks blocks;
  LineReader reader(2000);
  const std::string line(1500, 'x');
  std::uint64_t before = 0;
  bool right = true;
  for (int i = 0; i < 10; ++i) {
    if (i == 1) before = allocations();
    reader.add(blocks.with(std::string_view(line).substr(0, 800)));
    right = right && !reader.next();
    reader.add(blocks.with(std::string_view(line).substr(800)));
    right = right && !reader.next();
    reader.add(blocks.with("\n"));
    right = right && reader.next() && reader.line() == line;
  }
  const std::uint64_t more = allocations() - before;
  CHECK(more == 0);
  CHECK(right);
}

TEST_CASE("lines: the memory of a long one is given back behind it", "[framing]") {
  if (bytes_in_use() == 0) return;
  Blocks blocks;
  const std::string text = pattern(1, 800);
  constexpr std::size_t most = 100 * 800;
  LineReader reader(most, "\xff\xff\xff\xff");
  const std::size_t before = bytes_in_use();
  for (int i = 0; i < 99; ++i) {
    reader.add(blocks.with(text));
    if (reader.next()) FAIL("no line is there");
  }
  CHECK(bytes_in_use() >= before + 99 * 800);
  CHECK(bytes_in_use() < before + most + 10000);  // never above the limit
  reader.add(blocks.with("\xff\xff\xff\xff"));
  REQUIRE(reader.next());
  CHECK(first_difference(1, reader.line().substr(0, 800)) == no_difference);
  CHECK(!reader.next());
  CHECK(bytes_in_use() < before + 10000);
}

TEST_CASE("lines: want of memory is an error", "[framing]") {
  Blocks blocks;
  LineReader reader(2000);
  reader.add(blocks.with("a\nhalf"));
  std::error_code error;
  bool first = false, failed = false;
  {
    FailingAllocation none(1, true);
    first = reader.next();
    if (!reader.next()) error = reader.error();
    failed = none.stop();
  }
  CHECK(first);
  if (failed) {  // where malloc() can
    CHECK(error == std::errc::not_enough_memory);
    CHECK(blocks.lent() == 0);
  }
  reader.clear();
  reader.add(blocks.with("b\n"));
  CHECK(all_of(reader) == std::vector<std::string>{"b"});
}

TEST_CASE("lines: what cannot be meant is misuse", "[framing]") {
  const auto said = [](std::size_t limit, Bytes delimiter) {
    return message_of([=] { LineReader made(limit, delimiter); });
  };
  CHECK(said(0, "\n").find("with a limit of 0 bytes") != std::string::npos);
  CHECK(said(1, "").find("a delimiter of 0 bytes, which is not from 1 to 8") != std::string::npos);
  CHECK(said(1, "123456789").find("a delimiter of 9 bytes") != std::string::npos);
  CHECK(said(1, "12345678") == "survived");
}

}  // namespace
