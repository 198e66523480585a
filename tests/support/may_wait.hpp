#pragma once

// Which system calls may wait for a disk: what the loop's thread must leave to others.

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#ifdef PROA_HAVE_AIO
#include <libaio.h>
#endif

#include "support/ledger.hpp"
#include "sys/names.hpp"

namespace proa_test {

inline bool on_disk(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return false;
  return S_ISREG(status.st_mode) || S_ISBLK(status.st_mode) || S_ISDIR(status.st_mode);
}

struct Always {
  template <class... Arguments>
  static bool ask(Arguments...) {
    return true;
  }
};
struct OnDisk {
  template <class... Arguments>
  static bool ask(int fd, Arguments...) {
    return on_disk(fd);
  }
};
struct WithoutNowait {
  static bool ask(int fd, const iovec*, int, std::int64_t, int flags) {
    return (flags & proa::sys::nowait) == 0 && on_disk(fd);
  }
};

template <Call>
struct MayWait {
  template <class... Arguments>
  static bool ask(Arguments...) {
    return false;
  }
};
template <>
struct MayWait<Call::preadv2> : WithoutNowait {};
template <>
struct MayWait<Call::pwritev2> : WithoutNowait {};
template <>
struct MayWait<Call::read> : OnDisk {};
template <>
struct MayWait<Call::writev> : OnDisk {};
template <>
struct MayWait<Call::close> : OnDisk {};
template <>
struct MayWait<Call::fstat> : OnDisk {};
template <>
struct MayWait<Call::status> : Always {};
#ifdef PROA_HAVE_AIO
// Kernel AIO waits for what goes through the page cache.
template <>
struct MayWait<Call::aio_submit> {
  static bool ask(void*, long count, iocb** blocks) {
    for (long i = 0; i < count; ++i) {
      const int flags = ::fcntl(blocks[i]->aio_fildes, F_GETFL);
      if (flags < 0 || (flags & O_DIRECT) == 0) return true;
    }
    return false;
  }
};
#endif
#define PROA_TEST_ALWAYS(name) \
  template <>                  \
  struct MayWait<Call::name> : Always {};
PROA_TEST_ALWAYS(open)
PROA_TEST_ALWAYS(openat)
PROA_TEST_ALWAYS(fsync)
PROA_TEST_ALWAYS(fdatasync)
PROA_TEST_ALWAYS(ftruncate)
PROA_TEST_ALWAYS(fallocate)
PROA_TEST_ALWAYS(unlinkat)
PROA_TEST_ALWAYS(renameat)
PROA_TEST_ALWAYS(mkdirat)
PROA_TEST_ALWAYS(readlinkat)
PROA_TEST_ALWAYS(open_directory)
PROA_TEST_ALWAYS(next_entry)
PROA_TEST_ALWAYS(close_directory)
PROA_TEST_ALWAYS(sendfile)
#undef PROA_TEST_ALWAYS

}  // namespace proa_test
