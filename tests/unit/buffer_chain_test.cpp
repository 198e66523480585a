// Buffers that wait for the handler, against a string that does the same.
#include <memory>
#include <proa/detail/buffer_chain.hpp>
#include <random>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/patterns.hpp"
#include "unit/pool_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::BufferChain;

std::string content(const BufferChain& chain) {
  std::string all;
  for (const auto* s = chain.first(); s; s = chain.after(s)) all.append(s->data, s->size);
  return all;
}

std::size_t buffers(const BufferChain& chain) {
  std::size_t count = 0;
  for (const auto* s = chain.first(); s; s = chain.after(s)) ++count;
  return count;
}

TEST_CASE("a buffer chain keeps bytes and their order") {
  PoolRig rig;
  BufferChain chain;
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
        chain.push(rig.buffer(bytes));
        expected += bytes;
        made += size;
        break;
      case 2: {  // of a buffer whose block has another part elsewhere
        Buffer buffer = rig.buffer(bytes);
        shared.push_back(buffer.share());
        if (shared.size() > 20) shared.erase(shared.begin());
        chain.push(std::move(buffer));
        expected += bytes;
        made += size;
        break;
      }
      case 3: {
        const Buffer first = chain.pop();
        REQUIRE(expected.substr(0, first.size()) == first.text());
        expected.erase(0, first.size());
        break;
      }
      default: {
        const std::size_t part = dice() % (expected.size() + 1);
        chain.consume(part);
        expected.erase(0, part);
        break;
      }
    }
    REQUIRE(content(chain) == expected);
  }
  chain.clear();
  CHECK(chain.empty());
  CHECK(chain.first() == nullptr);
  CHECK(chain.capacity() == 0);
  CHECK_FALSE(chain.pop());
}

TEST_CASE("a buffer chain copies few bytes into the last block, if that is nobody else's") {
  PoolRig rig;
  BufferChain chain;
  chain.push(rig.buffer("one"));
  for (int i = 0; i < 100; ++i) chain.push(rig.buffer("x"));
  CHECK(buffers(chain) == 1);
  CHECK(chain.capacity() == rig.block);
  CHECK(content(chain) == "one" + std::string(100, 'x'));

  SECTION("what is not small stays where it is") {
    chain.push(rig.buffer(std::string(rig.block / 4, 'y')));
    CHECK(buffers(chain) == 2);
    CHECK(chain.capacity() == 2 * rig.block);
  }
  SECTION("what has no room begins another one") {
    chain.push(rig.buffer(std::string(rig.block, 'y')));
    chain.push(rig.buffer("z"));
    CHECK(buffers(chain) == 3);
  }
  SECTION("a block that somebody shares is not written to") {
    Buffer whole = chain.pop();
    const Buffer part = whole.share();
    chain.push(std::move(whole));
    chain.push(rig.buffer("z"));
    CHECK(buffers(chain) == 2);
    CHECK(part.text() == "one" + std::string(100, 'x'));
  }
  SECTION("two parts of one block pin it once") {
    Buffer whole = chain.pop();
    Buffer part = whole.share();
    chain.push(std::move(whole));
    chain.push(std::move(part));
    CHECK(buffers(chain) == 2);
    CHECK(chain.capacity() == rig.block);
  }
}

TEST_CASE("a buffer chain takes a buffer in front of the others") {
  PoolRig rig;
  BufferChain chain;
  chain.push_front(rig.buffer("two"));
  chain.push(rig.buffer(" and three"));
  chain.push_front(rig.buffer("one, "));
  CHECK(content(chain) == "one, two and three");
  chain.push_front({});
  chain.push({});
  chain.consume(4);
  CHECK(content(chain) == " two and three");
  CHECK(chain.pop().text() == " ");
  chain.consume(13);
  CHECK(chain.empty());
}

}  // namespace
