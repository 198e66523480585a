// Words of which HTTP's fields are made (RFC 9110, 5.6).
#pragma once

#include <algorithm>
#include <string_view>

namespace http {

/// Regardless of case, in ASCII.
inline bool same(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

inline std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// What a name is made of: of a field, a method, an option (RFC 9110, 5.6.2).
inline bool is_token(std::string_view name) {
  constexpr std::string_view characters =
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return !name.empty() && name.find_first_not_of(characters) == name.npos;
}

/// Takes the next element off a list that commas separate, past empty ones (RFC 9110, 5.6.1).
inline bool next_element(std::string_view& list, std::string_view& element) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    element = trimmed(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (!element.empty()) return true;
  }
  return false;
}

}  // namespace http
