// What one thread rings and another one waits for: an eventfd on Linux, else a pipe.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/eventfd.h>
#endif

#include <cstdint>

#include "descriptor.hpp"
#include "trouble.hpp"

namespace measure {

class Bell {
 public:
#ifdef __linux__
  static constexpr const char* kind = "eventfd";

  Trouble open() {
    reading_ = Descriptor(::eventfd(0, EFD_CLOEXEC));
    return reading_ ? Trouble() : failed("eventfd");
  }
  Trouble ring() { return write_to(reading_.get()); }
#else
  static constexpr const char* kind = "pipe";

  Trouble open() {
    int ends[2];
    if (::pipe(ends) != 0) return failed("pipe");
    reading_ = Descriptor(ends[0]);
    writing_ = Descriptor(ends[1]);
    for (const int end : ends) {
      if (::fcntl(end, F_SETFD, FD_CLOEXEC) != 0) return failed("fcntl");
    }
    return {};
  }
  Trouble ring() { return write_to(writing_.get()); }
#endif

  /// Readable once the bell was rung; a read of 8 bytes takes that back.
  int descriptor() const { return reading_.get(); }

 private:
  static Trouble write_to(int descriptor) {
    const std::uint64_t one = 1;
    return ::write(descriptor, &one, sizeof one) == sizeof one ? Trouble() : failed("write");
  }

  Descriptor reading_;
#ifndef __linux__
  Descriptor writing_;
#endif
};

}  // namespace measure
