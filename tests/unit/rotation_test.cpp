// The rotation of sources: who has cost much waits, but not for ever.
#include "base/rotation.hpp"

#include <proa/backend_side.hpp>
#include <proa/file_requests.hpp>

#include "support/catch.hpp"

namespace {

using proa::BackendSide;
using proa::Step;

TEST_CASE("rotation: a result of many bytes holds its source up for a bounded number of others") {
  proa::ReadAt large, small;
  BackendSide::finish(large, long{1} << 40);
  BackendSide::finish(small, 1);
  proa::Rotation<2> rotation;
  bool first = true;
  std::size_t asked = 0;
  const auto ask = [&](std::size_t source) noexcept -> Step {
    if (source == 1) return {&small};
    ++asked;
    return {std::exchange(first, false) ? &large : &small};
  };
  for (int i = 0; i < 200; ++i) CHECK(rotation.next(ask) != nullptr);
  CHECK(asked > 1);
  CHECK(asked < 100);  // it has paid for the large one
}

}  // namespace
