#include "paired_report.hpp"

#include <exception>
#include <system_error>

#include "progress.hpp"

namespace bench {
namespace {

/// Puts the contestants into the comparison.
void measure_all(std::vector<Contender> contenders, const Plan& plan, PairedComparison& comparison,
                 std::unique_ptr<Load> load) {
  contenders.push_back(contenders.front());
  Measurement measurement;
  std::vector<std::uint64_t> errors(contenders.size());  // of all attempts
  std::string disturbed;
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (attempt > 0) {
      load.reset();
      load = comparison.make_load();
    }
    measurement = measure(contenders, plan, comparison.units, *load);
    for (std::size_t i = 0; i < errors.size(); ++i) errors[i] += measurement.samples[i].errors;
    disturbed = complaint(measurement.samples, comparison.tolerance);
    if (disturbed.empty()) break;
  }
  for (std::size_t i = 0; i < errors.size(); ++i) measurement.samples[i].errors = errors[i];
  drop_second_instance(measurement.samples);
  comparison.what.contestants = stand(measurement.samples, disturbed);
  if (!measurement.not_counted.empty()) {
    comparison.what.note = "system calls were not counted: " + measurement.not_counted;
  }
}

}  // namespace

void expect_comparisons(std::size_t count, const Plan& plan) {
  const double seconds = static_cast<double>(count) * plan.seconds;
  expect_work(seconds, seconds);
}

int measure_and_report(std::vector<Contender> contenders, Plan plan, PairedComparison comparison,
                       Report& report) {
  plan.title = comparison.what.group + ": " + comparison.what.title;
  comparison.what.quantity = plan.throughput_counts ? comparison.units.many + " per second"
                                                    : "CPU per " + comparison.units.one;
  comparison.what.unit = plan.throughput_counts ? "1/s" : "us";
  comparison.what.lower_is_better = !plan.throughput_counts;
  std::unique_ptr<Load> load;
  try {
    load = comparison.make_load();
  } catch (const std::system_error& error) {
    report.skip(comparison.what, error.what());
    return kNoise;
  }
  try {
    measure_all(std::move(contenders), plan, comparison, std::move(load));
  } catch (const std::exception& error) {
    finish_work(plan.seconds);
    report.fail(comparison.what, error.what());
    return kFailed;
  }
  finish_work(plan.seconds);
  report.add(comparison.what);
  return judge(comparison.what);
}

}  // namespace bench
