#pragma once

// What only trying shows of the kernel, by a small ring that is there for that alone.

#include <cstdint>

#include "backend/uring/features.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

struct Answers {
  std::uint64_t refused = 0;     ///< bit N is set if a filter refuses opcode N
  bool limits_receives = false;  ///< a multishot receive may end behind a number of bytes
};

/// Submits each opcode of `features` once, as the backend will use it, but on no descriptor. Uses
/// nothing that is younger than `allowed`. Returns -errno if io_uring_enter(2) is refused.
long ask_by_trying(const Features& features, Release allowed, Answers& answers) noexcept;

}  // namespace uring
}  // namespace v0
}  // namespace proa
