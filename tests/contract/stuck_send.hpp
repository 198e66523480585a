#pragma once

#include <string>

#include "support/world.hpp"

namespace proa_test {

/// Begins a send on a new connection whose peer does not read: more than the way holds. The bytes
/// stay the caller's.
inline Connection send_until_stuck(World& world, Sending& send, const std::string& bytes) {
  Connection line = world.pair();
  line.far.read(false);
  world.submit(send.to(line.descriptor(), bytes));
  return line;
}

}  // namespace proa_test
