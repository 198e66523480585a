// A way to wait until descriptors are ready: the same few things by each technology's system calls.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>

#include "trouble.hpp"

namespace measure {

class Waiter {
 public:
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  virtual ~Waiter() = default;

  /// From now on wait() tells when the descriptor is readable.
  virtual Trouble add(int descriptor) = 0;
  /// Blocks until a descriptor is ready. `events` grows by how many are told of.
  virtual Trouble wait(std::uint64_t& events) = 0;
  /// Blocks until the only descriptor, a bell, is rung, and reads it.
  virtual Trouble take_ring(int bell) {
    std::uint64_t events = 0;
    if (Trouble trouble = wait(events); !trouble.empty()) return trouble;
    ++calls_;
    std::uint64_t rings = 0;
    return ::read(bell, &rings, sizeof rings) == sizeof rings ? Trouble() : failed("read");
  }
  /// What comes of a regular file, in words.
  virtual std::string try_regular_file(int file) = 0;

  /// System calls so far.
  std::uint64_t calls() const { return calls_; }

 protected:
  std::uint64_t calls_ = 0;
};

/// What the technologies are made by: nothing, and the trouble, if this system has no such thing.
using MakeWaiter = std::unique_ptr<Waiter>(Trouble& trouble);
MakeWaiter make_poll, make_select;
#ifdef __linux__
MakeWaiter make_epoll, make_uring;
#else
MakeWaiter make_kqueue;
#endif

}  // namespace measure
