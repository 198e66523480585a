#pragma once

#include <cstddef>

namespace proa {

/// Reports misuse through the hook and aborts. `what` is a printf format.
[[noreturn]] void misuse(const char* what, ...) noexcept __attribute__((format(printf, 1, 2)));

}  // namespace proa
