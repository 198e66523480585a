#include "test_file.hpp"

#include <fcntl.h>
#include <stdlib.h>

#include <csignal>
#include <random>
#include <vector>

#include "block.hpp"

namespace measure {

namespace {

/// Makes a file and removes its name. Signals wait meanwhile.
int make_named(const std::string& directory) {
  std::string path = directory + "/proa-probe-XXXXXX";
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, &before);
  const int file = ::mkstemp(path.data());
  const int error = errno;
  if (file >= 0) ::unlink(path.c_str());
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (file >= 0) ::fcntl(file, F_SETFD, FD_CLOEXEC);
  errno = error;
  return file;
}

}  // namespace

Trouble TestFile::make(const std::string& directory) {
#ifdef O_TMPFILE
  file_ = Descriptor(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file_) return {};
#endif
  file_ = Descriptor(make_named(directory));
  return file_ ? Trouble() : failed("mkstemp");
}

Trouble TestFile::fill() {
  constexpr std::size_t part = 1 << 20;
  std::vector<std::uint64_t> data(part / sizeof(std::uint64_t));
  std::mt19937_64 random;  // which no file system makes smaller
  for (std::uint64_t at = 0; at < size;) {
    for (std::uint64_t& word : data) word = random();
    const ssize_t written = ::pwrite(file_.get(), data.data(), part, static_cast<off_t>(at));
    if (written <= 0) return failed("pwrite", written < 0 ? errno : ENOSPC);
    at += static_cast<std::uint64_t>(written);
  }
  if (::fsync(file_.get()) != 0) return failed("fsync");
  why_not_direct_ = read_directly();
  return {};
}

Trouble TestFile::read_directly() {
#ifdef O_DIRECT
  const int flags = ::fcntl(file_.get(), F_GETFL);
  if (flags < 0 || ::fcntl(file_.get(), F_SETFL, flags | O_DIRECT) != 0) return failed("O_DIRECT");
  Block block;
  if (::pread(file_.get(), block.bytes, sizeof block, 0) == sizeof block) return {};
  const Trouble trouble = failed("O_DIRECT: pread");
  ::fcntl(file_.get(), F_SETFL, flags);
  return trouble;
#else
  return "this system has no O_DIRECT";
#endif
}

}  // namespace measure
