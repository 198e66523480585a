#pragma once

#include <chrono>
#include <proa/time.hpp>

namespace proa_test {

/// How long a test waits for what must come. It is for hangs: a machine may be slow and busy.
inline constexpr proa::Duration hang = std::chrono::seconds(120);

}  // namespace proa_test
