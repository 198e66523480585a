#pragma once

#include <proa/detail/api.hpp>

// The version of these headers, for #if, and that of the linked library.

#define PROA_VERSION_MAJOR 0
#define PROA_VERSION_MINOR 1
#define PROA_VERSION_PATCH 0

namespace proa {
inline namespace v0 {

/// The version of the library that is linked, for example "0.1.0". The string is static. Any
/// thread.
PROA_API const char* version() noexcept;

}  // namespace v0
}  // namespace proa
