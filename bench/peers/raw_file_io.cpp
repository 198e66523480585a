// raw_file_io: the floor of file_io. The least code that does the same: each thread one pread or
// pwrite after the other.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "../file_load.hpp"

namespace {

using namespace bench;

class RawWorker final : public FileWorker {
 public:
  RawWorker(const FileOptions& options, const std::string& path)
      : block_(options.block), memory_(aligned_blocks(1, options.block)) {
    descriptor_ = open(path.c_str(), O_RDWR | O_CLOEXEC | (options.direct ? O_DIRECT : 0));
    if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), path);
  }
  ~RawWorker() override { close(descriptor_); }
  RawWorker(const RawWorker&) = delete;
  RawWorker& operator=(const RawWorker&) = delete;

  void run(Access access, Schedule& schedule, Tally& tally) override {
    char* const memory = memory_.get();
    auto start = FileClock::now();
    for (std::uint64_t offset = 0; schedule.next(start, offset);) {
      const auto place = static_cast<off_t>(offset);
      ssize_t done = 0;
      if (access == Access::read) {
        done = pread(descriptor_, memory, block_, place);
      } else {
        stamp(memory, offset);
        done = pwrite(descriptor_, memory, block_, place);
      }
      const auto now = FileClock::now();
      if (done < 0) {
        tally.fail(std::strerror(errno));
      } else if (static_cast<std::size_t>(done) != block_) {
        tally.fail("a short transfer");
      } else if (!has_stamp(memory, offset)) {
        tally.fail("wrong data");
      } else {
        ++tally.operations;
        tally.latencies.record(static_cast<std::uint64_t>((now - start).count()));
      }
      start = now;
    }
  }

 private:
  std::size_t block_;
  AlignedMemory memory_;
  int descriptor_ = -1;
};

}  // namespace

int main(int argc, char** argv) {
  return run_file_load(argc, argv, [](const FileOptions& options, const std::string& path) {
    return std::make_unique<RawWorker>(options, path);
  });
}
