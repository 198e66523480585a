// Which calls of FreeBSD have faults of their own.
#include "support/faults_state.hpp"

namespace proa_test::faults {

void wrap_own_calls(proa::sys::Table& wrapped) {
  wrapped.kevent = kevent;
  wrapped.aio_readv = aio_readv;
  wrapped.aio_writev = aio_writev;
  wrapped.aio_return = aio_return;
}

}  // namespace proa_test::faults
