// Reports misuse of an operation by its name and state. Upholds R6 (no operation is destroyed while
// it is pending).
#include <proa/file_requests.hpp>
#include <proa/operation.hpp>

#include "base/misuse.hpp"
#include "base/operation_table.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace {

// In the order of FileVerb.
constexpr const char* file_calls[] = {"Open",   "CloseFile",     "Sync",     "Sync",
                                      "Status", "Truncate",      "Allocate", "Unlink",
                                      "Rename", "MakeDirectory", "ReadLink", "ListDirectory"};
static_assert(sizeof file_calls / sizeof *file_calls ==
              static_cast<std::size_t>(FileVerb::list_directory) + 1);

// As the program wrote it.
const char* name_of(const Operation& operation) noexcept {
  if (operation.opcode() != Opcode::file_call) return traits_of(operation).name;
  return file_calls[static_cast<std::size_t>(static_cast<const FileCall&>(operation).verb())];
}

}  // namespace

// A child of fork(2) has copies of the parent's operations, and may destroy them in any state.
void Operation::abandon() const noexcept {
  if (process_ != sys::process()) return;
  if (descriptor_ < 0) {
    misuse("%s %p destroyed while it was pending", name_of(*this), static_cast<const void*>(this));
  }
  misuse("%s %p on descriptor %d destroyed while it was pending", name_of(*this),
         static_cast<const void*>(this), descriptor_);
}

void Operation::busy(const char* verb) const noexcept {
  misuse("%s %p on descriptor %d: %s while it was pending", name_of(*this),
         static_cast<const void*>(this), descriptor_, verb);
}

void Operation::elsewhere(const char* verb) const noexcept {
  misuse("%s %p on descriptor %d: %s() through another proactor than has it", name_of(*this),
         static_cast<const void*>(this), descriptor_, verb);
}

}  // namespace proa
