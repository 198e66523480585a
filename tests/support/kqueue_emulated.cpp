// The kqueue backend on Linux.
#include "backend/kqueue/kqueue.hpp"
#include "emulation.hpp"
#include "support/kqueue.hpp"

namespace proa_test {

void use_kqueue(proa::Options& options, bool macos) {
  emulate_macos(macos);
  options.extra_backends.push_back(proa::kqueue_backend());
}

}  // namespace proa_test
