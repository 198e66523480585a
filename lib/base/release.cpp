// Reads the number of a kernel release, and writes it.
#include "base/release.hpp"

#include <charconv>
#include <system_error>

namespace proa {
inline namespace v0 {

bool parse_release(const std::string& text, Release& parsed) {
  parsed = any_release;
  if (text.empty()) return true;
  const char* const end = text.data() + text.size();
  unsigned major = 0;
  unsigned minor = 0;
  const auto first = std::from_chars(text.data(), end, major);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return false;
  const auto second = std::from_chars(first.ptr + 1, end, minor);
  if (second.ec != std::errc() || second.ptr != end || major > 1000 || minor > 999) return false;
  parsed = release(major, minor);
  return true;
}

std::string to_string(Release release) {
  return std::to_string(release / 1000) + "." + std::to_string(release % 1000);
}

}  // namespace v0
}  // namespace proa
