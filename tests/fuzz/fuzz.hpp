#pragma once

// A fuzz harness is one function and its seeds. Linked with libFuzzer it searches for as long as it
// is let; linked with main.cpp it is a test that tries the same mutations in every run.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

/// Aborts when a property does not hold.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

/// What the mutations start from.
std::vector<std::string> fuzz_seeds();

/// What the harness was given last; never a null pointer.
inline std::string_view fuzz_current;

/// The input of LLVMFuzzerTestOneInput(), which calls this first. require() tells it.
inline std::string_view fuzz_input(const std::uint8_t* data, std::size_t size) {
  return fuzz_current =
             size == 0 ? "" : std::string_view(reinterpret_cast<const char*>(data), size);
}

/// Aborts, and says which property does not hold of which input, unless it holds.
inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\ninput of %zu bytes:", property, fuzz_current.size());
  for (const char c : fuzz_current) std::fprintf(stderr, " %02x", static_cast<unsigned char>(c));
  std::fprintf(stderr, "\n");
  std::abort();
}
