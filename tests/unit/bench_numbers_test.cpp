// The arithmetic behind the benchmarks: percentiles, quartiles, payloads that differ, windows.
#include <algorithm>
#include <random>
#include <vector>

#include "../../bench/datagram_window.hpp"
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

namespace {
using bench::DatagramWindow;
using std::chrono::milliseconds;

/// What overdue() wants to be sent again.
std::vector<std::uint64_t> overdue(DatagramWindow& window, DatagramWindow::Time now) {
  std::vector<std::uint64_t> numbers;
  window.overdue(now, milliseconds(50), [&](std::uint64_t number) { numbers.push_back(number); });
  return numbers;
}
}  // namespace

TEST_CASE("window: every number is sent once, and no more than the depth at a time", "[bench]") {
  DatagramWindow window(4, 10);
  std::vector<std::uint64_t> sent;
  std::vector<std::uint64_t> waiting;
  std::mt19937_64 random(7);
  DatagramWindow::Time since;
  while (window.free() > 0 || !waiting.empty()) {
    while (window.free() > 0) {
      sent.push_back(window.send({}));
      waiting.push_back(sent.back());
    }
    REQUIRE(waiting.size() <= 4);
    REQUIRE(window.in_flight() == waiting.size());
    const std::size_t any = random() % waiting.size();  // answers in any order
    REQUIRE(window.answered(waiting[any], &since) == DatagramWindow::Answer::expected);
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(any));
  }
  std::sort(sent.begin(), sent.end());
  CHECK(sent == std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("window: fewer messages than places", "[bench]") {
  DatagramWindow window(10, 2);
  CHECK(window.free() == 2);
  CHECK(window.send({}) == 0);
  CHECK(window.send({}) == 1);
  CHECK(window.free() == 0);
}

TEST_CASE("window: an answer to what was not sent, or a second one, is no answer", "[bench]") {
  DatagramWindow window(4);
  DatagramWindow::Time since;
  CHECK(window.answered(0, &since) == DatagramWindow::Answer::unknown);
  CHECK(window.send({}) == 0);
  CHECK(window.answered(4, &since) == DatagramWindow::Answer::unknown);
  CHECK(window.answered(0, &since) == DatagramWindow::Answer::expected);
  CHECK(window.answered(0, &since) == DatagramWindow::Answer::unknown);
}

TEST_CASE("window: what has no answer is sent again, ever more rarely", "[bench]") {
  DatagramWindow window(2);
  const DatagramWindow::Time start{};
  window.send(start);
  window.send(start + milliseconds(30));
  CHECK(overdue(window, start + milliseconds(49)).empty());
  CHECK(overdue(window, start + milliseconds(50)) == std::vector<std::uint64_t>{0});
  CHECK(overdue(window, start + milliseconds(90)) == std::vector<std::uint64_t>{1});
  CHECK(overdue(window, start + milliseconds(149)).empty());
  CHECK(overdue(window, start + milliseconds(150)) == std::vector<std::uint64_t>{0});
  CHECK(window.in_flight() == 2);
  CHECK(window.lost() == 3);

  DatagramWindow::Time since;
  CHECK(window.answered(1, &since) == DatagramWindow::Answer::expected);
  CHECK(since == start + milliseconds(30));  // of the first time
  CHECK(window.answered(1, &since) == DatagramWindow::Answer::late);
  CHECK(window.lost() == 2);
}
