// A server drains while filters stand between its streams and their connections.
#include <cctype>
#include <proa/server.hpp>

#include "contract/filter_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;

// Makes one case of the letters that come in, and the other of those that go out.
class Cases : public proa::StreamFilter {
  template <int change(int)>
  static Buffer changed(Buffer data) {
    for (std::size_t i = 0; i < data.size(); ++i) {
      data.data()[i] = static_cast<char>(change(static_cast<unsigned char>(data.data()[i])));
    }
    return data;
  }
  void on_received(Buffer data) noexcept override { give(changed<std::toupper>(std::move(data))); }
  void on_written(Buffer data) noexcept override { send(changed<std::tolower>(std::move(data))); }
};

// A server of streams with a filter, and the peers of these.
template <class Filter>
struct Filtered {
  Filtered(World& world, std::size_t number)
      : server(*world, [this, &world](proa::Socket socket, const proa::Address&) {
          Stream& made = streams.add(*world, std::move(socket));
          made.set_filter(std::make_unique<Filter>());
          made.echoes = true;
          return &made;
        }) {
    REQUIRE(!server.listen("127.0.0.1:0"));
    for (std::size_t i = 0; i < number; ++i) {
      peers.push_back(&world.peer());
      peers.back()->connect(server.addresses().at(0));
    }
    world.run_until("all are open", [&] {
      std::size_t open = 0;
      for (const Stream& each : streams.all()) open += each.saw("open");
      return open == number;
    });
  }
  // The peers send while the loop of the server stands still.
  void send(std::string_view text) {
    for (Peer* const peer : peers) {
      peer->send(text);
      peer->turn();
    }
  }
  void drain(World& world, proa::Duration deadline) {
    server.drain(deadline, [this] { drained = true; });
    world.run_until("it has drained", [&] {
      for (Peer* const peer : peers) {
        if (peer->ended()) peer->half_close();  // a stream that finishes waits for that
      }
      return drained;
    });
  }
  Streams streams;
  std::vector<Peer*> peers;
  bool drained = false;
  proa::Server<Stream> server;
};

TEST_CASE("a drain hears what had come through a filter, and answers through it", "[filter][R7]") {
  proa::Options with = options();
  with.linger = hang;
  SECTION("with the usual budget and buffers") {}
  SECTION("with few buffers") { with.buffers = 2; }
  World world(with);
  Filtered<Cases> filtered(world, 20);
  filtered.send("Hello");
  const bool in_time = GENERATE(true, false);
  filtered.drain(world, in_time ? hang : proa::Duration(0));
  for (const Stream& each : filtered.streams.all()) {
    CHECK(each.received == "HELLO");
    CHECK(each.events == Events{"open", "read", "write", "closed"});
  }
  for (Peer* const peer : filtered.peers) {
    wait_ended(world, *peer);
    CHECK(peer->received() == "hello");
  }
}

TEST_CASE("behind the deadline of a drain nobody waits for the blocks that filters keep",
          "[filter][R7]") {
  proa::Options with = options();
  with.linger = hang;
  with.buffers = 2;
  World world(with);
  Filtered<Late> filtered(world, 5);
  filtered.send(pattern(1, 100000));
  const proa::TimePoint before = world.system().now();
  filtered.drain(world, proa::Duration(0));
  CHECK(world.system().now() - before < hang / 2);
}

}  // namespace
