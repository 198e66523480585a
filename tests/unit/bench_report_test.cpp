// When `compare` says a ratio, when it refuses one, and the JSON that it writes.
#include <cmath>
#include <string>
#include <vector>

#include "../../bench/compare.hpp"
#include "../../bench/json_writer.hpp"
#include "../../bench/standing.hpp"
#include "support/catch.hpp"

namespace {

bench::Samples samples(const std::string& name, std::vector<double> values) {
  return {{name, "", "ours"}, std::move(values), 0, {}};
}

}  // namespace

TEST_CASE("standing: a ratio is taken turn by turn", "[bench]") {
  // Both became three times as slow in the second turn.
  const auto found = bench::stand({samples("floor", {1, 3, 1}), samples("ours", {2, 6, 2})});
  REQUIRE(found.size() == 2);
  CHECK_FALSE(found[0].ratio.has_value());
  CHECK(found[0].refused.empty());
  CHECK(found[0].max == 3);
  REQUIRE(found[1].ratio.has_value());
  CHECK(found[1].ratio->to == "floor");
  CHECK(found[1].ratio->median == 2);
  CHECK(found[1].ratio->max == 2);
  CHECK(found[1].runs == 3);
}

TEST_CASE("standing: turns that differ too much have no ratio", "[bench]") {
  const auto found = bench::stand({samples("floor", {1, 1, 1, 1}), samples("ours", {1, 2, 3, 4})});
  CHECK_FALSE(found[1].ratio.has_value());
  CHECK(found[1].refused == "two standard errors are 56 %");
  CHECK(found[1].median == 2.5);
}

TEST_CASE("standing: a single turn has no ratio", "[bench]") {
  const auto found = bench::stand({samples("floor", {1}), samples("ours", {2})});
  CHECK(found[0].refused.empty());
  CHECK_FALSE(found[1].ratio.has_value());
  CHECK_FALSE(found[1].refused.empty());
}

TEST_CASE("standing: where the machine was disturbed nobody has a ratio", "[bench]") {
  const auto found = bench::stand({samples("floor", {1, 1}), samples("ours", {1, 1})}, "disturbed");
  CHECK(found[0].refused.empty());
  CHECK_FALSE(found[1].ratio.has_value());
  CHECK(found[1].refused == "disturbed");
}

TEST_CASE("exit status: a failure outdoes noise, noise outdoes nothing", "[bench]") {
  CHECK(bench::worse(bench::kFine, bench::kNoise) == bench::kNoise);
  CHECK(bench::worse(bench::kNoise, bench::kFine) == bench::kNoise);
  CHECK(bench::worse(bench::kNoise, bench::kFailed) == bench::kFailed);
  CHECK(bench::worse(bench::kFailed, bench::kNoise) == bench::kFailed);
  bench::Comparison comparison;
  comparison.contestants = bench::stand({samples("floor", {1, 1}), samples("ours", {1, 1})});
  CHECK(bench::judge(comparison) == bench::kFine);
  comparison.contestants[1].refused = "noise";
  CHECK(bench::judge(comparison) == bench::kNoise);
  comparison.contestants[0].errors = 1;
  CHECK(bench::judge(comparison) == bench::kFailed);
}

TEST_CASE("json: commas, nesting and escapes", "[bench]") {
  bench::JsonWriter json;
  json.begin('{');
  json.member("text", "a \"b\" \\ \n");
  json.key("list");
  json.begin('[');
  json.value(1.5);
  json.value(std::uint64_t{2});
  json.value(std::nan(""));
  json.end();
  json.key("empty");
  json.begin('{');
  json.end();
  json.member("yes", true);
  json.end();
  CHECK(json.text() ==
        "{\n \"text\": \"a \\\"b\\\" \\\\ \\u000a\",\n \"list\": [\n  1.5,\n  2,\n  null\n ],\n"
        " \"empty\": {},\n \"yes\": true\n}");
}
