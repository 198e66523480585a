// compare post: work that other threads hand to a loop.
#include "compare.hpp"
#include "process.hpp"
#include "program_rounds.hpp"
#include "progress.hpp"

namespace bench {
namespace {

constexpr char kHelp[] = R"(usage: compare post [options]

Posts per second from 1 and from 2 threads, to a loop on a thread of its own, as ratios to Asio; and
how long a loop that sleeps takes to begin what was posted, to an eventfd that a bare loop waits
for: the 99th percentile. Every program runs once in each round, the first one twice.
  -r, --rounds N           (5)
)";

Figure throughput(std::size_t threads) {
  Figure figure;
  figure.name = "posts per second";
  figure.what.name = "post-" + std::to_string(threads);
  figure.what.group = "Posts from other threads";
  figure.what.title =
      "from " + std::to_string(threads) + (threads == 1 ? " thread" : " threads at once");
  figure.what.quantity = "posts per second";
  figure.what.unit = "1/s";
  figure.what.lower_is_better = false;
  figure.tolerance = 0.1;
  return figure;
}

Figure wake_up() {
  Figure figure;
  figure.name = "wake-up p99 us";
  figure.what.name = "post-wake-up";
  figure.what.group = "Posts from other threads";
  figure.what.title = "to a loop that sleeps";
  figure.what.quantity = "p99 of the time to its beginning";
  figure.what.unit = "us";
  figure.tolerance = 0.2;  // one percent of the wake-ups decides
  return figure;
}

void append(Group& group, const Group& more) {
  group.insert(group.end(), more.begin(), more.end());
}

}  // namespace

int compare_post(int argc, char** argv, Report& report) {
  const std::size_t rounds = parse_rounds(argc, argv, kHelp, 5);
  pin_to(kAnyProcessor);
  expect_work(3);
  int status = kFine;
  for (const std::size_t threads : {std::size_t{1}, std::size_t{2}}) {
    const std::string options = " -t " + std::to_string(threads) + " -n 500000";
    Group group;
    add_peer(group, "Asio", "asio_post", "epoll", options);
    if (group.empty()) {
      report.skip(throughput(threads).what, "Asio is not installed");
      status = worse(status, kNoise);
      finish_work(1);
      continue;
    }
    append(group, both_ours("poster", options));
    status = worse(status, play_programs({throughput(threads)}, group, rounds, report));
  }
  const std::string options = " -w -n 2000";
  Group group{floor("raw_eventfd", "epoll", options)};
  append(group, both_ours("poster", options));
  add_peer(group, "Asio", "asio_post", "epoll", options);
  return worse(status, play_programs({wake_up()}, group, rounds, report));
}

}  // namespace bench
