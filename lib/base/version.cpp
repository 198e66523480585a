// The version of the library as it was built, as opposed to the headers a program was compiled
// with: a program that loads the shared library may meet a newer one.
#include <proa/version.hpp>
#include <string_view>

namespace proa {
inline namespace v0 {

#define PROA_TEXT_OF(number) #number
#define PROA_TEXT(number) PROA_TEXT_OF(number)
static_assert(std::string_view(PROA_TEXT(PROA_VERSION_MAJOR) "." PROA_TEXT(
                  PROA_VERSION_MINOR) "." PROA_TEXT(PROA_VERSION_PATCH)) == PROA_VERSION,
              "proa/version.hpp has the version of meson.build");

const char* version() noexcept { return PROA_VERSION; }

}  // namespace v0
}  // namespace proa
