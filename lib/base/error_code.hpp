// Errors inside the library are negative ints: -errno, or a proa::Error far below any errno. The
// library makes a std::error_code of them where it gives a result to the program.

#pragma once

#include <proa/error.hpp>
#include <system_error>

namespace proa {
inline namespace v0 {

inline constexpr int error_base = -10000;  // a handler keeps such an int in 16 bits

/// The negative int that stands for a proa::Error inside the library.
constexpr int code_of(Error error) noexcept { return error_base - static_cast<int>(error); }

/// Makes the system's error of -errno, and e of code_of(e); zero and above (a count of bytes, a
/// descriptor) are success.
inline std::error_code to_error_code(int negative) noexcept {
  if (negative >= 0) return {};
  if (negative < error_base) return static_cast<Error>(error_base - negative);
  return {-negative, std::system_category()};
}

/// The inverse, for errors that the library keeps until it tells them.
inline int to_negative(const std::error_code& error) noexcept {
  return error.category() == error_category() ? error_base - error.value() : -error.value();
}

}  // namespace v0
}  // namespace proa
