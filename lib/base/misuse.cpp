// Misuse ends the process in every build, because going on would corrupt memory. The hook lets a
// program write to its own log first. This code allocates nothing, because memory may be broken.
#include "base/misuse.hpp"

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <proa/misuse.hpp>

namespace proa {
inline namespace v0 {

namespace {
std::atomic<MisuseHook> installed{nullptr};
}

MisuseHook set_misuse_hook(MisuseHook hook) noexcept { return installed.exchange(hook); }

void report_misuse(const char* sentence) noexcept { misuse("%s", sentence); }

void misuse(const char* what, ...) noexcept {
  char message[512];
  va_list arguments;
  va_start(arguments, what);
  std::vsnprintf(message, sizeof message, what, arguments);
  va_end(arguments);
  if (const MisuseHook hook = installed.load()) {
    hook(message);
  } else {
    std::fprintf(stderr, "proa: %s\n", message);
  }
  std::abort();
}

}  // namespace v0
}  // namespace proa
