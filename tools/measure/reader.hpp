// A way to read a file with many reads under way: the same by each technology's system calls.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "block.hpp"
#include "trouble.hpp"

namespace measure {

class Reader {
 public:
  static constexpr unsigned depth = 32;

  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader() = default;

  /// Has this read of a block begun by the next turn(), into the block of that number.
  virtual void begin(unsigned block, std::uint64_t offset) = 0;
  /// Blocks until a read is done, and says which are.
  virtual Trouble turn(std::vector<unsigned>& done) = 0;

  /// System calls so far.
  std::uint64_t calls() const { return calls_; }

 protected:
  /// Where the reads go: for good, as one that is left behind may still write.
  static Block& block(unsigned which) {
    static Block blocks[depth];
    return blocks[which];
  }
  /// Of a read that has returned this.
  static Trouble look(const char* call, std::int64_t result) {
    if (result == Block::size) return {};
    if (result < 0) return failed(call, static_cast<int>(-result));
    return std::string(call) + ": " + std::to_string(result) + " bytes";
  }

  std::uint64_t calls_ = 0;
};

/// What the technologies are made by: nothing, and the trouble, if this system has no such thing.
using MakeReader = std::unique_ptr<Reader>(int file, Trouble& trouble);
#ifdef __linux__
MakeReader make_aio_reader, make_uring_reader;
#endif

}  // namespace measure
