#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace proa {

/// Memory that somebody else owns, to read from. Sizes are in bytes.
struct Bytes {
  const void* data = nullptr;
  std::size_t size = 0;

  constexpr Bytes() noexcept = default;
  constexpr Bytes(const void* start, std::size_t length) noexcept : data(start), size(length) {}
  constexpr Bytes(std::string_view text) noexcept : data(text.data()), size(text.size()) {}
  Bytes(const std::string& text) noexcept : data(text.data()), size(text.size()) {}
  constexpr Bytes(const char* text) noexcept : Bytes(std::string_view(text)) {}

  std::string_view text() const noexcept { return {static_cast<const char*>(data), size}; }
};

/// Memory that somebody else owns, to write to. Sizes are in bytes.
struct MutableBytes {
  void* data = nullptr;
  std::size_t size = 0;
};

}  // namespace proa
