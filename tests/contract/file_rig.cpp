// Files as the system sees them.
#include "contract/file_rig.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace proa_test {

Folder::Folder(const std::string& under) {
  const std::string base = under.empty() ? std::filesystem::temp_directory_path().string() : under;
  path_ = base + "/proa-test-XXXXXX";
  if (::mkdtemp(path_.data()) == nullptr) FAIL("mkdtemp " << path_);
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Folder::file(const std::string& name, std::string_view bytes) const {
  std::ofstream(path(name), std::ios::binary) << bytes;
  return path(name);
}

std::string contents(const std::string& path) {
  std::ostringstream all;
  all << std::ifstream(path, std::ios::binary).rdbuf();
  return all.str();
}

proa::File open_file(World& world, const std::string& path, proa::OpenFlags flags) {
  std::error_code error;
  proa::File file = proa::File::open(*world, path, flags, 0644, error);
  INFO(path << ": " << error.message());
  REQUIRE(!error);
  return file;
}

bool appends_anywhere() { return !over_kqueue(); }

void let_append(const proa::File& file, bool on) {
  const int number = file.descriptor().number;
  if (appends_anywhere() || number < 0) return;
  const int flags = ::fcntl(number, F_GETFL);
  REQUIRE(::fcntl(number, F_SETFL, on ? flags | O_APPEND : flags & ~O_APPEND) == 0);
}

Aligned::Aligned(std::size_t size, char fill)
    : data_(static_cast<char*>(std::aligned_alloc(4096, (size + 4095) / 4096 * 4096))),
      size_(size) {
  std::fill_n(data_, size, fill);
}

Aligned::~Aligned() { std::free(data_); }

}  // namespace proa_test
