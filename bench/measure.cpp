// Why turns: two separate runs on a shared machine differ by 20 %, more than what is looked for.
// Here all servers are alive at once on one processor, and every round gives each of them a turn of
// a few milliseconds, so that whatever slows the machine hits all alike. The ratio is taken within
// a round; the median over the rounds shows 1 %.
#include "measure.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "system_calls.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Sample {
  Turn turn;
  double cpu_ns = 0;

  double cpu_per_request() const { return cpu_ns / static_cast<double>(turn.requests); }
  double qps() const { return static_cast<double>(turn.requests) / turn.seconds; }
};

/// Long enough for a server to finish what it does after its last answer, and to fall asleep.
void let_it_sleep() { std::this_thread::sleep_for(std::chrono::microseconds(300)); }

class Arena {
 public:
  Arena(const std::vector<Contender>& contenders, const Plan& plan, Load& load)
      : plan_(plan),
        load_(load),
        samples_(contenders.size()),
        errors_(contenders.size()),
        order_(contenders.size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    for (const auto& contender : contenders) {
      servers_.push_back(std::make_unique<ServerProcess>(contender.name, contender.command,
                                                         plan.transport, plan.processor));
      load_.add_server(contender.name, servers_.back()->port());
    }
  }

  void run() {
    for (int round = 0; round < plan_.warm_up; ++round) play_round();
    for (auto& samples : samples_) samples.clear();
    const auto start = Clock::now();
    for (;;) {
      play_round();
      const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
      if (seconds >= 3 * plan_.seconds) return;
      if (seconds >= plan_.seconds && certain()) return;
    }
  }

  Row row(std::size_t index) const {
    Row row;
    row.name = servers_[index]->name();
    double cpu_ns = 0;
    double seconds = 0;
    for (const Sample& sample : samples_[index]) {
      row.requests += sample.turn.requests;
      cpu_ns += sample.cpu_ns;
      seconds += sample.turn.seconds;
    }
    row.errors = errors_[index];
    row.lost = load_.lost(index);
    row.cpu_ns = cpu_ns / static_cast<double>(row.requests);
    row.qps = static_cast<double>(row.requests) / seconds;
    row.cpu_ratio = ratio(index, [](const Sample& sample) { return sample.cpu_per_request(); });
    row.throughput_ratio = ratio(index, [](const Sample& sample) { return sample.qps(); });
    return row;
  }

  double count_system_calls(std::size_t index) {
    const SystemCallCounter counter(servers_[index]->pid());
    std::uint64_t requests = 0;
    for (int turn = 0; turn < plan_.counted_turns; ++turn) requests += play_turn(index).requests;
    return static_cast<double>(counter.count()) / static_cast<double>(requests);
  }

 private:
  /// One turn for each, in a new order every time: what a turn leaves behind in the caches favours
  /// no one.
  void play_round() {
    std::shuffle(order_.begin(), order_.end(), random_);
    for (const std::size_t index : order_) samples_[index].push_back(sample(index));
  }

  Turn play_turn(std::size_t index) {
    const Turn turn = load_.turn(index, plan_.slice);
    errors_[index] += turn.errors;
    if (turn.requests == 0)
      throw std::runtime_error(servers_[index]->name() + ": no request was answered");
    let_it_sleep();
    return turn;
  }

  Sample sample(std::size_t index) {
    let_it_sleep();
    const auto before = servers_[index]->cpu_time();
    Sample sample;
    sample.turn = play_turn(index);
    sample.cpu_ns = static_cast<double>((servers_[index]->cpu_time() - before).count());
    return sample;
  }

  template <class Value>
  Quartiles ratio(std::size_t index, Value value) const {
    std::vector<double> ratios;
    for (std::size_t round = 0; round < samples_[index].size(); ++round) {
      ratios.push_back(value(samples_[index][round]) / value(samples_[0][round]));
    }
    return quartiles(std::move(ratios));
  }

  bool certain() const {
    for (std::size_t index = 1; index < servers_.size(); ++index) {
      const Row found = row(index);
      const Quartiles& ratio = plan_.throughput_counts ? found.throughput_ratio : found.cpu_ratio;
      if (ratio.error > plan_.certain) return false;
    }
    return true;
  }

  Plan plan_;
  Load& load_;
  std::vector<std::unique_ptr<ServerProcess>> servers_;
  std::vector<std::vector<Sample>> samples_;  // by server, by round
  std::vector<std::uint64_t> errors_;         // by server, in all turns, those of the warm-up too
  std::vector<std::size_t> order_;
  std::mt19937 random_{std::random_device{}()};
};

}  // namespace

Measurement measure(const std::vector<Contender>& contenders, const Plan& plan, Load& load) {
  Arena arena(contenders, plan, load);
  arena.run();
  Measurement result;
  std::vector<double> system_calls(contenders.size());
  try {
    for (std::size_t i = 0; i < contenders.size(); ++i)
      system_calls[i] = arena.count_system_calls(i);
  } catch (const std::system_error& error) {
    result.not_counted = error.what();
  }
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    result.rows.push_back(arena.row(i));
    result.rows.back().system_calls = system_calls[i];
  }
  return result;
}

}  // namespace bench
