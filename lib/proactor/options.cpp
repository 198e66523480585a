// What cannot be right about Options, in one sentence that names the value.
#include "proactor/options.hpp"

#include <fmt/format.h>

namespace proa {

namespace {

std::string outside(const char* name, std::size_t value, std::size_t least, std::size_t most) {
  if (value >= least && value <= most) return {};
  return fmt::format("Options::{} {} is not from {} to {}", name, value, least, most);
}

}  // namespace

std::string complaint(const Options& options) {
  constexpr std::size_t many = std::size_t{1} << 24;
  std::string text = outside("buffer_size", options.buffer_size, 1024, std::size_t{1} << 24);
  if (text.empty()) text = outside("buffers", options.buffers, 2, many);
  if (text.empty()) text = outside("round_budget", options.round_budget, 1, many);
  if (text.empty()) text = outside("uring_entries", options.uring_entries, 1, 32768);
  if (text.empty()) text = outside("workers", options.workers, 0, 1024);
  if (text.empty() && options.linger < Duration::zero()) {
    text = fmt::format("Options::linger {} ns is negative", options.linger.count());
  }
  return text;
}

}  // namespace proa
