// Frames, cut anyhow, against a reader that sees all of the input at once. The first byte of the
// input chooses the length's form, the second the limit; all of it decides on the cuts.

#include <proa/frame_reader.hpp>

#include "framing_fuzz.hpp"

namespace {

using proa::ByteOrder;
using proa::Error;
using proa::FrameLength;

std::uint64_t number(std::string_view bytes, ByteOrder order) {
  std::string most_first(bytes);
  if (order == ByteOrder::little) std::reverse(most_first.begin(), most_first.end());
  std::uint64_t number = 0;
  for (const char c : most_first) number = number * 256 + static_cast<unsigned char>(c);
  return number;
}

Read read_at_once(std::string_view bytes, std::size_t limit, FrameLength length) {
  Read read;
  while (!bytes.empty()) {
    read.error = Error::cut_short;
    if (bytes.size() < length.bytes) return read;
    std::uint64_t payload = number(bytes.substr(0, length.bytes), length.order);
    if (length.counts_itself && payload < length.bytes) {
      read.error = Error::bad_length;
      return read;
    }
    if (length.counts_itself) payload -= length.bytes;
    if (payload > limit) {
      read.error = Error::too_long;
      return read;
    }
    bytes.remove_prefix(length.bytes);
    if (bytes.size() < payload) return read;
    read.error = {};
    read.given.emplace_back(bytes.substr(0, payload));
    bytes.remove_prefix(payload);
  }
  return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fuzz_input(data, size);
  if (input.size() < 2) return 0;
  const auto form = static_cast<unsigned char>(input[0]);
  const FrameLength length{static_cast<std::uint8_t>(1 + form % 8),
                           (form & 8) != 0 ? ByteOrder::little : ByteOrder::big, (form & 16) != 0};
  const std::size_t limit = 1 + static_cast<unsigned char>(input[1]);
  input.remove_prefix(2);

  const Read expected = read_at_once(input, limit, length);
  proa::FrameReader reader(limit, length);
  // Twice, because a cleared reader is like a new one.
  for (const char* const more : {"a", "b"}) {
    const Read read = read_in_pieces(reader, input, Choices(std::string(fuzz_current) + more),
                                     [](const proa::FrameReader& r) { return r.frame().text(); });
    require(read.given == expected.given, "the frames are those of the whole input");
    require(read.error == expected.error, "so is what ends them");
    reader.clear();
    require(!reader.error() && !reader.next(), "clear() forgets");
  }
  // What is written can be read.
  std::string written;
  for (const std::string& payload : expected.given) {
    char prefix[8];
    require(!length.put(prefix, payload.size()), "the length fits, because it was read");
    written.append(prefix, length.bytes).append(payload);
  }
  require(written == input.substr(0, written.size()), "put() writes what was read");
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> seeds{"", std::string(2, '\xff') + std::string(20, '\xff')};
  for (int form = 0; form < 32; ++form) {
    const FrameLength length{static_cast<std::uint8_t>(1 + form % 8),
                             (form & 8) != 0 ? ByteOrder::little : ByteOrder::big,
                             (form & 16) != 0};
    std::string seed{static_cast<char>(form), '\x10'};
    for (const std::size_t size : {3u, 0u, 17u, 1u, 18u}) {
      char prefix[8];
      require(!length.put(prefix, size), "a short length fits");
      seed.append(prefix, length.bytes).append(size, 'x');
    }
    seeds.push_back(seed);
  }
  return seeds;
}
