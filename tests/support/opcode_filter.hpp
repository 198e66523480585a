#pragma once

// A filter that refuses opcodes of io_uring, as a task may have one from Linux 7.0 on: every ring
// that is made under it inherits it. Here the kernel itself refuses the opcodes, by restrictions of
// the ring, which every kernel has.

#include <set>

namespace proa_test {

// From its construction to its destruction; one at a time.
class OpcodeFilter {
 public:
  // Opcodes that each ring refuses, and opcodes that only the rings refuse that the backend
  // restricts itself: those that try what is refused know nothing of these.
  OpcodeFilter(std::set<unsigned> always, std::set<unsigned> untold);
  ~OpcodeFilter();
  OpcodeFilter(const OpcodeFilter&) = delete;
  OpcodeFilter& operator=(const OpcodeFilter&) = delete;
};

// The filter of the configuration uring-filtered, from the first call until the program ends.
void filter_opcodes();

}  // namespace proa_test
