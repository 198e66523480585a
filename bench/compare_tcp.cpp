// compare tcp: CPU time, throughput and system calls per request of echo servers.
#include <algorithm>
#include <cstdio>
#include <string>

#include "compare.hpp"
#include "paired_load.hpp"
#include "paired_report.hpp"

namespace bench {

int compare_tcp(const std::vector<std::vector<Contender>>& groups,
                const std::vector<std::size_t>& counts, std::size_t size, const Plan& plan) {
  const Units units{"conns", "req", "requests", false};
  int status = kFine;
  for (const auto& contenders : groups) {
    std::printf("\nservers: %zu, requests of %zu bytes, turns of %.0f ms\n", contenders.size(),
                size, static_cast<double>(plan.slice.count()) / 1e6);
    print_header(units);
    for (const std::size_t count : counts) {
      PairedComparison comparison;
      comparison.peers = count;
      comparison.what = std::to_string(count) + " connections";
      comparison.units = units;
      comparison.make_load = [&] { return std::make_unique<PairedLoad>(count, size); };
      status = std::max(status, measure_and_print(contenders, plan, comparison));
    }
  }
  return status;
}

}  // namespace bench
