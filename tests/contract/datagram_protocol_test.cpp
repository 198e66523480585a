// A reliable protocol in a page, over a network that loses, doubles and reorders: what a user of
// datagrams and timers writes first.
#include <cstring>
#include <map>
#include <proa/datagram_handler.hpp>
#include <string>
#include <vector>

#include "support/datagram_proxy.hpp"
#include "support/patterns.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;
using proa::Address;

constexpr std::size_t piece = 1200;
using Number = std::uint32_t;

Number number_in(const proa::Buffer& data) {
  Number number = 0;
  std::memcpy(&number, data.data(), std::min(data.size(), sizeof number));
  return number;
}

// Puts the pieces in order, and acknowledges each that comes, also the second time.
struct Receiver : proa::DatagramHandler {
  using DatagramHandler::DatagramHandler;
  ~Receiver() override = default;
  void on_receive(proa::Buffer& data, const Address& from, const proa::DatagramInfo&) override {
    const Number number = number_in(data);
    send(proa::Bytes(data.data(), sizeof number), from);
    data.remove_prefix(sizeof number);
    if (number < next || early.count(number) > 0) {
      ++doubled;
      return;
    }
    out_of_order += number != next;
    early.emplace(number, std::move(data));  // the buffer itself waits
    for (auto first = early.begin(); first != early.end() && first->first == next; ++next) {
      if (difference == no_difference) {
        difference = first_difference(1, first->second.text(), bytes);
      }
      bytes += first->second.size();
      first = early.erase(first);
    }
  }
  std::map<Number, proa::Buffer> early;
  Number next = 0;
  std::size_t bytes = 0;
  std::size_t doubled = 0;
  std::size_t out_of_order = 0;
  std::size_t difference = no_difference;
};

// At most `window` pieces without an acknowledgement; each is sent again when that is late.
struct Sender : proa::DatagramHandler {
  Sender(proa::Proactor& in, std::size_t size, Number at_most)
      : DatagramHandler(in), left(size), window(at_most) {}
  ~Sender() override = default;
  void begin() {
    fill();
    tick();
  }
  bool done() const { return left == 0 && open_pieces.empty(); }

  void on_receive(proa::Buffer& data, const Address&, const proa::DatagramInfo&) override {
    open_pieces.erase(number_in(data));
    fill();
  }
  void late(proa::Timer&, const proa::Result& result) {
    if (result.error || closing()) return;
    const proa::TimePoint now = proactor().now();
    for (auto& [number, sent] : open_pieces) {
      if (now - sent < late_after) continue;
      sent = now;
      ++again;
      send_piece(number);
    }
    if (!done()) tick();
  }

  std::size_t again = 0;

 private:
  static constexpr proa::Duration late_after = 15ms;

  void tick() {
    refused = refused || proactor().submit(timer, proa::after(proactor().system().now(), 5ms));
  }
  void fill() {
    while (left > 0 && (open_pieces.empty() || next < open_pieces.begin()->first + window)) {
      left -= std::min(left, piece);
      open_pieces[next] = proactor().now();
      send_piece(next++);
    }
  }
  void send_piece(Number number) {
    proa::Buffer buffer = proactor().take_buffer();
    const std::size_t from = number * piece;
    buffer.append({reinterpret_cast<const char*>(&number), sizeof number});
    buffer.append(pattern(1, std::min(piece, total - from), from));
    send(std::move(buffer));
  }

  std::size_t left;
  const std::size_t total = left;
  const Number window;
  Number next = 0;
  std::map<Number, proa::TimePoint> open_pieces;
  proa::On<proa::Timer, &Sender::late> timer{*this};

 public:
  bool refused = false;
};

TEST_CASE("a small reliable protocol gets all across a network that loses, doubles and reorders",
          "[datagram][R7]") {
  struct Try {
    std::size_t size;
    Number window;
    DatagramProxy::Weather weather;
  };
  const Try chosen = GENERATE(Try{std::size_t{1} << 20, 32, {0.1, 0.1, 0.2}},
                              Try{std::size_t{1} << 20, 32, {0, 0, 0}},
                              Try{std::size_t{40} << 10, 1, {0.1, 0.2, 0.3}});  // stop and wait
  const bool bad = chosen.weather.lose > 0;
  proa::Options with = options();
  with.buffers = 256;  // those that wait for an earlier one are kept
  World world(with);
  {
    Receiver receiver(*world);
    Sender sender(*world, chosen.size, chosen.window);
    REQUIRE(!receiver.bind(Address::loopback(0)));
    DatagramProxy proxy(receiver.address(), chosen.weather, 7);
    REQUIRE(!sender.connect(proxy.address()));
    sender.begin();
    world.run_until(
        "all has arrived and is acknowledged",
        [&] {
          proxy.turn();
          return sender.done();
        },
        20s);
    CHECK(receiver.bytes == chosen.size);
    CHECK(receiver.difference == no_difference);
    CHECK(receiver.early.empty());
    CHECK(!sender.refused);
    if (bad) {
      CHECK(proxy.lost() > 0);
      CHECK(proxy.repeated() > 0);
      CHECK(proxy.delayed() > 0);
      CHECK(receiver.doubled > 0);
      CHECK(sender.again > 0);
    }
    if (bad && chosen.window > 1) CHECK(receiver.out_of_order > 0);
    sender.close();
    receiver.close();
    world.run_until("both are closed", [&] {
      proxy.turn();
      return !sender.is_open() && !receiver.is_open();
    });
    while (world->run() > 0) continue;  // the timer
  }
}

}  // namespace
