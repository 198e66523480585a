#pragma once

#include <proa/options.hpp>
#include <string>

namespace proa {
inline namespace v0 {

/// Why a proactor cannot be made with these, or nothing.
std::string complaint(const Options& options);

}  // namespace v0
}  // namespace proa
