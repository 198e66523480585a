// compare connect: what a short connection costs the side that makes it.
#include <deque>

#include "arguments.hpp"
#include "compare.hpp"
#include "process.hpp"
#include "program_rounds.hpp"
#include "progress.hpp"

namespace bench {
namespace {

constexpr char kHelp[] = R"(usage: compare connect [options]

What it costs a client to connect, send 64 bytes, receive their echo and close, 20 connections at a
time, as ratios to bare calls: CPU time. Every program runs once in each round, the first one twice,
each with a server of its own (raw_epoll) on another processor.
  -r, --rounds N           (15)
)";

constexpr char kConnections[] = " -n 3000";

/// Puts the port of a server of its own into a client's command.
void give_port(Contender& client, std::deque<ServerProcess>& servers, int processor) {
  servers.emplace_back("raw_epoll", built("peers/raw_epoll") + " -p %p", Transport::tcp, processor);
  client.command += " -p " + std::to_string(servers.back().port());
}

}  // namespace

int compare_connect(int argc, char** argv, Report& report) {
  const std::size_t rounds = parse_rounds(argc, argv, kHelp, 15);
  const int processor = take_processors();
  Group group{floor("raw_connect", "epoll", kConnections)};
  const Group own = both_ours("connector", kConnections);
  group.insert(group.end(), own.begin(), own.end());
  add_peer(group, "Asio", "asio_connect", "epoll", kConnections);
  add_peer(group, "libuv", "libuv_connect", "epoll", kConnections);
  add_peer(group, "libevent", "libevent_connect", "epoll", kConnections);
  std::deque<ServerProcess> servers;
  for (Contender& client : group) give_port(client, servers, processor);
  Figure figure;
  figure.name = "CPU us per connection";
  figure.what.name = "connect";
  figure.what.group = "Short connections";
  figure.what.title = "connect, echo once, close, 20 at a time";
  figure.what.quantity = "CPU of the client per connection";
  figure.what.unit = "us";
  expect_work(1);
  return play_programs({figure}, group, rounds, report);
}

}  // namespace bench
