#pragma once

// Bytes that tell their place in a stream, so that a lost, doubled or swapped one shows.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace proa_test {

// The byte at `offset` of the stream `seed`. It does not repeat at any power of two, hence neither
// at the size of a buffer.
constexpr char pattern_at(std::uint32_t seed, std::size_t offset) noexcept {
  std::uint64_t x = offset + (std::uint64_t{seed} << 40);
  x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
  return static_cast<char>(x >> 56);
}

std::string pattern(std::uint32_t seed, std::size_t size, std::size_t from = 0);
void fill_with_pattern(char* memory, std::size_t size, std::uint32_t seed, std::size_t from = 0);

constexpr std::size_t no_difference = static_cast<std::size_t>(-1);

// Where `bytes`, which begins at `from` of the stream, first differs from it. CHECK of this prints
// one number instead of a mebibyte.
std::size_t first_difference(std::uint32_t seed, std::string_view bytes, std::size_t from = 0);

}  // namespace proa_test
