// How many reads at random places of a file there are in a second.
#include <random>

#include "clock.hpp"
#include "measurements.hpp"
#include "test_file.hpp"

namespace measure {

Trouble measure_reads(Reader& reader, double seconds, Figures& figures) {
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<std::uint64_t> place(0, TestFile::size / Block::size - 1);
  std::vector<unsigned> done;
  for (unsigned block = 0; block < Reader::depth; ++block) done.push_back(block);
  std::uint64_t reads = 0;
  const std::int64_t start = now();
  const std::int64_t end = in(seconds);
  std::int64_t ended = start;
  do {
    for (const unsigned block : done) reader.begin(block, place(random) * Block::size);
    done.clear();
    if (Trouble trouble = reader.turn(done); !trouble.empty()) return trouble;
    reads += done.size();
    ended = now();
  } while (ended < end);
  const double calls = static_cast<double>(reader.calls());
  for (std::size_t left = Reader::depth - done.size(); left > 0;) {
    done.clear();
    if (Trouble trouble = reader.turn(done); !trouble.empty()) return trouble;
    left -= done.size();
  }
  figures.push_back(static_cast<double>(reads) * 1e9 / static_cast<double>(ended - start));
  figures.push_back(calls / static_cast<double>(reads));
  return {};
}

}  // namespace measure
