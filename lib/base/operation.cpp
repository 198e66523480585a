// What an operation says of itself when it is misused. Upholds R6 (nothing that is pending is
// destroyed).
#include <proa/operation.hpp>

#include "base/misuse.hpp"
#include "base/operation_table.hpp"
#include "sys/sys.hpp"

namespace proa {

// A child of fork(2) has copies of its parent's, and may end as it likes.
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
