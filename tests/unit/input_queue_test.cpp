// Buffers that wait for the handler, against a string that does the same.
#include <memory>
#include <proa/detail/input_queue.hpp>
#include <random>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/patterns.hpp"
#include "unit/pool_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::InputQueue;

std::string content(const InputQueue& queue) {
  std::string all;
  for (const auto* s = queue.first(); s; s = queue.after(s)) all.append(s->data, s->size);
  return all;
}

std::size_t buffers(const InputQueue& queue) {
  std::size_t count = 0;
  for (const auto* s = queue.first(); s; s = queue.after(s)) ++count;
  return count;
}

TEST_CASE("a queue of input keeps bytes and their order") {
  PoolRig rig;
  InputQueue queue;
  std::string expected;
  std::minstd_rand dice(1);
  std::size_t made = 0;
  std::vector<Buffer> shared;
  for (int step = 0; step < 5000; ++step) {
    const std::size_t size = dice() % 3 == 0 ? dice() % (rig.block + 1) : dice() % 300;
    const std::string bytes = pattern(1, size, made);
    switch (dice() % 5) {
      case 0:
      case 1:
        queue.push(rig.buffer(bytes));
        expected += bytes;
        made += size;
        break;
      case 2: {  // of a buffer whose block has another part elsewhere
        Buffer buffer = rig.buffer(bytes);
        shared.push_back(buffer.share());
        if (shared.size() > 20) shared.erase(shared.begin());
        queue.push(std::move(buffer));
        expected += bytes;
        made += size;
        break;
      }
      case 3: {
        const Buffer first = queue.pop();
        REQUIRE(expected.substr(0, first.size()) == first.text());
        expected.erase(0, first.size());
        break;
      }
      default: {
        const std::size_t part = dice() % (expected.size() + 1);
        queue.consume(part);
        expected.erase(0, part);
        break;
      }
    }
    REQUIRE(content(queue) == expected);
  }
  queue.clear();
  CHECK(queue.empty());
  CHECK(queue.first() == nullptr);
  CHECK(queue.capacity() == 0);
  CHECK_FALSE(queue.pop());
}

TEST_CASE("a queue of input copies few bytes into the last block, if that is nobody else's") {
  PoolRig rig;
  InputQueue queue;
  queue.push(rig.buffer("one"));
  for (int i = 0; i < 100; ++i) queue.push(rig.buffer("x"));
  CHECK(buffers(queue) == 101);
  CHECK(queue.capacity() == rig.block);
  CHECK(content(queue) == "one" + std::string(100, 'x'));

  SECTION("what is not small stays where it is") {
    queue.push(rig.buffer(std::string(rig.block / 4, 'y')));
    CHECK(queue.capacity() == 2 * rig.block);
  }
  SECTION("what has no room begins another one") {
    queue.push(rig.buffer(std::string(rig.block, 'y')));
    queue.push(rig.buffer("z"));
    CHECK(queue.capacity() == 3 * rig.block);
  }
  SECTION("a block that somebody shares is not written to") {
    queue.clear();
    Buffer whole = rig.buffer("whole");
    const Buffer part = whole.share();
    queue.push(std::move(whole));
    queue.push(rig.buffer("z"));
    CHECK(queue.capacity() == 2 * rig.block);
    CHECK(part.text() == "whole");
  }
  SECTION("parts of one block pin it once, and until the last has gone") {
    queue.clear();
    Buffer whole = rig.buffer("whole");
    for (int i = 0; i < 10; ++i) queue.push(whole.share());
    queue.push_front(std::move(whole));
    CHECK(buffers(queue) == 11);
    CHECK(queue.capacity() == rig.block);
    for (int i = 0; i < 10; ++i) {
      CHECK(queue.capacity() == rig.block);
      CHECK(queue.pop().text() == "whole");
    }
    queue.consume(5);
    CHECK(queue.capacity() == 0);
  }
}

TEST_CASE("a queue of input takes a buffer in front of the others") {
  PoolRig rig;
  InputQueue queue;
  queue.push_front(rig.buffer("two"));
  queue.push(rig.buffer(" and three"));
  queue.push_front(rig.buffer("one, "));
  CHECK(content(queue) == "one, two and three");
  queue.push_front({});
  queue.push({});
  queue.consume(4);
  CHECK(content(queue) == " two and three");
  CHECK(queue.pop().text() == " ");
  queue.consume(13);
  CHECK(queue.empty());
}

}  // namespace
