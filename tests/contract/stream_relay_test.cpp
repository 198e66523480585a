// Streams that hold their input back because their own output is long must not wait for one
// another: clients of Server<>, alone and through chains of relays, with both directions full.
#include <proa/server.hpp>

#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::Buffer;
using proa::Bytes;
using proa::Proactor;
using proa::Server;
using proa::Socket;
using proa::StreamHandler;

constexpr std::size_t mib = std::size_t{1} << 20;

// The most that any stream of a test had queued.
struct Memory {
  std::size_t most = 0;
  void note(const StreamHandler& stream) { most = std::max(most, stream.queued()); }
};

class Echo : public StreamHandler {
 public:
  Echo(Proactor& proactor, Socket socket, Memory& memory)
      : StreamHandler(proactor, std::move(socket)), memory_(memory) {}

 private:
  void on_read(Buffer& data) override {
    write(std::move(data));
    memory_.note(*this);
  }
  void on_closed() override { delete this; }

  Memory& memory_;
};

// Both halves of a relay: the accepted stream and the one that goes on to the next hop.
class Half : public StreamHandler {
 public:
  Half(Proactor& proactor, Memory& memory) : StreamHandler(proactor), memory_(memory) {}
  Half(Proactor& proactor, Socket socket, Memory& memory)
      : StreamHandler(proactor, std::move(socket)), memory_(memory) {}
  Half* other = nullptr;
  std::size_t high = proa::Watermarks().high;

 private:
  void on_read(Buffer& data) override {
    if (!other) return;
    other->write(std::move(data));
    memory_.note(*other);
    if (other->queued() > high) stop_reading();
  }
  void on_drained() override {
    if (other) other->start_reading();
  }
  void on_end() override { other ? other->half_close() : finish(); }
  void on_closed() override {
    if (other) {
      other->other = nullptr;
      other->finish();
    }
    delete this;
  }

  Memory& memory_;
};

struct Chain {
  Chain(World& world, std::size_t relays) {
    add(world, [this](Proactor& proactor, Socket socket) -> StreamHandler* {
      return new Echo(proactor, std::move(socket), memory);
    });
    for (std::size_t i = 0; i < relays; ++i) {
      add(world, [this, next = front()](Proactor& proactor, Socket socket) -> StreamHandler* {
        auto* const near = new Half(proactor, std::move(socket), memory);
        near->other = new Half(proactor, memory);
        near->other->other = near;
        near->other->connect(next);
        return near;
      });
    }
  }
  Address front() const { return servers_.back().addresses().front(); }

  Memory memory;

 private:
  void add(World& world, const std::function<StreamHandler*(Proactor&, Socket)>& make) {
    servers_.emplace_back(*world, [&world, make](Socket socket, const Address&) {
      return make(*world, std::move(socket));
    });
    REQUIRE(!servers_.back().listen("127.0.0.1:0"));
  }

  std::list<Server<StreamHandler>> servers_;
};

TEST_CASE("what a client has written comes back, whatever stands between it and its server",
          "[R5][T33]") {
  Streams streams;
  World world;
  const std::size_t relays = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{3});
  Chain chain(world, relays);
  Stream& client = streams.add(*world);
  client.expect_pattern(1);
  SECTION("all of it written at once") {
    const std::string all = pattern(1, 12 * mib);
    client.connect(chain.front());
    for (std::size_t from = 0; from < all.size(); from += 9973) {
      client.write(Bytes(std::string_view(all).substr(from, 9973)));
    }
    client.half_close();
    wait_closed(world, client);
    CHECK(client.received_bytes == all.size());
  }
  SECTION("more each time that it is drained") {
    std::size_t written = 0;
    client.opened = client.drained = [&] {
      client.start_reading();
      while (written < 16 * mib && client.queued() <= proa::Watermarks().high) {
        client.write(Bytes(pattern(1, 70001, written)));
        written += 70001;
      }
      if (written >= 16 * mib) client.half_close();
    };
    client.connect(chain.front());
    wait_closed(world, client);
    CHECK(client.received_bytes == written);
    CHECK(client.most_queued <= proa::Watermarks().high + 5 * (std::size_t{16} << 10));
  }
  CHECK(client.difference == no_difference);
  CHECK(!client.error);
  // One pass of the kernel over what it had for a stream comes on top of the mark.
  CHECK(chain.memory.most <= proa::Watermarks().high + mib);
}

TEST_CASE("a peer that does not read cannot fill the memory of an echo", "[T33]") {
  Streams streams;
  World world;
  Chain chain(world, 0);
  Stream& client = streams.add(*world);
  client.opened = [] {};  // it does not read
  client.connect(chain.front());
  client.write(Bytes(pattern(1, 32 * mib)));
  client.expect_pattern(1);
  world.run_until("nothing moves any more", [&] {
    const std::size_t before = client.unsent();
    turns(world, 50);
    return client.unsent() == before;
  });
  CHECK(client.unsent() > 0);
  CHECK(chain.memory.most <= proa::Watermarks().high + mib);
  client.start_reading();
  world.run_until("all came back", [&] { return client.received_bytes == 32 * mib; });
  CHECK(client.difference == no_difference);
  client.close();
}

}  // namespace
