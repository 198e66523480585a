#pragma once

namespace proa {

/// Called with one sentence that names the object and what was done to it. Must not return; if it
/// does, the process is aborted all the same.
using MisuseHook = void (*)(const char* message);

/// Replaces the hook that is called before the process is aborted because the library was misused:
/// used from a foreign thread, a busy operation submitted again, a live handler destroyed. nullptr
/// restores the built-in one, which writes the message to standard error. Returns the previous
/// hook. Any thread.
MisuseHook set_misuse_hook(MisuseHook hook) noexcept;

}  // namespace proa
