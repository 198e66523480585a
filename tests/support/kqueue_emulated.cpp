// The kqueue backend on Linux.
#include "backend/kqueue/kqueue.hpp"
#include "emulation.hpp"
#include "support/kqueue.hpp"
#include "sys/sys.hpp"

namespace proa_test {

void use_kqueue(proa::Options& options, bool macos) {
  emulate_macos(macos);
#define PROA_TEST_SUBSTITUTE(name, parameters, arguments) \
  proa::sys::table.name = proa::sys::portable::name;
  PROA_SYS_SUBSTITUTED_CALLS(PROA_TEST_SUBSTITUTE)
#undef PROA_TEST_SUBSTITUTE
  options.extra_backends.push_back(proa::kqueue_backend());
}

}  // namespace proa_test
