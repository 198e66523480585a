// What cannot be right about Options, in one sentence that names the value.
#include "proactor/options.hpp"

#include "base/release.hpp"

namespace proa {
inline namespace v0 {

namespace {

constexpr Duration longest_spin = std::chrono::seconds(1);

std::string outside(const char* name, std::size_t value, std::size_t least, std::size_t most) {
  if (value >= least && value <= most) return {};
  return std::string("Options::") + name + " " + std::to_string(value) + " is not from " +
         std::to_string(least) + " to " + std::to_string(most);
}

}  // namespace

std::string complaint(const Options& options) {
  constexpr std::size_t many = std::size_t{1} << 24;
  std::string text = outside("buffer_size", options.buffer_size, 1024, std::size_t{1} << 24);
  if (text.empty()) text = outside("buffers", options.buffers, 2, many);
  if (text.empty()) text = outside("round_budget", options.round_budget, 1, many);
  if (text.empty()) text = outside("uring_entries", options.uring_entries, 1, 32768);
  if (text.empty()) text = outside("workers", options.workers, 0, 1024);
  Release release = any_release;
  const bool understood = parse_release(options.uring_release, release);
  if (text.empty() && (!understood || release < lowest_uring_release)) {
    text = "Options::uring_release \"" + options.uring_release +
           "\" is not a kernel release from " + to_string(lowest_uring_release) + " on";
  }
  if (text.empty() && options.linger < Duration::zero()) {
    text = "Options::linger " + std::to_string(options.linger.count()) + " ns is negative";
  }
  if (text.empty() && (options.spin < Duration::zero() || options.spin > longest_spin)) {
    text = "Options::spin " + std::to_string(options.spin.count()) + " ns is not from 0 to 1 s";
  }
  return text;
}

}  // namespace v0
}  // namespace proa
