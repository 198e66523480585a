// Making a proactor while memory or the system fails: an error each time, nothing leaked, and
// success once all is well.
#include <cerrno>
#include <new>

#include "support/allocations.hpp"
#include "support/faults.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

TEST_CASE("C08: each allocation of the construction fails in turn", "[R2][C08]") {
  const bool persistent = GENERATE(false, true);
  const proa::Options with = options();
  { const World warm_up; }
  const std::size_t descriptors = open_descriptors();
  std::uint64_t failures = 0;
  for (std::uint64_t nth = 1;; ++nth) {
    REQUIRE(nth < 10000);
    std::error_code error;
    std::unique_ptr<proa::Proactor> made;
    bool threw = false;
    FailingAllocation failing(nth, persistent);
    try {
      made = proa::Proactor::create(with, error);
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    const bool failed = failing.stop();
    INFO("allocation " << nth);
    REQUIRE(!threw);
    if (made) {
      REQUIRE(!error);
      REQUIRE(made->run() == 0);
    } else {
      REQUIRE(failed);
      REQUIRE(error);
      ++failures;
    }
    made.reset();
    REQUIRE(open_descriptors() == descriptors);
    if (!failed) break;
  }
  CHECK(failures > 3);
}

TEST_CASE("C08: the constructor throws what create() returns", "[R2][C08]") {
  const proa::Options with = options();
  FailingAllocation failing(1);
  bool threw = false;
  try {
    const proa::Proactor proactor(with);
  } catch (const std::exception&) {
    threw = true;
  }
  CHECK((threw || !failing.stop()));
}

TEST_CASE("each system call of the construction fails in turn", "[R2][C08]") {
  const proa::Options with = options();
  const std::size_t descriptors = open_descriptors();
  std::uint64_t refused = 0;
  for (unsigned call = 0; call < static_cast<unsigned>(Call::number); ++call) {
    // What gives back leaks if it does nothing.
    if (call == static_cast<unsigned>(Call::close) || call == static_cast<unsigned>(Call::unmap) ||
        call == static_cast<unsigned>(Call::uring_exit)) {
      continue;
    }
    for (std::uint64_t nth = 1; nth < 100; ++nth) {
      Faults faults;
      faults.fail(static_cast<Call>(call), -ENOMEM, nth);
      std::error_code error;
      std::string detail;
      auto made = proa::Proactor::create(with, error, &detail);
      INFO("system call " << call << ", the " << nth << "th: " << detail);
      if (!made) {
        ++refused;
        REQUIRE(error == proa::Error::backend_refused);
        REQUIRE(!detail.empty());
      }
      faults.clear();
      made.reset();
      REQUIRE(open_descriptors() == descriptors);
      if (faults.injected() == 0) break;
    }
  }
  CHECK(refused > 1);
}

}  // namespace
