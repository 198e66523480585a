// Replaces calls that Linux has alone, or answers in its own way, by calls that every system has.
// Those for sockets are in portable_sockets.cpp. Tests on Linux run through these substitutes too.
#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "sys/call.hpp"
#include "sys/names.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {
namespace sys::portable {

namespace {

FileInfo to_info(const struct stat& from) noexcept {
  FileInfo info{};
  info.mode = from.st_mode;
  info.user = from.st_uid;
  info.group = from.st_gid;
  info.device = static_cast<std::uint64_t>(from.st_dev);
  info.inode = from.st_ino;
  info.links = from.st_nlink;
  info.size = static_cast<std::uint64_t>(from.st_size);
  info.sectors = static_cast<std::uint64_t>(from.st_blocks);
#ifdef __APPLE__
  info.modified = from.st_mtimespec;
  info.changed = from.st_ctimespec;
  info.accessed = from.st_atimespec;
#else
  info.modified = from.st_mtim;
  info.changed = from.st_ctim;
  info.accessed = from.st_atim;
#endif
  info.on_device = true;
  return info;
}

}  // namespace

// An offset of -1 stands for the position of the descriptor. No call reads or writes a file without
// waiting for the disk.
long preadv2(int fd, const iovec* pieces, int count, std::int64_t offset, int flags) noexcept {
  if (offset != -1) {
    if (flags != 0) return -EOPNOTSUPP;
    return retried([&] { return ::preadv(fd, pieces, count, offset); });
  }
  if ((flags & nowait) != 0) return read_if_ready(fd, pieces, count);
  return retried([&] { return ::readv(fd, pieces, count); });
}
long pwritev2(int fd, const iovec* pieces, int count, std::int64_t offset, int flags) noexcept {
  if (flags == append) {
    const long mode = checked(::fcntl(fd, F_GETFL));
    if (mode < 0) return mode;
    if ((mode & O_APPEND) == 0) return -EOPNOTSUPP;
    return retried([&] { return ::writev(fd, pieces, count); });
  }
  if (offset != -1) {
    if (flags != 0) return -EOPNOTSUPP;
    return retried([&] { return ::pwritev(fd, pieces, count, offset); });
  }
  if ((flags & nowait) == 0) return retried([&] { return ::writev(fd, pieces, count); });
  return write_if_ready(fd, pieces, count);
}

long status(int at, const char* path, int flags, FileInfo* info) noexcept {
  struct stat told {};
  const long result =
      retried([&] { return path ? ::fstatat(at, path, &told, flags) : ::fstat(at, &told); });
  if (result == 0) *info = to_info(told);
  return result;
}
long file_info(int fd, FileInfo* info) noexcept { return portable::status(fd, nullptr, 0, info); }

// To FreeBSD an empty path is the directory itself, which is no link (EINVAL).
long readlinkat(int at, const char* path, char* target, std::size_t size) noexcept {
  if (*path == '\0') return -ENOENT;
  return retried([&] { return ::readlinkat(at, path, target, size); });
}

// sendfile(2) has a different signature on each system, so this reads and sends the bytes.
long sendfile(int to, int from, std::int64_t offset, std::size_t size) noexcept {
  char memory[65536];
  std::size_t sent = 0;
  while (sent < size) {
    const long got = retried([&] {
      return ::pread(from, memory, std::min(sizeof memory, size - sent),
                     offset + static_cast<std::int64_t>(sent));
    });
    if (got <= 0) {
      // Linux answers EINVAL for a directory.
      return sent > 0 ? static_cast<long>(sent) : got == -EISDIR ? -EINVAL : got;
    }
    const auto length = static_cast<std::size_t>(got);
    long put = retried([&] { return ::send(to, memory, length, no_signal); });
    if (put == -ENOTSOCK) put = retried([&] { return ::write(to, memory, length); });
    if (put < 0) return sent > 0 ? static_cast<long>(sent) : put;
    sent += static_cast<std::size_t>(put);
    if (put < got) break;
  }
  return static_cast<long>(sent);
}

// kqueue takes regular files too, but reports nothing at their end. It refuses devices that have no
// events when it is asked to watch them.
long pollable(int fd) noexcept {
  struct stat status {};
  const long result = checked(::fstat(fd, &status));
  if (result < 0) return result;
  return !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode) && !S_ISBLK(status.st_mode);
}

long reopen_tty(int fd, int flags) noexcept {
  char path[128];
  const int error = ::ttyname_r(fd, path, sizeof path);
  return error != 0 ? -error : retried([&] { return ::open(path, flags | O_CLOEXEC); });
}

// getentropy(3) fills 256 bytes at most, so it is called until all are filled.
long entropy(void* data, std::size_t size) noexcept {
  constexpr std::size_t most = 256;
  for (std::size_t at = 0; at < size; at += most) {
    const long result =
        checked(::getentropy(static_cast<char*>(data) + at, std::min(most, size - at)));
    if (result < 0) return result;
  }
  return static_cast<long>(size);
}

// Takes back a signal that a write has raised: ignores the signal for a moment, so that the system
// drops the pending one. sigwait(3) could wait for ever: macOS directs these signals at the
// process, and another loop may take them first.
long take_write_signals() noexcept {
  const std::lock_guard lock(signal_actions());
  sigset_t pending;
  ::sigpending(&pending);
  long taken = -EAGAIN;
  for (const int number : {SIGPIPE, SIGXFSZ}) {
    if (sigismember(&pending, number) != 1) continue;
    struct sigaction ignored {};
    struct sigaction before {};
    ignored.sa_handler = SIG_IGN;
    ::sigaction(number, &ignored, &before);
    ::sigaction(number, &before, nullptr);
    taken = number;
  }
  return taken;
}

}  // namespace sys::portable
}  // namespace v0
}  // namespace proa
