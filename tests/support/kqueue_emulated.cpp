// The kqueue backend on Linux.
#include <utility>

#include "backend/kqueue/kqueue.hpp"
#include "emulation.hpp"
#include "support/kqueue.hpp"
#include "sys/sys.hpp"

namespace proa_test {

void use_kqueue(proa::Options& options, bool macos) {
  options.extra_backends.push_back(proa::kqueue_backend());
  emulate_macos(macos);
  // Once: a test may have put something else in their place by now.
  static bool substituted = false;
  if (std::exchange(substituted, true)) return;
#define PROA_TEST_SUBSTITUTE(name, parameters, arguments) \
  proa::sys::table.name = proa::sys::portable::name;
  PROA_SYS_SUBSTITUTED_CALLS(PROA_TEST_SUBSTITUTE)
  if (!macos) return;
  PROA_SYS_SOCKET_CALLS(PROA_TEST_SUBSTITUTE)
#undef PROA_TEST_SUBSTITUTE
}

}  // namespace proa_test
