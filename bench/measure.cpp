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

#include "progress.hpp"
#include "quartiles.hpp"
#include "system_calls.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Sample {
  Turn turn;
  double cpu_ns = 0;
};

/// Long enough for a server to finish what it does after its last answer, and to fall asleep.
void let_it_sleep() { std::this_thread::sleep_for(std::chrono::microseconds(300)); }

class Arena {
 public:
  Arena(const std::vector<Contender>& contenders, const Plan& plan, const Units& units, Load& load)
      : contenders_(contenders),
        plan_(plan),
        units_(units),
        load_(load),
        samples_(contenders.size()),
        errors_(contenders.size()),
        lost_before_(contenders.size()),
        order_(contenders.size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    for (const auto& contender : contenders) {
      servers_.push_back(std::make_unique<ServerProcess>(contender.name, contender.command,
                                                         plan.transport, plan.processor));
      load_.add_server(contender.name, servers_.back()->port());
    }
  }

  void run() {
    show_progress(plan_.title);
    for (int round = 0; round < plan_.warm_up; ++round) play_round();
    for (auto& samples : samples_) samples.clear();
    load_.forget_latencies();
    for (std::size_t index = 0; index < lost_before_.size(); ++index) {
      lost_before_[index] = load_.lost(index);
    }
    const auto start = Clock::now();
    for (;;) {
      play_round();
      const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
      show_progress(plan_.title, std::min(seconds, plan_.seconds));
      if (seconds >= 3 * plan_.seconds) return;
      if (seconds >= plan_.seconds && certain()) return;
    }
  }

  Samples samples(std::size_t index) const {
    double cpu_ns = 0;
    double seconds = 0;
    double done = 0;
    Samples result{contenders_[index], {}, errors_[index], {}};
    for (const Sample& sample : samples_[index]) {
      cpu_ns += sample.cpu_ns;
      seconds += sample.turn.seconds;
      done += static_cast<double>(sample.turn.requests);
      result.values.push_back(value_of(sample));
    }
    const double cpu_us = cpu_ns / done / 1e3;
    if (plan_.throughput_counts) {
      result.details.emplace_back("CPU us per " + units_.one, cpu_us);
    } else {
      result.details.emplace_back(units_.many + " per second", done / seconds);
    }
    if (units_.can_be_lost) {
      // One of the warm-up that was answered late is not lost any more.
      const std::uint64_t lost = std::max(load_.lost(index), lost_before_[index]);
      result.details.emplace_back("lost", static_cast<double>(lost - lost_before_[index]));
    }
    if (const Histogram* const latencies = load_.latencies(index)) {
      for (const auto& [name, percent] :
           {std::pair{"p50 us", 50.0}, {"p99 us", 99.0}, {"p99.9 us", 99.9}}) {
        result.details.emplace_back(name,
                                    static_cast<double>(latencies->percentile(percent)) / 1e3);
      }
    }
    return result;
  }

  std::uint64_t errors(std::size_t index) const { return errors_[index]; }

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

  double value_of(const Sample& sample) const {
    const auto units = static_cast<double>(sample.turn.requests);
    return plan_.throughput_counts ? units / sample.turn.seconds : sample.cpu_ns / units / 1e3;
  }

  bool certain() const {
    for (std::size_t index = 1; index < servers_.size(); ++index) {
      std::vector<double> ratios;
      for (std::size_t round = 0; round < samples_[index].size(); ++round) {
        ratios.push_back(value_of(samples_[index][round]) / value_of(samples_[0][round]));
      }
      if (quartiles(std::move(ratios)).error > plan_.certain) return false;
    }
    return true;
  }

  std::vector<Contender> contenders_;
  Plan plan_;
  Units units_;
  Load& load_;
  std::vector<std::unique_ptr<ServerProcess>> servers_;
  std::vector<std::vector<Sample>> samples_;  // by server, by round
  std::vector<std::uint64_t> errors_;         // by server, in all turns, those of the warm-up too
  std::vector<std::uint64_t> lost_before_;    // by server, in the warm-up
  std::vector<std::size_t> order_;
  std::mt19937 random_{std::random_device{}()};
};

}  // namespace

Measurement measure(const std::vector<Contender>& contenders, const Plan& plan, const Units& units,
                    Load& load) {
  Arena arena(contenders, plan, units, load);
  arena.run();
  Measurement result;
  for (std::size_t i = 0; i < contenders.size(); ++i) result.samples.push_back(arena.samples(i));
  try {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      result.samples[i].details.emplace_back("system calls per " + units.one,
                                             arena.count_system_calls(i));
    }
  } catch (const std::system_error& error) {
    result.not_counted = error.what();
  }
  for (std::size_t i = 0; i < contenders.size(); ++i) result.samples[i].errors = arena.errors(i);
  return result;
}

}  // namespace bench
