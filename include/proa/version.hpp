#pragma once

// The version of the linked library.

namespace proa {

// The version of the library that is linked, for example "0.1.0". The string is static. Any thread.
const char* version() noexcept;

}  // namespace proa
