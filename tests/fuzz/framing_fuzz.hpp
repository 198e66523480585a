#pragma once

// What the harnesses of the two readers share: blocks, and an input that also says how to cut it.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "buffer/pool.hpp"
#include "fuzz.hpp"

struct Read {
  std::vector<std::string> given;
  std::error_code error;
};

// Gives numbers that the input decides on, and then the same ones for ever.
class Choices {
 public:
  explicit Choices(std::string_view from) {
    for (const char c : from) state_ = state_ * 31 + static_cast<unsigned char>(c);
  }
  std::size_t below(std::size_t limit) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::size_t>(state_ >> 33) % limit;
  }

 private:
  std::uint64_t state_ = 1;
};

// Adds the bytes in pieces, and asks for some of what is complete between them. `text` is what the
// reader has given last.
template <class Reader, class Text>
Read read_in_pieces(Reader& reader, std::string_view bytes, Choices choices, Text text) {
  static proa::Counters counters;
  constexpr std::size_t maximum = 64;
  static proa::Pool& pool = [&]() -> proa::Pool& {
    auto& made = *new proa::Pool(1024, maximum, counters);
    made.bind(std::this_thread::get_id());
    return made;
  }();

  Read read;
  const auto ask = [&](std::size_t most) {
    while (most-- > 0 && reader.next()) read.given.emplace_back(text(reader));
  };
  const bool by_bytes = choices.below(4) == 0;
  while (!bytes.empty()) {
    proa::Buffer block = pool.take();
    const std::size_t size =
        1 + (by_bytes ? 0 : choices.below(std::min(bytes.size(), block.room())));
    block.append(bytes.substr(0, size));
    bytes.remove_prefix(size);
    reader.add(std::move(block));
    ask(choices.below(3) == 0 ? bytes.size() + 1 : choices.below(3));
  }
  if (choices.below(2) == 0) ask(SIZE_MAX);
  reader.end();
  ask(SIZE_MAX);
  read.error = reader.error();
  require(!reader.next() && reader.error() == read.error, "the end stays the end");

  std::vector<proa::Buffer> all;
  while (proa::Buffer block = pool.take()) all.push_back(std::move(block));
  require(all.size() == maximum, "no block is kept");
  return read;
}
