// One port, several proactors, each on a thread of its own (SO_REUSEPORT, socket(7)).
#include <atomic>
#include <map>
#include <thread>

#include "contract/endpoint_rig.hpp"

namespace {

using namespace proa_test;
using proa::Address;

// Counts what comes, by source; its own proactor's thread only, but for the total.
struct Counting : proa::DatagramHandler {
  Counting(proa::Proactor& proactor, std::atomic<std::size_t>& in)
      : DatagramHandler(proactor), total(in) {}
  ~Counting() override = default;
  void on_receive(proa::Buffer& data, const Address& from, const proa::DatagramInfo&) override {
    std::size_t& next = sources[from.port()];
    in_order = in_order && data.text() == std::to_string(next);
    ++next;
    ++total;
    send(std::move(data), from);
  }
  std::atomic<std::size_t>& total;
  std::map<std::uint16_t, std::size_t> sources;
  bool in_order = true;
};

struct Worker {
  explicit Worker(std::atomic<std::size_t>& total)
      : proactor(make_proactor()), handler(*proactor, total) {}
  void start() {
    started = true;
    thread = std::thread([this] {
      proactor->run();
      proactor->shutdown(hang);
    });
  }
  void stop() {
    if (!thread.joinable()) return;
    proactor->stop();
    thread.join();
  }
  // Before it runs, everything belongs to this thread.
  ~Worker() {
    stop();
    if (started) return;
    proactor->shutdown(hang);
  }
  std::unique_ptr<proa::Proactor> proactor;
  Counting handler;
  std::thread thread;
  bool started = false;
};

TEST_CASE("several proactors share a port: each datagram comes to one of them, in order",
          "[datagram][R5][thread]") {
  std::atomic<std::size_t> total{0};
  Endpoints endpoints;
  World world;
  {
    std::list<Worker> workers;
    proa::DatagramOptions shared;
    shared.reuse_port = true;
    Address address = Address::loopback(0);
    for (int i = 0; i < 3; ++i) {
      Worker& worker = workers.emplace_back(total);
      REQUIRE(!worker.handler.bind(address, shared));
      address = worker.handler.address();
    }
    // Without the option it is taken.
    CHECK(endpoints.add(world).bind(address) == std::errc::address_in_use);
    for (Worker& worker : workers) worker.start();
    std::vector<Endpoint*> clients;
    for (int i = 0; i < 32; ++i) clients.push_back(&endpoints.connected(world, address));
    constexpr std::size_t each = 100;
    std::size_t sent = 0;
    // Never more on their way than the buffers of one socket hold.
    world.run_until("all have arrived", [&] {
      if (sent < each && total + 64 >= sent * clients.size()) {
        for (Endpoint* const client : clients) client->send(proa::Bytes(std::to_string(sent)));
        ++sent;
      }
      return total == each * clients.size();
    });
    for (Endpoint* const client : clients) wait_received(world, *client, each);
    for (Endpoint* const client : clients) CHECK(client->received == numbers(each));
    for (Worker& worker : workers) worker.stop();
    std::size_t sources = 0;
    std::size_t used = 0;
    for (Worker& worker : workers) {
      CHECK(worker.handler.in_order);
      for (const auto& [port, count] : worker.handler.sources) CHECK(count == each);
      sources += worker.handler.sources.size();
      used += !worker.handler.sources.empty();
    }
    CHECK(sources == clients.size());
    CHECK(used > 1);
  }
  CHECK(total == 3200);
}

}  // namespace
