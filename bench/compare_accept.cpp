// compare accept: what a short connection costs a server.
#include "compare.hpp"
#include "connecting_load.hpp"
#include "paired_report.hpp"
#include "turn_options.hpp"

namespace bench {
namespace {

constexpr std::size_t kSize = 64;

constexpr char kHelp[] = R"(usage: compare accept [options] [NAME=COMMAND ...]

What a connection costs echo servers that is made, echoes 64 bytes once and is closed, as ratios to
the first one. In turns, as compare tcp does.
  -c, --connections LIST   comma-separated counts of connections at a time (100)
  -d, --duration SECONDS   per count and group, up to three times as long while uncertain (10)
      --slice-ms MS        length of a turn (20)
)";

}  // namespace

int compare_accept(int argc, char** argv, Report& report) {
  TurnOptions options = parse_turn_options(argc, argv, kHelp, {100});
  for (const std::size_t count : options.counts) {
    if (count > 4096) bad_usage("accept: more than 4096 connections at a time");
  }
  options.plan.processor = take_processors();
  int status = kFine;
  const auto groups = options.groups();
  expect_comparisons(groups.size() * options.counts.size(), options.plan);
  for (const auto& [backend, group] : groups) {
    for (const std::size_t count : options.counts) {
      PairedComparison comparison;
      comparison.what.group = "Short connections";
      comparison.what.name = comparison_name("accept", backend, std::to_string(count));
      comparison.what.title = "accept, echo once, close, " + std::to_string(count) + " at a time";
      if (!backend.empty()) comparison.what.title += ", " + backend;
      comparison.units.one = "connection";
      comparison.units.many = "connections";
      comparison.make_load = [connections = count] {
        return std::make_unique<ConnectingLoad>(connections, kSize);
      };
      status = worse(status, measure_and_report(group, options.plan, comparison, report));
    }
  }
  return status;
}

}  // namespace bench
