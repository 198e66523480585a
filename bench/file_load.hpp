// The load that file_io and its floor share, so that they differ in nothing but how they do a read
// or a write: the command line, the files, which blocks in which order, when it ends, the report.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "histogram.hpp"

namespace bench {

using FileClock = std::chrono::steady_clock;

enum class Access { write, read };

struct FileOptions {
  std::size_t workers = 4;
  std::uint64_t operations = 1000;  ///< per worker and phase; the blocks of its file
  std::size_t block = 4096;
  std::size_t batch = 1;
  std::size_t depth = 1;
  std::string folder = "/tmp";
  std::string backend = "auto";
  bool direct = false;
  bool own_memory = false;
  bool random = false;
  double seconds = 0;      ///< per phase, instead of a count; 0: the count
  std::string file;        ///< one for all workers, not removed; empty: a file per worker
  std::uint64_t size = 0;  ///< of that file
  bool writes = true;
  bool reads = true;
  bool json = false;

  std::uint64_t blocks() const { return file.empty() ? operations : size / block; }
};

/// The offsets of one worker's phase, one after the other, until the phase is over.
class Schedule {
 public:
  /// In order, `first` is the block to begin with; the phase ends at `end` if that is not the
  /// epoch, else after options.operations.
  Schedule(const FileOptions& options, std::uint64_t first, FileClock::time_point end);

  /// False when nothing more is to be done.
  bool next(FileClock::time_point now, std::uint64_t& offset) {
    if (timed_ ? now >= end_ : left_-- == 0) return false;
    if (random_) {  // xorshift64, scaled: the error for 2^32 blocks is not worth a division
      state_ ^= state_ << 13;
      state_ ^= state_ >> 7;
      state_ ^= state_ << 17;
      offset = ((state_ >> 32) * blocks_ >> 32) * block_;
    } else {
      offset = at_ * block_;
      if (++at_ == blocks_) at_ = 0;
    }
    return true;
  }

 private:
  std::uint64_t blocks_;
  std::uint64_t block_;
  std::uint64_t at_;
  std::uint64_t left_;
  std::uint64_t state_;
  FileClock::time_point end_;
  bool timed_;
  bool random_;
};

/// What one phase came to.
struct Tally {
  std::uint64_t operations = 0;  ///< those that were right
  std::uint64_t errors = 0;
  std::string first_error;
  Histogram latencies;  ///< ns, from submission to callback
  double seconds = 0;
  double cpu_ns = 0;  ///< all threads of the process, the kernel's workers for it included

  void fail(const std::string& what) {
    if (errors++ == 0) first_error = what;
  }
  void add(const Tally& other);
};

/// Every block says where it belongs in its first 8 bytes: wrong data is an error, at the price of
/// one comparison.
inline void stamp(void* block, std::uint64_t offset) {
  __builtin_memcpy(block, &offset, sizeof offset);
}
inline bool has_stamp(const void* block, std::uint64_t offset) {
  std::uint64_t found = 0;
  __builtin_memcpy(&found, block, sizeof found);
  return found == offset;
}

/// Memory as O_DIRECT wants it.
struct Freed {
  void operator()(void* memory) const { std::free(memory); }
};
using AlignedMemory = std::unique_ptr<char, Freed>;
/// `count` blocks, filled with something; throws std::bad_alloc.
AlignedMemory aligned_blocks(std::size_t count, std::size_t block);

/// One thread's way to do reads and writes. Made, used and destroyed on that thread.
class FileWorker {
 public:
  virtual ~FileWorker() = default;
  /// Does all that the schedule has, and returns when nothing is in flight.
  virtual void run(Access access, Schedule& schedule, Tally& tally) = 0;
};
/// Opens `path`, which exists, for reading and writing. Throws std::exception.
using MakeWorker =
    std::function<std::unique_ptr<FileWorker>(const FileOptions&, const std::string&)>;

/// The whole program: returns its exit status.
int run_file_load(int argc, char** argv, const MakeWorker& make);

// Parts of it, in file_options.cpp, file_load.cpp and file_report.cpp.
FileOptions parse_file_options(int argc, char** argv);
void report(const FileOptions& options, const Tally& write, const Tally& read);

}  // namespace bench
