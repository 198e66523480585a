// The arithmetic behind the benchmarks: percentiles, quartiles, payloads that differ.
#include <random>

#include "../../bench/histogram.hpp"
#include "../../bench/payload.hpp"
#include "../../bench/quartiles.hpp"
#include "support/catch.hpp"

TEST_CASE("histogram: small values are exact", "[bench]") {
  bench::Histogram histogram;
  for (std::uint64_t value = 1; value <= 200; ++value) histogram.record(value);
  CHECK(histogram.count() == 200);
  CHECK(histogram.percentile(0) == 1);
  CHECK(histogram.percentile(50) == 100);
  CHECK(histogram.percentile(99) == 198);
  CHECK(histogram.percentile(99.9) == 200);
  CHECK(histogram.percentile(100) == 200);
  CHECK(histogram.max() == 200);
}

TEST_CASE("histogram: two added are as one that recorded everything", "[bench]") {
  bench::Histogram low;
  bench::Histogram high;
  for (std::uint64_t value = 1; value <= 100; ++value) {
    low.record(value);
    high.record(100 + value);
  }
  low.add(high);
  CHECK(low.count() == 200);
  CHECK(low.percentile(50) == 100);
  CHECK(low.percentile(99) == 198);
  CHECK(low.max() == 200);
}

TEST_CASE("histogram: nothing recorded is 0", "[bench]") {
  const bench::Histogram histogram;
  CHECK(histogram.percentile(50) == 0);
  CHECK(histogram.max() == 0);
}

TEST_CASE("histogram: a percentile is at most 0.8 % above the truth, never below", "[bench]") {
  std::mt19937_64 random(7);
  for (unsigned bits = 1; bits <= 64; ++bits) {
    const std::uint64_t value = (random() >> (64 - bits)) | std::uint64_t{1} << (bits - 1);
    bench::Histogram histogram;
    histogram.record(value);
    histogram.record(~std::uint64_t{0});
    const std::uint64_t found = histogram.percentile(50);
    INFO("value " << value << " found " << found);
    CHECK(found >= value);
    CHECK(found - value <= value / 128);
    CHECK(histogram.percentile(100) == ~std::uint64_t{0});
  }
}

TEST_CASE("quartiles: of no, one and many values", "[bench]") {
  CHECK(bench::quartiles({}).median == 0);
  CHECK(bench::quartiles({3}).high == 3);
  const bench::Quartiles five = bench::quartiles({5, 1, 4, 2, 3});
  CHECK(five.low == 2);
  CHECK(five.median == 3);
  CHECK(five.high == 4);
  CHECK(five.error > 0);
  CHECK(bench::quartiles({1, 2}).median == 1.5);
}

TEST_CASE("payload: a request differs from the one before and from its neighbour's", "[bench]") {
  const bench::Payload payload(256);
  for (std::uint64_t sequence = 0; sequence < 1000; ++sequence) {
    const char* request = payload.request(3, sequence);
    REQUIRE(std::memcmp(request, payload.request(3, sequence + 1), payload.size()) != 0);
    REQUIRE(std::memcmp(request, payload.request(4, sequence), payload.size()) != 0);
  }
}
