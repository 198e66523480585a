// Reports misuse of an operation by its name and state. Upholds R6 (no operation is destroyed while
// it is pending).
#include <proa/operation.hpp>

#include "base/misuse.hpp"
#include "base/operation_table.hpp"
#include "sys/sys.hpp"

namespace proa {

// A child of fork(2) has copies of the parent's operations, and may destroy them in any state.
void Operation::abandon() const noexcept {
  if (process_ != sys::process()) return;
  misuse("%s %p on descriptor %d destroyed while it was pending", traits_of(opcode_).name,
         static_cast<const void*>(this), descriptor_);
}

void Operation::busy(const char* verb) const noexcept {
  misuse("%s %p on descriptor %d: %s while it was pending", traits_of(opcode_).name,
         static_cast<const void*>(this), descriptor_, verb);
}

}  // namespace proa
