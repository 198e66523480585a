#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>

namespace bench {

/// A folder in /tmp, with this process's number in its name, of which nothing is left, however this
/// program ends: a process of its own removes it when this one has closed its end of a pipe. Throws
/// std::system_error.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    if (mkdtemp(path_.data()) == nullptr) {
      throw std::system_error(errno, std::generic_category(), path_);
    }
    // In a session of its own: an interrupt from the terminal does not reach it.
    remover_ = popen(("exec setsid sh -c 'cat; rm -rf " + path_ + "'").c_str(), "we");
    if (remover_ == nullptr) throw std::system_error(errno, std::generic_category(), "popen");
  }
  ~TemporaryFolder() { pclose(remover_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/compare." + std::to_string(getpid()) + ".XXXXXX";
  std::FILE* remover_ = nullptr;
};

}  // namespace bench
