#pragma once

#include <proa/options.hpp>
#include <string>

namespace proa {

/// Why a proactor cannot be made with these, or nothing.
std::string complaint(const Options& options);

}  // namespace proa
