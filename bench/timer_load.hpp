// What the programs of `compare timers` do: arm very many timers in random order, with random
// delays, and cancel them in another random order. A Timers is made for a number of timers; it has
// arm(index, milliseconds), cancel(index), and settle(), which lets the loop do what is due.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <vector>

#include "arguments.hpp"

namespace bench {

template <class Work>
double nanoseconds_each(std::size_t count, Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  return took.count() / static_cast<double>(count);
}

/// `count` comes from -n. Always the same order, so that all do the same work.
template <class Timers>
void run_timer_load(Timers& timers, std::size_t count) {
  std::mt19937 random(1);
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), random);
  std::vector<std::uint32_t> delays(count);
  std::uniform_int_distribution<std::uint32_t> delay(600000, 3600000);  // nothing expires
  for (auto& milliseconds : delays) milliseconds = delay(random);
  timers.settle();
  const double arm = nanoseconds_each(count, [&] {
    for (const std::size_t index : order) timers.arm(index, delays[index]);
    timers.settle();
  });
  std::shuffle(order.begin(), order.end(), random);
  const double cancel = nanoseconds_each(count, [&] {
    for (const std::size_t index : order) timers.cancel(index);
    timers.settle();
  });
  std::printf("arm ns %.2f\ncancel ns %.2f\n", arm, cancel);
}

/// -n, 1000000 without it; -V prints the version and ends the program.
inline std::size_t timers_from_arguments(int argc, char** argv, const char* version) {
  std::size_t count = 1000000;
  for (int option; (option = getopt(argc, argv, "n:b:V")) != -1;) {
    if (option == 'n') {
      count = to_number("timers", optarg, 1, 1000000000);
    } else if (option == 'V') {
      std::puts(version);
      std::exit(0);
    } else if (option != 'b') {
      std::exit(64);
    }
  }
  return count;
}

}  // namespace bench
