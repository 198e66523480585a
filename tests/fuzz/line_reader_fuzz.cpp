// Lines, cut anyhow, against a reader that sees all of the input at once. The first byte of the
// input chooses the delimiter, the second the limit; all of it decides on the cuts.

#include <proa/line_reader.hpp>

#include "framing_fuzz.hpp"

namespace {

using proa::Error;

Read read_at_once(std::string_view bytes, std::size_t limit, std::string_view delimiter) {
  const bool plain = delimiter == "\n";
  const std::size_t most = limit + delimiter.size() + (plain ? 1 : 0);
  Read read;
  for (;;) {
    const std::size_t size = bytes.substr(0, most).find(delimiter);
    std::string_view line = bytes.substr(0, size);
    if (plain && !line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.size() > limit || (size == bytes.npos && bytes.size() >= most)) {
      read.error = Error::too_long;
      return read;
    }
    if (size == bytes.npos) {
      if (!bytes.empty()) read.error = bytes.size() > limit ? Error::too_long : Error::cut_short;
      return read;
    }
    read.given.emplace_back(line);
    bytes.remove_prefix(size + delimiter.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fuzz_input(data, size);
  if (input.size() < 2) return 0;
  static constexpr std::string_view delimiters[] = {"\n", "\r\n", "--", "aab", "aba", "12121212"};
  const auto choice = static_cast<unsigned char>(input[0]);
  const std::string_view delimiter = delimiters[choice % 6];
  const std::size_t limit = 1 + static_cast<unsigned char>(input[1]) % 40;
  input.remove_prefix(2);

  proa::LineReader reader(limit, proa::Bytes(delimiter));
  const Read expected = read_at_once(input, limit, delimiter);
  // Twice, because a cleared reader is like a new one.
  for (const char* const more : {"a", "b"}) {
    const Read read = read_in_pieces(reader, input, Choices(std::string(fuzz_current) + more),
                                     [](const proa::LineReader& r) { return r.line(); });
    require(read.given == expected.given, "the lines are those of the whole input");
    require(read.error == expected.error, "so is what ends them");
    reader.clear();
    require(!reader.error() && !reader.next(), "clear() forgets");
  }
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  return {"",
          std::string("\0\x27", 2) + "one\ntwo\r\n\n\r\nfour",
          std::string("\0\3", 2) + "abc\nabc\r\nabc\r\r\nabcd\n",
          std::string("\1\x27", 2) + "one\r\ntwo\r\r\n\n\r\n\r\n",
          std::string("\2\5", 2) + "one--two---------x-",
          std::string("\3\x27", 2) + "aabaaabxaaaabaaba",
          std::string("\4\x27", 2) + "abababaxababba",
          std::string("\5\x27", 2) + "1212121212121212x1212121212",
          std::string("\0\x27", 2) + std::string(3000, '\n'),
          std::string("\0\x27", 2) + std::string(100, 'x')};
}
