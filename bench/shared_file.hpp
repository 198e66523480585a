#pragma once

#include <string>

namespace bench {

/// A file without a name that other programs open through this process: nothing is left of it,
/// however this ends. Throws std::system_error.
class SharedFile {
 public:
  explicit SharedFile(const std::string& folder);
  ~SharedFile();
  SharedFile(const SharedFile&) = delete;
  SharedFile& operator=(const SharedFile&) = delete;

  const std::string& path() const { return path_; }
  /// Forgets what the page cache has of it.
  void drop_cache() const;

 private:
  int descriptor_ = -1;
  std::string path_;
};

}  // namespace bench
