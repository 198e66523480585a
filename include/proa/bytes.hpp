#pragma once

#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

namespace proa {
inline namespace v0 {

namespace detail {
template <class Element>
inline constexpr bool is_byte = sizeof(Element) == 1 && std::is_trivially_copyable_v<Element>;
/// Whether C keeps its bytes in one piece and tells where: a string, a vector or an array.
template <class C, class = void>
inline constexpr bool has_bytes = false;
template <class C>
inline constexpr bool has_bytes<C, std::void_t<decltype(std::declval<const C&>().data()),
                                               decltype(std::declval<const C&>().size())>> =
    is_byte<std::remove_reference_t<decltype(*std::declval<const C&>().data())>>;
}  // namespace detail

/// Memory that somebody else owns, to read from. Sizes are in bytes.
struct Bytes {
  const void* data = nullptr;
  std::size_t size = 0;

  constexpr Bytes() noexcept = default;
  /// `length` bytes from `start` on.
  constexpr Bytes(const void* start, std::size_t length) noexcept : data(start), size(length) {}
  /// The bytes before the first NUL, which must be there. String literals and other arrays of char
  /// come here too: one that ends without a NUL, or holds NULs, needs Bytes(array, length).
  constexpr Bytes(const char* text) noexcept : Bytes(std::string_view(text)) {}
  /// All bytes of a std::string, std::string_view, std::vector or std::array (of char, unsigned
  /// char or std::byte). The container must live as long as these bytes are used.
  template <class C, class = std::enable_if_t<detail::has_bytes<C>>>
  constexpr Bytes(const C& bytes) noexcept : data(bytes.data()), size(bytes.size()) {}
  template <std::size_t N>
  constexpr Bytes(const unsigned char (&bytes)[N]) noexcept : data(bytes), size(N) {}
  template <std::size_t N>
  constexpr Bytes(const std::byte (&bytes)[N]) noexcept : data(bytes), size(N) {}

  /// The same bytes, as text.
  std::string_view text() const noexcept { return {static_cast<const char*>(data), size}; }
};

/// Memory that somebody else owns, to write to. Sizes are in bytes.
struct MutableBytes {
  void* data = nullptr;
  std::size_t size = 0;
};

}  // namespace v0
}  // namespace proa
