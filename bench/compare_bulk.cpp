// compare bulk: messages of one MiB go to servers that answer each with one byte.
#include "arguments.hpp"
#include "compare.hpp"
#include "paired_load.hpp"
#include "paired_report.hpp"
#include "turn_options.hpp"

namespace bench {
namespace {

constexpr std::size_t kMessage = std::size_t{1} << 20;

constexpr char kHelp[] = R"(usage: compare bulk [options] [NAME=COMMAND ...]

What it costs servers to receive, per MiB: messages of 1 MiB come in, two of them on their way on
each connection, and a byte goes back for each. COMMAND must do that; the servers that were built
do with -s.
  -c, --connections LIST   comma-separated counts (1,10)
  -d, --duration SECONDS   per count and group, up to three times as long while uncertain (10)
      --slice-ms MS        length of a turn (20)
)";

}  // namespace

int compare_bulk(int argc, char** argv, Report& report) {
  TurnOptions options = parse_turn_options(argc, argv, kHelp, {1, 10});
  options.plan.processor = take_processors();
  int status = kFine;
  const auto groups = options.groups(" -s");
  expect_comparisons(groups.size() * options.counts.size(), options.plan);
  for (const auto& [backend, group] : groups) {
    for (const std::size_t count : options.counts) {
      PairedComparison comparison;
      comparison.what.group = "Bulk";
      comparison.what.name = comparison_name("bulk", backend, std::to_string(count));
      comparison.what.title = "messages of 1 MiB one way, " + connections_text(count);
      if (!backend.empty()) comparison.what.title += ", " + backend;
      comparison.units.one = "MiB";
      comparison.units.many = "MiB";
      comparison.make_load = [connections = count] {
        return std::make_unique<PairedLoad>(Traffic{connections, kMessage, 2, true});
      };
      status = worse(status, measure_and_report(group, options.plan, comparison, report));
    }
  }
  return status;
}

}  // namespace bench
