#pragma once

// Counts and fails allocations: malloc, calloc, realloc and operator new, of all threads. With a
// sanitizer, malloc itself is only counted (by its hooks), and operator new can be failed as well.

#include <cstddef>
#include <cstdint>

namespace proa_test {

// Whether malloc is counted here; operator new always is.
bool counts_malloc();

// Allocations since the program began.
std::uint64_t allocations();

// Of the heap, by the program; 0 if nobody knows.
std::size_t bytes_in_use();

// While it lives, the `nth` allocation (from 1) of this thread fails, and, if `persistent`, all
// behind it.
class FailingAllocation {
 public:
  explicit FailingAllocation(std::uint64_t nth, bool persistent = false);
  ~FailingAllocation() { stop(); }
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;
  // From here on they succeed again; says whether one failed.
  bool stop();
};

}  // namespace proa_test
