// The queue of what is to be sent, against a string that does the same.
#include <cerrno>
#include <deque>
#include <memory>
#include <proa/detail/write_queue.hpp>
#include <random>
#include <string>

#include "support/catch.hpp"
#include "support/patterns.hpp"
#include "support/replaced.hpp"
#include "sys/sys.hpp"
#include "unit/pool_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::Bytes;
using proa::WriteQueue;

std::string content(const WriteQueue& queue) {
  std::string all;
  for (const auto* s = queue.first(); s; s = s->next) all.append(s->data, s->size);
  return all;
}

TEST_CASE("a write queue keeps bytes, their order and the ends of writes") {
  PoolRig rig;
  WriteQueue queue;
  std::string expected;          // what is queued
  std::deque<std::size_t> ends;  // what is left of each write
  std::minstd_rand dice(1);
  std::size_t made = 0;
  std::vector<Buffer> shared;
  for (int step = 0; step < 5000; ++step) {
    const std::size_t size = dice() % 4 == 0 ? dice() % (3 * rig.block) : dice() % 300;
    const std::string bytes = pattern(1, std::min(size, rig.block), made);
    switch (dice() % 5) {
      case 0: {
        queue.push(rig.buffer(bytes));
        expected += bytes;
        ends.push_back(bytes.size());
        made += bytes.size();
        break;
      }
      case 1: {
        Buffer first = rig.buffer(bytes);
        queue.push(first.share());
        shared.push_back(std::move(first));
        if (shared.size() > 5) shared.erase(shared.begin());
        expected += bytes;
        ends.push_back(bytes.size());
        made += bytes.size();
        break;
      }
      case 2: {
        const std::string all = pattern(1, size, made);
        const std::size_t cut = all.size() / 3;
        const Bytes pieces[] = {
            {all.data(), cut}, {all.data(), 0}, {all.data() + cut, all.size() - cut}};
        REQUIRE(queue.push(pieces, 3, *rig.pool));
        expected += all;
        ends.push_back(all.size());
        made += all.size();
        break;
      }
      default: {
        std::size_t taken = expected.empty() ? 0 : dice() % (expected.size() + 1);
        while (!queue.empty()) {
          bool ended = false;
          const std::size_t part = queue.consume(taken, ended);
          REQUIRE(part <= taken);
          REQUIRE(part <= ends.front());
          taken -= part;
          ends.front() -= part;
          expected.erase(0, part);
          if (!ended) break;
          REQUIRE(ends.front() == 0);
          ends.pop_front();
        }
        REQUIRE(taken == 0);
      }
    }
    REQUIRE(queue.size() == expected.size());
    REQUIRE(queue.empty() == ends.empty());
    REQUIRE(queue.capacity() >= queue.size());
    REQUIRE(queue.capacity() % rig.block == 0);
    if (queue.empty()) REQUIRE(queue.capacity() == 0);
    if (step % 50 == 0) REQUIRE(content(queue) == expected);
  }
  REQUIRE(made > 100000);
  queue.clear();
  CHECK(queue.capacity() == 0);
  CHECK(queue.size() == 0);
}

TEST_CASE("small writes share blocks, large ones are not copied") {
  PoolRig rig;
  WriteQueue queue;
  const Bytes byte("x");
  for (std::size_t i = 0; i < rig.block; ++i) REQUIRE(queue.push(&byte, 1, *rig.pool));
  CHECK(queue.capacity() == rig.block);
  REQUIRE(queue.push(&byte, 1, *rig.pool));
  CHECK(queue.capacity() == 2 * rig.block);
  Buffer large = rig.buffer(std::string(rig.block / 2, 'y'));
  const char* const where = large.data();
  queue.push(std::move(large));
  CHECK(queue.capacity() == 3 * rig.block);
  const auto* last = queue.first();
  while (last->next) last = last->next;
  CHECK(last->data == where);
  queue.push(rig.buffer("small"));  // behind it, in its block
  CHECK(queue.capacity() == 3 * rig.block);
}

TEST_CASE("a write that finds no memory leaves nothing behind") {
  PoolRig rig;
  WriteQueue queue;
  const Bytes first("first"), second("second");
  REQUIRE(queue.push(&first, 1, *rig.pool));
  const std::size_t capacity = queue.capacity();
  const std::string large(1000 * rig.block, 'x');
  const Bytes bytes(large);
  {
    const Replaced no_memory(
        proa::sys::table.map, +[](std::size_t, void**) noexcept -> long { return -ENOMEM; });
    REQUIRE(!queue.push(&bytes, 1, *rig.pool));
  }
  queue.drop_unfinished();
  CHECK(content(queue) == "first");
  CHECK(queue.capacity() == capacity);
  REQUIRE(queue.push(&second, 1, *rig.pool));
  CHECK(content(queue) == "firstsecond");
  bool ended = false;
  queue.consume(SIZE_MAX, ended);
  CHECK(ended);
  CHECK(content(queue) == "second");
  queue.consume(SIZE_MAX, ended);
  CHECK(queue.capacity() == 0);
}

TEST_CASE("nothing is written behind bytes that somebody else refers to") {
  PoolRig rig;
  WriteQueue queue;
  Buffer mine = rig.buffer("mine");
  queue.push(mine.share());
  queue.push(rig.buffer("more"));
  CHECK(queue.capacity() == 2 * rig.block);
  CHECK(content(queue) == "minemore");
  CHECK(mine.text() == "mine");
}

TEST_CASE("as a queue of received buffers, it gives them back in order") {
  PoolRig rig;
  WriteQueue queue;
  for (int i = 0; i < 20; ++i)
    queue.push(rig.buffer(pattern(2, 100, static_cast<std::size_t>(i) * 100)));
  CHECK(queue.capacity() < 20 * rig.block);
  std::string all;
  while (Buffer buffer = queue.pop()) {
    all += buffer.text();
    CHECK(queue.size() == 2000 - all.size());
  }
  CHECK(all.size() == 2000);
  CHECK(first_difference(2, all) == no_difference);
  CHECK(queue.capacity() == 0);
}

}  // namespace
