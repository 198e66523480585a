// compare timers: what it costs to arm and to cancel one of very many timers.
#include "compare.hpp"
#include "process.hpp"
#include "program_rounds.hpp"
#include "progress.hpp"

namespace bench {
namespace {

constexpr char kHelp[] = R"(usage: compare timers [options]

1,000,000 timers are armed in random order, with delays from 10 minutes to an hour, and cancelled in
another random order: ns each, as ratios to libevent, or to the first that was built of libevent,
libuv and Asio. Every program runs once in each round, the first one twice.
  -r, --rounds N           (5)
)";

Figure figure(const std::string& verb) {
  Figure figure;
  figure.name = verb + " ns";
  figure.what.name = "timers-" + verb;
  figure.what.group = "Timers";
  figure.what.title = verb + " 1,000,000 timers in random order";
  figure.what.quantity = "time per timer";
  figure.what.unit = "ns";
  return figure;
}

}  // namespace

int compare_timers(int argc, char** argv, Report& report) {
  const std::size_t rounds = parse_rounds(argc, argv, kHelp, 5);
  pin_to(choose_processors().load);
  Group group;
  add_peer(group, "libevent", "libevent_timers", "epoll", "");
  add_peer(group, "libuv", "libuv_timers", "epoll", "");
  add_peer(group, "Asio", "asio_timers", "epoll", "");
  if (group.empty()) {
    report.skip(figure("arm").what, "none of libevent, libuv and Asio is installed");
    return kNoise;
  }
  const Group own = both_ours("timers", "");
  group.insert(group.end(), own.begin(), own.end());
  expect_work(1);
  return play_programs({figure("arm"), figure("cancel")}, group, rounds, report);
}

}  // namespace bench
