#pragma once

#include <string>
#include <system_error>

namespace proa {
inline namespace v0 {

/// For the functions that throw what others return: throws std::system_error. A library that was
/// built without exceptions reports the same text as misuse(), which ends the program.
[[noreturn]] void refuse(std::error_code error, const std::string& what);

}  // namespace v0
}  // namespace proa
