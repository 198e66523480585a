#pragma once

// Faults in the system calls of the library: the Nth call fails, transfers are short, every call
// may say EINTR or EAGAIN. What the kernel would guarantee still holds: an EAGAIN that was made up
// is followed by an event, and a faulted SQE still has its CQE.

#include <cstdint>
#include <random>

#include "support/ledger.hpp"

namespace proa_test {

// From its construction to its destruction; one at a time. Peers are spared.
class Faults {
 public:
  explicit Faults(std::uint32_t seed = 1);
  ~Faults();
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

  // The `nth` call from now (from 1) and `times - 1` behind it return `error` (-errno), and do
  // nothing. So do SQEs that ask for the same.
  void fail(Call call, long error, std::uint64_t nth = 1, std::uint64_t times = 1);
  // No transfer of recv, read, send, sendmsg and writev, and none of their SQEs, moves more.
  void shorten(std::size_t bytes) { longest_ = bytes; }
  // With this probability a call that waits returns -EINTR at once, ...
  void interrupt(double probability) { interrupting_ = probability; }
  // ... and a transfer or an accept returns -EAGAIN; SQEs complete with -EAGAIN or -EINTR.
  void deny(double probability) { denying_ = probability; }
  // Everything succeeds from now on.
  void clear();

  std::uint64_t injected() const { return injected_; }

 private:
  friend struct FaultCalls;
  bool hit(double probability);
  // 0: go on; else what to return.
  long planned(Call call);

  struct Plan {
    long error = 0;
    std::uint64_t skip = 0;
    std::uint64_t times = 0;
  };
  proa::sys::Table below_;
  std::array<Plan, static_cast<unsigned>(Call::number)> plans_{};
  std::size_t longest_ = 0;
  double interrupting_ = 0;
  double denying_ = 0;
  std::uint64_t injected_ = 0;
  std::minstd_rand random_;
};

}  // namespace proa_test
