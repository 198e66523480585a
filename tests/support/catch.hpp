#pragma once

// Catch2 v2 (one header) or v3 (a library), whichever is installed, and what both lack: a skip that
// says why.

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <string>

namespace proa_test {

// What the command line of the test program said. Set before the first test runs.
struct Settings {
  std::string configuration;  // --configuration NAME: which backend or tier; empty when not given
  bool require = false;       // --require, or CI is set: what would be skipped fails instead
};
Settings& settings();

// Notes that the running test case is skipped, and why; fails it under `require`. The test then
// returns. An unavoidable skip (another operating system) passes `unavoidable`.
void skip(const std::string& why, bool unavoidable = false);

// A question that main() asks before the first test: why none of this program's tests can run here,
// or "". Then all are skipped (exit status 77, or "1..0 # SKIP" with --tap), or fail under
// `require`.
using Precondition = std::string (*)();
void set_precondition(Precondition precondition);

}  // namespace proa_test
