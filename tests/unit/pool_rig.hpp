#pragma once

#include <string_view>
#include <thread>

#include "buffer/pool.hpp"
#include "support/catch.hpp"

namespace proa_test {

// A pool of this thread, which lends small blocks.
struct PoolRig {
  PoolRig() { pool->bind(std::this_thread::get_id()); }
  ~PoolRig() { pool->orphan(); }
  proa::Counters counters;
  proa::Pool* pool = new proa::Pool(1024, 8, counters);
  std::size_t block = pool->block_capacity();

  proa::Buffer buffer(std::string_view bytes) {
    proa::Buffer made = pool->take_for_writing();
    REQUIRE(made.append(proa::Bytes(bytes)) == bytes.size());
    return made;
  }
};

}  // namespace proa_test
