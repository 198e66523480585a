// A foreign loop of epoll_wait(2): what it registered, and what edges it has seen.
#include <sys/epoll.h>

#include <proa/server.hpp>
#include <proa/stream_handler.hpp>

#include "embedding_rig.hpp"
#include "fork_rig.hpp"

namespace {

using namespace proa_test;

struct Echo : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
  void on_closed() override { delete this; }
};

/// epoll_wait(2) on the descriptor alone until `holds`: registered once, and it knows no time. By
/// edges, because what the parent left readable would be found again and again.
bool loops_until(proa::Proactor& proactor, const std::function<bool()>& holds) {
  const int set = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event wanted{};
  wanted.events = EPOLLIN | EPOLLET;
  if (::epoll_ctl(set, EPOLL_CTL_ADD, proactor.native_handle(), &wanted) != 0) return false;
  const proa::TimePoint until = proa::after(proactor.system().now(), hang);
  bool held = holds();
  while (!held && proactor.system().now() < until) {
    epoll_event came{};
    if (::epoll_wait(set, &came, 1, 100) == 1) proactor.poll();
    held = holds();
  }
  ::close(set);
  return held;
}

TEST_CASE("R14: a foreign loop in a child hears what was begun before fork(2)",
          "[embedding][R13][R14]") {
  const bool parent_asked = GENERATE(false, true);
  auto proactor = make_proactor(embedded());
  proa::Server<Echo> server(*proactor, "127.0.0.1:0");
  const proa::Address where = server.addresses().at(0);
  if (parent_asked) (void)proactor->native_handle();
  Child child([&] {
    const Client client(where);
    if (!client.connected()) return 2;
    char said = 'a';
    client.say(said);
    const auto heard_twice = [&] {
      if (client.hear() != said) return false;
      if (said == 'b') return true;
      client.say(++said);  // the loop has to hear of this one
      return false;
    };
    return loops_until(*proactor, heard_twice) ? 0 : 3;
  });
  CHECK(good(child.wait()));
}

TEST_CASE("a poll() that stop() ends before its first round is due again", "[embedding][R13]") {
  World world(embedded());
  const Connection line = world.pair();
  auto* const echo = new Echo(*world, std::move(line.near));
  echo->start_reading();
  quieten(world);
  const int set = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event edge{};
  edge.events = EPOLLIN | EPOLLET;
  REQUIRE(::epoll_ctl(set, EPOLL_CTL_ADD, world->native_handle(), &edge) == 0);
  line.far.send("one");
  line.far.turn();
  world->stop();
  epoll_event came{};
  REQUIRE(::epoll_wait(set, &came, 1, 10'000) == 1);
  CHECK(world->poll() == 0);
  CHECK(world->next_deadline() <= world.system().now());
  world.run_until("the peer has its echo", [&] { return line.far.received() == "one"; });
  ::close(set);
  echo->close();
}

}  // namespace
