#pragma once

// Counts what the library asks of the system: calls by name, and for io_uring the opcodes and flags
// of every SQE. Calls made by peers do not count.

#include <array>
#include <atomic>
#include <cstdint>
#include <set>
#include <string>
#include <thread>

#include "sys/sys.hpp"

namespace proa_test {

#define PROA_TEST_NAME(name, parameters, arguments) name,
enum class Call : unsigned { PROA_SYS_CALLS(PROA_TEST_NAME) number };
#undef PROA_TEST_NAME

// From its construction to its destruction; one at a time.
class Ledger {
 public:
  Ledger();
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  std::uint64_t count(Call call) const;
  std::uint64_t total() const;
  // Calls that may have waited for a disk, made by the thread that made the ledger: their names.
  std::string waited() const;
  // Entries into the kernel: all but the clock, which needs none (vdso(7)).
  std::uint64_t entries() const { return total() - count(Call::clock); }
  // Syncs of files that were begun, by whatever means.
  std::uint64_t syncs() const {
    return count(Call::fsync) + count(Call::fdatasync) + count(Call::aio_fsync) + submitted_.syncs;
  }
  void clear();

  struct Submitted {
    std::set<unsigned> opcodes;
    unsigned sqe_flags = 0;                // IOSQE_*, or-ed
    std::set<unsigned> accept_priorities;  // ioprio, which holds their multishot flags
    std::set<unsigned> recv_priorities;
    std::uint64_t number = 0;
    std::uint64_t syncs = 0;  // IORING_OP_FSYNC
  };
  const Submitted& submitted() const { return submitted_; }
  const std::set<unsigned>& registered() const { return registered_; }  // io_uring_register(2)
  unsigned setup_flags() const { return setup_flags_; }                 // of all rings, or-ed

 private:
  friend struct LedgerCalls;
  std::array<std::atomic<std::uint64_t>, static_cast<unsigned>(Call::number)> counts_{};
  std::array<bool, static_cast<unsigned>(Call::number)> waited_{};
  const std::thread::id thread_ = std::this_thread::get_id();
  Submitted submitted_;
  std::set<unsigned> registered_;
  unsigned setup_flags_ = 0;
};

}  // namespace proa_test
