#pragma once

// The one place that catches. With exceptions, want of memory is an error of the operation that
// wanted it. A library that was built without (-fno-exceptions) cannot tell: there operator new
// ends the program, and only what asks with std::nothrow is told.

#include <new>
#include <utility>

namespace proa {
inline namespace v0 {

/// Runs `work`, which may allocate. False if there was no memory: `work` has then ended where it
/// wanted some.
template <class Work>
bool with_memory(Work&& work) {
#ifdef __cpp_exceptions
  try {
    std::forward<Work>(work)();
  } catch (const std::bad_alloc&) {
    return false;
  }
#else
  std::forward<Work>(work)();
#endif
  return true;
}

}  // namespace v0
}  // namespace proa
