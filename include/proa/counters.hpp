#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace proa {
inline namespace v0 {

/// Which backend the proactor has, and why.
struct BackendReport {
  struct Refusal {
    std::string name;
    std::string reason;  ///< one sentence
  };
  std::string name;
  std::string chosen_by;         ///< "auto", "options" or "PROA_BACKEND"
  std::vector<Refusal> refused;  ///< the backends that were tried before, in order
  /// In use at the last call of Proactor::backend(): the system may refuse one late.
  std::vector<std::string> features;
};

/// What happened since the proactor was made. Numbers only grow.
struct Counters {
  std::uint64_t submitted = 0;  ///< operations that submit() has accepted, also those of handlers
  std::uint64_t completed = 0;  ///< operations ended; equal to `submitted` when nothing is pending
  std::uint64_t delivered = 0;  ///< results; a repeating operation counts once for each
  std::uint64_t cancelled = 0;  ///< operations that cancel(), close() or a deadline ended
  std::uint64_t deadlines = 0;  ///< operations that their deadline ended
  std::uint64_t timers = 0;     ///< timers that fired
  std::uint64_t posts = 0;      ///< posts run
  std::uint64_t rounds = 0;     ///< turns of the loop
  std::uint64_t waits = 0;      ///< times the backend entered the kernel to wait or flush
  /// times the library started an operation again after EAGAIN or a short transfer
  std::uint64_t retries = 0;
  std::uint64_t queue_full = 0;            ///< uring: times the submission queue was full
  std::uint64_t completion_overflows = 0;  ///< uring: times the completion queue was full
  /// uring: times the kernel ended a multishot operation and it was started again
  std::uint64_t rearmed = 0;
  std::uint64_t buffers_missed = 0;  ///< times a receive found no block and had to wait
  /// times accepting stopped because descriptors or memory ran out
  std::uint64_t accept_pauses = 0;
  std::uint64_t errors_unanswered = 0;  ///< on_error() returned, and the handler is open and waits
                                        ///< for its owner: nothing more comes by itself
  std::uint64_t left_behind = 0;   ///< handlers of a server that were neither destroyed nor opened
                                   ///< again after on_closed(): a forgotten `delete this`?
  std::uint64_t stale_events = 0;  ///< events of descriptors or operations that had ended
};

}  // namespace v0
}  // namespace proa
