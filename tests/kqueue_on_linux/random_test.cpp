// Random events on many descriptors: nothing is lost. What kevent() says is compared with poll(): a
// descriptor that is ready must have been told since it became so.
#include <poll.h>

#include <memory>
#include <random>

#include "rig.hpp"

using namespace proa_test;

namespace {

constexpr std::size_t pair_count = 24;

struct Watched {
  int descriptor = -1;
  bool readable = false;  // told, and not found empty since
  bool writable = false;
};

class World {
 public:
  explicit World(unsigned seed) : random_(seed) {
    for (std::size_t i = 0; i < pair_count; ++i) open(i);
  }

  void step() {
    const std::size_t i = random_() % pair_count;
    Watched& end = ends_[i];
    const int peer = pairs_[i]->b;
    std::array<char, 5000> bytes{};
    switch (random_() % 8) {
      case 0:
      case 1:
        if (peer >= 0) static_cast<void>(::send(peer, bytes.data(), 1 + random_() % 4000, flags));
        break;
      case 2:  // as a user of edges does: reads once, and knows no more until it is empty
        if (::recv(end.descriptor, bytes.data(), 1 + random_() % 4000, flags) < 0) {
          if (errno == EAGAIN) end.readable = false;
        }
        break;
      case 3:
        while (::send(end.descriptor, bytes.data(), bytes.size(), flags) > 0) continue;
        if (errno == EAGAIN) end.writable = false;
        break;
      case 4:
        while (peer >= 0 && ::recv(peer, bytes.data(), bytes.size(), flags) > 0) continue;
        break;
      case 5:
        if (peer >= 0 && random_() % 8 == 0) ::shutdown(peer, SHUT_WR);
        break;
      case 6:
        if (random_() % 8 == 0) pairs_[i]->close_b();
        break;
      case 7:
        if (random_() % 8 == 0) open(i);
        break;
    }
    if (random_() % 4 == 0) take(1 + random_() % 8);
  }

  /// Takes all there is, and finds what was ready before that and was not told.
  void check() {
    std::array<pollfd, pair_count> before{};
    for (std::size_t i = 0; i < pair_count; ++i) {
      before[i] = {ends_[i].descriptor, POLLIN | POLLOUT | POLLRDHUP, 0};
    }
    ::poll(before.data(), before.size(), 0);
    while (take(64) > 0) continue;
    for (std::size_t i = 0; i < pair_count; ++i) {
      INFO("descriptor " << before[i].fd << ", poll said " << before[i].revents);
      if ((before[i].revents & (POLLIN | POLLRDHUP | POLLHUP)) != 0) CHECK(ends_[i].readable);
      if ((before[i].revents & (POLLOUT | POLLHUP)) != 0) CHECK(ends_[i].writable);
    }
  }

  std::size_t events() const { return events_; }

 private:
  static constexpr int flags = MSG_DONTWAIT | MSG_NOSIGNAL;

  void open(std::size_t i) {
    pairs_[i].reset();  // first: its number may be used again
    pairs_[i] = std::make_unique<Pair>(i % 2 == 0 ? make_local() : make_tcp());
    ends_[i] = {pairs_[i]->a, false, false};
    const std::uintptr_t generation = ++generations_;
    living_[i] = generation;
    REQUIRE(queue_.watch(pairs_[i]->a, EVFILT_READ, EV_ADD | EV_CLEAR, generation) == 0);
    REQUIRE(queue_.watch(pairs_[i]->a, EVFILT_WRITE, EV_ADD | EV_CLEAR, generation) == 0);
  }

  std::size_t take(std::size_t most) {
    const Events events = queue_.take(0, most);
    for (const auto& event : events) {
      std::size_t i = 0;
      while (i < pair_count && living_[i] != reinterpret_cast<std::uintptr_t>(event.udata)) ++i;
      REQUIRE(i < pair_count);  // an event of a descriptor that was closed
      REQUIRE(event.ident == static_cast<std::uintptr_t>(ends_[i].descriptor));
      (event.filter == EVFILT_READ ? ends_[i].readable : ends_[i].writable) = true;
    }
    events_ += events.size();
    return events.size();
  }

  Queue queue_;
  std::mt19937 random_;
  std::array<std::unique_ptr<Pair>, pair_count> pairs_;
  std::array<Watched, pair_count> ends_;
  std::array<std::uintptr_t, pair_count> living_{};
  std::uintptr_t generations_ = 0;
  std::size_t events_ = 0;
};

}  // namespace

TEST_CASE("ten thousand random events, and none is lost", "[kqueue]") {
  std::size_t events = 0;
  for (unsigned seed = 1; events < 10'000; ++seed) {
    INFO("seed " << seed);
    World world(seed);
    for (int i = 0; i < 2000; ++i) {
      world.step();
      if (i % 50 == 0) world.check();
    }
    world.check();
    events += world.events();
  }
}
