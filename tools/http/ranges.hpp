// Parts of a file that a request asks for (RFC 9110, 14).
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text.hpp"

namespace http {

struct Range {
  std::uint64_t first = 0;
  std::uint64_t length = 0;

  /// "bytes 0-4/10"
  std::string text(std::uint64_t size) const {
    return "bytes " + std::to_string(first) + "-" + std::to_string(first + length - 1) + "/" +
           std::to_string(size);
  }
};

/// What a Range field asks for.
struct Ranges {
  enum class Kind : std::uint8_t { all, parts, unsatisfiable } kind = Kind::all;
  std::vector<Range> parts;
};

/// More parts than this, or more bytes than the file has, are no honest wish (RFC 9110, 14.2).
constexpr std::size_t most_ranges = 16;

/// False if it is no number of digits alone. A number that does not fit is the highest.
inline bool to_position(std::string_view text, std::uint64_t& position) {
  if (text.empty() || text.find_first_not_of("0123456789") != text.npos) return false;
  if (std::from_chars(text.data(), text.data() + text.size(), position).ec != std::errc()) {
    position = UINT64_MAX;
  }
  return true;
}

/// A field that is not valid, or in another unit, is as none (RFC 9110, 14.2).
inline Ranges parse_ranges(std::string_view field, std::uint64_t size) {
  const std::size_t equals = field.find('=');
  if (equals == field.npos || !same(trimmed(field.substr(0, equals)), "bytes")) return {};
  field.remove_prefix(equals + 1);
  Ranges ranges;
  std::uint64_t sum = 0;
  std::size_t count = 0;
  for (std::string_view each; next_element(field, each); ++count) {
    const std::size_t dash = each.find('-');
    if (dash == each.npos) return {};
    const bool has_first = dash > 0;
    const bool has_last = dash + 1 < each.size();
    std::uint64_t first = 0;
    std::uint64_t last = UINT64_MAX;
    if (has_first && !to_position(each.substr(0, dash), first)) return {};
    if (has_last && !to_position(each.substr(dash + 1), last)) return {};
    if (has_first ? last < first : !has_last) return {};
    if (!has_first) {  // so many at the end
      first = size - std::min(last, size);
      last = UINT64_MAX;
    }
    if (first >= size) continue;
    ranges.parts.push_back({first, std::min(last, size - 1) - first + 1});
    sum += ranges.parts.back().length;
  }
  if (count == 0 || count > most_ranges || (ranges.parts.size() > 1 && sum > size)) return {};
  ranges.kind = ranges.parts.empty() ? Ranges::Kind::unsatisfiable : Ranges::Kind::parts;
  return ranges;
}

}  // namespace http
