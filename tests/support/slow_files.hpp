#pragma once

// A file system with a slow disk, for the tests that must not wait for it.

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace proa_test {

// What is in it, and what reading it gives: pattern(slow_seed, slow_size).
constexpr char slow_reads[] = "reads";
constexpr char slow_writes[] = "writes";
constexpr std::size_t slow_size = std::size_t{64} << 20;
constexpr std::uint32_t slow_seed = 50;
constexpr char slow_files_ready[] = "r";  // on standard output, once it is mounted

// Mounted while it lives, by a program of its own that ends with this process at the latest.
// Declare it before the World: files of it may be open until the World is gone.
class SlowFiles {
 public:
  explicit SlowFiles(std::chrono::milliseconds delay = std::chrono::milliseconds(50));
  ~SlowFiles();
  SlowFiles(const SlowFiles&) = delete;
  SlowFiles& operator=(const SlowFiles&) = delete;

  // True where there can be none: then the running test was skipped, and ends.
  bool missing() const;
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

 private:
  void mount(std::chrono::milliseconds delay);
  // Whether the program has ended, after so long at most.
  bool ended(std::chrono::milliseconds limit);

  std::string why_not_;
  bool unavoidable_ = false;
  std::string folder_;
  pid_t program_ = -1;
  int output_ = -1;  // of the program: it ends when that does
};

}  // namespace proa_test
