#include "support/patterns.hpp"

namespace proa_test {

std::string pattern(std::uint32_t seed, std::size_t size, std::size_t from) {
  std::string bytes(size, '\0');
  fill_with_pattern(bytes.data(), size, seed, from);
  return bytes;
}

void fill_with_pattern(char* memory, std::size_t size, std::uint32_t seed, std::size_t from) {
  for (std::size_t i = 0; i < size; ++i) memory[i] = pattern_at(seed, from + i);
}

std::size_t first_difference(std::uint32_t seed, std::string_view bytes, std::size_t from) {
  const char* const memory = bytes.data();
  const std::size_t size = bytes.size();
  for (std::size_t i = 0; i < size; ++i) {
    if (memory[i] != pattern_at(seed, from + i)) return from + i;
  }
  return no_difference;
}

}  // namespace proa_test
