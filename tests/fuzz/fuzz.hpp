#pragma once

// A fuzz harness is one function and its seeds. Linked with libFuzzer it searches for as long as it
// is let; linked with main.cpp it is a test that tries the same mutations in every run.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// Aborts when a property does not hold.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

/// What the mutations start from.
std::vector<std::string> fuzz_seeds();
