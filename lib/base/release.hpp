#pragma once

#include <string>

namespace proa {
inline namespace v0 {

/// A kernel release as a number that can be compared: 5.19 is 5019.
using Release = unsigned;
constexpr Release release(unsigned major, unsigned minor) noexcept { return major * 1000 + minor; }
inline constexpr Release any_release = ~0u;
/// The uring backend needs IORING_FEAT_EXT_ARG.
inline constexpr Release lowest_uring_release = release(5, 11);

/// Reads "5.19", or "" as any release. Returns false if the text is neither.
bool parse_release(const std::string& text, Release& parsed);
std::string to_string(Release release);

}  // namespace v0
}  // namespace proa
