#include "paired_report.hpp"

namespace bench {

int measure_and_report(std::vector<Contender> contenders, Plan plan, PairedComparison comparison,
                       Report& report) {
  plan.title = comparison.what.group + ": " + comparison.what.title;
  comparison.what.quantity = plan.throughput_counts ? comparison.units.many + " per second"
                                                    : "CPU per " + comparison.units.one;
  comparison.what.unit = plan.throughput_counts ? "1/s" : "us";
  comparison.what.lower_is_better = !plan.throughput_counts;
  contenders.push_back(contenders.front());
  Measurement measurement;
  std::string disturbed;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto load = comparison.make_load();
    measurement = measure(contenders, plan, comparison.units, *load);
    disturbed = complaint(measurement.samples, comparison.tolerance);
    if (disturbed.empty()) break;
  }
  measurement.samples.pop_back();
  comparison.what.contestants = stand(measurement.samples, disturbed);
  if (!measurement.not_counted.empty()) {
    comparison.what.note = "system calls were not counted: " + measurement.not_counted;
  }
  report.add(comparison.what);
  return judge(comparison.what);
}

}  // namespace bench
