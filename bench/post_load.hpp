// What the programs of `compare post` do with a loop: other threads hand it work. A Loop has
// post(callable), for any thread; run(), until stop() is called in the loop.
#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "arguments.hpp"
#include "histogram.hpp"

namespace bench {

/// So many threads post as fast as they can.
template <class Loop>
void measure_throughput(Loop& loop, std::size_t threads, std::size_t posts) {
  const std::size_t each = posts / threads;
  std::size_t done = 0;
  std::atomic<bool> go{false};
  std::vector<std::thread> producers;
  for (std::size_t i = 0; i < threads; ++i) {
    producers.emplace_back([&] {
      while (!go) std::this_thread::yield();
      for (std::size_t n = 0; n < each; ++n) {
        loop.post([&] {
          if (++done == each * threads) loop.stop();
        });
      }
    });
  }
  const auto start = std::chrono::steady_clock::now();
  go = true;
  loop.run();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  for (auto& producer : producers) producer.join();
  std::printf("posts per second %.1f\n", static_cast<double>(each * threads) / seconds.count());
}

/// One thread posts now and then, to a loop that sleeps.
template <class Loop>
void measure_wake_up(Loop& loop, std::size_t posts) {
  using Clock = std::chrono::steady_clock;
  Histogram latencies;
  std::atomic<std::size_t> done{0};
  std::thread producer([&] {
    for (std::size_t n = 0; n < posts; ++n) {
      while (done != n) std::this_thread::sleep_for(std::chrono::microseconds(50));
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      const auto start = Clock::now();
      loop.post([&, start] {
        const std::chrono::nanoseconds took = Clock::now() - start;
        latencies.record(static_cast<std::uint64_t>(took.count()));
        if (++done == posts) loop.stop();
      });
    }
  });
  loop.run();
  producer.join();
  std::printf("wake-up p99 us %.3f\n", static_cast<double>(latencies.percentile(99)) / 1e3);
  std::printf("p50 us %.3f\n", static_cast<double>(latencies.percentile(50)) / 1e3);
}

/// The command line: -t THREADS -n POSTS, or -w -n POSTS for wake-ups; -V prints the version, and
/// -b NAME is for whoever made the loop. Returns the exit status.
template <class Loop>
int run_post_load(int argc, char** argv, const char* version, Loop& loop) {
  std::size_t threads = 1;
  std::size_t posts = 1000000;
  bool wakes = false;
  for (int option; (option = getopt(argc, argv, "t:n:wb:V")) != -1;) {
    if (option == 't') {
      threads = to_number("threads", optarg, 1, 1024);
    } else if (option == 'n') {
      posts = to_number("posts", optarg, 1, 1000000000);
    } else if (option == 'w') {
      wakes = true;
    } else if (option == 'V') {
      std::puts(version);
      return 0;
    } else if (option != 'b') {
      return 64;
    }
  }
  if (posts < threads) bad_usage("fewer posts than threads");
  if (wakes) {
    measure_wake_up(loop, posts);
  } else {
    measure_throughput(loop, threads, posts);
  }
  return 0;
}

}  // namespace bench
