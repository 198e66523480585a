#include "shared_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace bench {

SharedFile::SharedFile(const std::string& folder) {
  std::string name = folder + "/compare.XXXXXX";
  descriptor_ = mkostemp(name.data(), O_CLOEXEC);
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), folder);
  unlink(name.c_str());
  path_ = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(descriptor_);
}

SharedFile::~SharedFile() { close(descriptor_); }

void SharedFile::drop_cache() const {
  fdatasync(descriptor_);
  posix_fadvise(descriptor_, 0, 0, POSIX_FADV_DONTNEED);
}

}  // namespace bench
