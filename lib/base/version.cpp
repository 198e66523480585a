// The version of the library as it was built, as opposed to the headers a program was compiled
// with: a program that loads the shared library may meet a newer one.
#include <proa/version.hpp>

namespace proa {

const char* version() noexcept { return PROA_VERSION; }

}  // namespace proa
