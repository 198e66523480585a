// What one read brings.
#pragma once

namespace measure {

struct alignas(4096) Block {
  static constexpr unsigned size = 4096;

  char bytes[size];
};

}  // namespace measure
