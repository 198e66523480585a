// The version that programs see.
#include <proa/version.hpp>

#include "support/catch.hpp"

TEST_CASE("version: the library names the version it was built as") {
  CHECK(std::string(proa::version()) == PROA_VERSION);
  CHECK(std::string(proa::version()) == std::to_string(PROA_VERSION_MAJOR) + "." +
                                            std::to_string(PROA_VERSION_MINOR) + "." +
                                            std::to_string(PROA_VERSION_PATCH));
}
