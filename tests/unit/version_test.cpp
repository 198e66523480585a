// The version that programs see.
#include <proa/version.hpp>

#include "support/catch.hpp"

TEST_CASE("version: the library names the version it was built as") {
  CHECK(std::string(proa::version()) == PROA_VERSION);
}
