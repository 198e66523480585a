#pragma once

#include <proa/detail/api.hpp>

namespace proa {
inline namespace v0 {

/// The library calls the hook with one sentence that names the object and the misuse. The hook must
/// not return; if it does, the library aborts the process all the same.
using MisuseHook = void (*)(const char* message);

/// Replaces the hook, which the library calls before it aborts the process because of misuse: use
/// from a foreign thread, a pending operation submitted again, a live handler destroyed. nullptr
/// restores the built-in hook, which writes the message to standard error. Returns the previous
/// hook. For any thread.
PROA_API MisuseHook set_misuse_hook(MisuseHook hook) noexcept;

/// Calls the hook and aborts the process, as the library does: for classes that are built on it.
/// `sentence` names the object and the misuse; it is cut after 511 bytes. For any thread.
[[noreturn]] PROA_API void report_misuse(const char* sentence) noexcept;

}  // namespace v0
}  // namespace proa
