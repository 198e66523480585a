#pragma once

#include <cstddef>

namespace proa {
inline namespace v0 {

/// Reports misuse through the hook and aborts. `what` is a printf format.
[[noreturn]] void misuse(const char* what, ...) noexcept __attribute__((format(printf, 1, 2)));

}  // namespace v0
}  // namespace proa
