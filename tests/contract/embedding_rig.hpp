#pragma once

// What tests of a foreign loop have in common.

#include <poll.h>

#include "support/world.hpp"

namespace proa_test {

inline proa::Options embedded() {
  proa::Options with = options();
  with.embedded = true;
  return with;
}

inline bool readable(int descriptor) {
  pollfd asked{descriptor, POLLIN, 0};
  return ::poll(&asked, 1, 0) == 1;
}

/// Goes on until a foreign loop would sleep: nothing is due, and the descriptor is not readable.
inline void quieten(World& world) {
  world.run_until("there is nothing to do", [&world] {
    const bool quiet = world->next_deadline() > world.system().now();
    return quiet && !readable(world->native_handle());
  });
}

}  // namespace proa_test
