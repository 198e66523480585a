// The pool behind Buffer: what it lends, how much, and who may give back.
#include "buffer/pool.hpp"

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::Bytes;
using proa::Pool;

struct Rig {
  explicit Rig(std::size_t maximum, bool bound = true) : pool(new Pool(1024, maximum, counters)) {
    if (bound) pool->bind(std::this_thread::get_id());
  }
  ~Rig() { pool->orphan(); }
  proa::Counters counters;
  Pool* pool;
};

TEST_CASE("a pool finds the block of an address") {
  proa::Counters counters;
  struct Orphan {
    Pool* pool;
    ~Orphan() { pool->orphan(); }
  } const rig{new Pool(Pool::Paged(), 8192, 200, counters)};
  Pool& pool = *rig.pool;
  pool.bind(std::this_thread::get_id());
  char elsewhere = 0;
  CHECK(pool.find(&elsewhere).size == 0);
  std::vector<Buffer> blocks;
  for (int i = 0; i < 150; ++i) blocks.push_back(pool.take());  // of three slabs
  for (const Buffer& block : blocks) {
    const char* const first = block.data();
    const char* const last = first + block.capacity() - 1;
    for (const char* const byte : {first, first + 1, last}) {
      CHECK(pool.find(byte).memory == first);
      CHECK(pool.find(byte).size == block.capacity());
    }
    CHECK(pool.find(first - 1).size == 0);  // the block's header
    CHECK(pool.find(last + 1).size == 0);   // the page before the next block
  }
  CHECK(pool.find(&elsewhere).size == 0);
}

TEST_CASE("a buffer is moved, cut and filled") {
  Rig rig(4);
  Buffer buffer = rig.pool->take();
  REQUIRE(buffer);
  CHECK(buffer.empty());
  CHECK(buffer.capacity() == rig.pool->block_capacity());
  CHECK(buffer.append("hello world") == 11);
  buffer.remove_prefix(6);
  CHECK(buffer.text() == "world");
  buffer.truncate(100);
  buffer.truncate(4);
  CHECK(buffer.text() == "worl");
  CHECK(buffer.append(Bytes(std::string(5000, 'x'))) == buffer.capacity() - 10);
  buffer.remove_prefix(100000);
  CHECK(buffer.empty());
  Buffer other = std::move(buffer);
  CHECK(!buffer);  // NOLINT: what a moved-from one says
  CHECK(buffer.size() == 0);
  CHECK(buffer.capacity() == 0);
  CHECK(buffer.append("x") == 0);
  CHECK(!buffer.share());
  CHECK(other);
}

TEST_CASE("the maximum holds back receiving, not writing") {
  Rig rig(3);
  std::vector<Buffer> lent;
  for (int i = 0; i < 3; ++i) {
    CHECK(rig.pool->available());
    lent.push_back(rig.pool->take());
    CHECK(lent.back());
  }
  CHECK(!rig.pool->available());
  CHECK(!rig.pool->take());
  CHECK(rig.counters.buffers_missed == 1);
  std::vector<Buffer> writing;
  for (int i = 0; i < 200; ++i) {
    writing.push_back(rig.pool->take_for_writing());
    CHECK(writing.back());
  }
  CHECK(!rig.pool->available());
  SECTION("one comes back") { lent.pop_back(); }
  SECTION("one is queued for writing") { rig.pool->turn_to_writing(lent.back()); }
  CHECK(rig.pool->available());
  CHECK(rig.pool->take());
}

TEST_CASE("a block that was used last is used next") {
  Rig rig(100);
  Buffer warm = rig.pool->take();
  const char* const where = warm.data();
  warm.reset();
  warm = rig.pool->take();
  CHECK(warm.data() == where);
}

TEST_CASE("blocks do not overlap, whatever their number") {
  Rig rig(1000);
  std::vector<Buffer> all;
  for (std::uint32_t i = 0; i < 200; ++i) {
    all.push_back(rig.pool->take());
    REQUIRE(all.back().append(Bytes(pattern(i, all.back().capacity()))) == all.back().capacity());
  }
  for (std::uint32_t i = 0; i < 200; ++i) {
    CHECK(first_difference(i, all[i].text()) == no_difference);
  }
}

TEST_CASE("a shared block comes home with its last reference") {
  Rig rig(1);
  Buffer first = rig.pool->take();
  CHECK(first.append("news") == 4);
  std::vector<Buffer> copies;
  for (int i = 0; i < 200; ++i) {
    copies.push_back(first.share());
    CHECK(copies.back().data() == first.data());
    CHECK(copies.back().text() == "news");
    CHECK(copies.back().append("x") == 0);
  }
  CHECK(first.append("x") == 0);
  copies[7].remove_prefix(2);
  CHECK(copies[7].text() == "ws");
  CHECK(copies[8].text() == "news");
  first.reset();
  copies.resize(1);
  CHECK(!rig.pool->available());
  CHECK(copies[0].append("!") == 1);  // alone now
  copies.clear();
  CHECK(rig.pool->available());
}

TEST_CASE("buffers end on any thread, bound or not", "[thread]") {
  const bool bound = GENERATE(true, false);
  Rig rig(8, bound);
  for (int round = 0; round < 200; ++round) {
    std::vector<Buffer> lent;
    for (int i = 0; i < 8; ++i) lent.push_back(rig.pool->take());
    std::vector<Buffer> shared;
    for (const Buffer& buffer : lent) shared.push_back(buffer.share());
    CHECK(!rig.pool->available());
    std::thread one([&] { lent.clear(); });
    std::thread two([&] { shared.clear(); });
    one.join();
    two.join();
    CHECK(rig.pool->available());
  }
}

}  // namespace
