// Which calls of macOS, and of other systems without aio(4) for us, have faults of their own.
#include "support/faults_state.hpp"

namespace proa_test::faults {

void wrap_own_calls(proa::sys::Table& wrapped) { wrapped.kevent = kevent; }

}  // namespace proa_test::faults
