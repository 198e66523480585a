#pragma once

#include <proa/options.hpp>

namespace proa_test {

// Makes the kqueue backend one that the options know: the system's own, or, on Linux, the one over
// the emulation, together with the calls of a system that has not those of Linux. `macos`: without
// aio(4), as macOS.
void use_kqueue(proa::Options& options, bool macos);

}  // namespace proa_test
