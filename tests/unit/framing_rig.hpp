#pragma once

// Blocks for the readers of lines and frames, and every way to cut a stream of bytes into some.

#include <algorithm>
#include <functional>
#include <proa/frame_reader.hpp>
#include <proa/line_reader.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "buffer/pool.hpp"
#include "support/catch.hpp"

namespace proa_test {

class Blocks {
 public:
  explicit Blocks(std::size_t maximum = 128)
      : maximum_(maximum), pool_(new proa::Pool(1024, maximum, counters_)) {
    pool_->bind(std::this_thread::get_id());
  }
  ~Blocks() { pool_->orphan(); }
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

  // A block with these bytes, which must fit in.
  proa::Buffer with(std::string_view bytes) {
    proa::Buffer block = pool_->take();
    if (!block || block.append(bytes) != bytes.size()) FAIL("no block has room for it");
    return block;
  }
  // How many blocks are not in the pool.
  std::size_t lent() {
    std::vector<proa::Buffer> all;
    while (proa::Buffer block = pool_->take()) all.push_back(std::move(block));
    return maximum_ - all.size();
  }
  std::size_t capacity() const { return pool_->block_capacity(); }

 private:
  const std::size_t maximum_;
  proa::Counters counters_;
  proa::Pool* pool_;
};

using Pieces = std::vector<std::string_view>;

// Calls `with` for the bytes in one piece, in single ones, and cut at each place and each two.
inline void each_cut(std::string_view bytes, const std::function<void(const Pieces&)>& with) {
  Pieces single;
  for (std::size_t i = 0; i < bytes.size(); ++i) single.push_back(bytes.substr(i, 1));
  with(single);
  for (std::size_t first = 0; first <= bytes.size(); ++first) {
    for (std::size_t second = first; second <= bytes.size(); ++second) {
      with({bytes.substr(0, first), bytes.substr(first, second - first), bytes.substr(second)});
    }
  }
}

// What a reader made of its input.
struct Outcome {
  std::vector<std::string> given;
  std::error_code error;
  bool operator==(const Outcome& other) const {
    return given == other.given && error == other.error;
  }
};

inline std::string_view text_of(const proa::LineReader& reader) { return reader.line(); }
inline std::string_view text_of(const proa::FrameReader& reader) { return reader.frame().text(); }

// Adds the pieces, asks for what is complete after each or behind the last one, and ends.
template <class Reader>
Outcome read(Blocks& blocks, Reader& reader, const Pieces& pieces, bool at_once) {
  Outcome outcome;
  const auto ask = [&] {
    while (reader.next()) outcome.given.emplace_back(text_of(reader));
  };
  for (const std::string_view piece : pieces) {
    reader.add(blocks.with(piece));
    if (at_once) ask();
  }
  outcome.error = reader.end();
  ask();
  if (!outcome.error) outcome.error = reader.error();
  return outcome;
}

// Whatever the cuts, this comes out. `how` is the reader's second argument.
template <class Reader, class How>
void check_each_cut(std::string_view bytes, std::size_t limit, How how, const Outcome& expected) {
  Blocks blocks;
  Reader reader(limit, how);
  std::size_t wrong = 0;
  each_cut(bytes, [&](const Pieces& pieces) {
    for (const bool at_once : {true, false}) {
      const Outcome outcome = read(blocks, reader, pieces, at_once);
      if (!(outcome == expected) && ++wrong == 1) {
        CAPTURE(at_once, pieces);
        CHECK(outcome.given == expected.given);
        CHECK(outcome.error == expected.error);
      }
      reader.clear();
    }
  });
  CHECK(wrong == 0);
  CHECK(blocks.lent() == 0);
}

}  // namespace proa_test
