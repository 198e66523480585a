#pragma once

// Faults in the system calls of the library: the Nth call fails, transfers are short, every call
// may say EINTR or EAGAIN. What the kernel would guarantee still holds: an EAGAIN that was made up
// is followed by an event, and a faulted SQE still has its CQE.

#include <atomic>
#include <cstdint>

#include "support/ledger.hpp"

namespace proa_test {

// From its construction to its destruction; one at a time. Peers are spared. It may be changed
// while threads of the library are at work.
class Faults {
 public:
  explicit Faults(std::uint32_t seed = 1);
  ~Faults();
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

  // The `nth` call from now (from 1) and `times - 1` behind it return `error` (-errno), and do
  // nothing. So do SQEs that ask for the same. Of kevent(2) it is the error of its changes.
  void fail(Call call, long error, std::uint64_t nth = 1, std::uint64_t times = 1);
  // No transfer of recv, recvmsg, read, send, sendmsg, writev, and, with an offset, of preadv2 and
  // pwritev2 moves more, and none of their SQEs. Nor does one of kernel AIO, if it is a multiple of
  // 512.
  void shorten(std::size_t bytes);
  // No recvmmsg or sendmmsg moves more datagrams.
  void shorten_batches(unsigned datagrams);
  // With this probability a call that waits returns -EINTR at once, ...
  void interrupt(double probability);
  // ... and a transfer or an accept returns -EAGAIN; SQEs complete with -EAGAIN or -EINTR.
  void deny(double probability);
  // Everything succeeds from now on.
  void clear();

  std::uint64_t injected() const;
};

}  // namespace proa_test
