// Whose a descriptor is: one handler's, and not closed under a request.
#include <sys/socket.h>

#include <array>
#include <proa/stream_handler.hpp>

#include "raw.hpp"
#include "support/death.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

struct Silent : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void on_read(proa::Buffer&) override {}
};

bool contains(const std::string& text, const std::string& part) {
  INFO("it says: " << text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

std::array<int, 2> pair_of_sockets() {
  std::array<int, 2> both{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both.data()) != 0) both.fill(-1);
  return both;
}

TEST_CASE("two handlers on one descriptor", "[R6]") {
  const std::string message = message_of([] {
    auto proactor = make_proactor();
    const int number = pair_of_sockets()[0];
    std::error_code error;
    auto* first = new Silent(*proactor, proa::Socket::borrow(*proactor, number, error));
    auto* second = new Silent(*proactor, proa::Socket::borrow(*proactor, number, error));
    first->start_reading();
    second->write("x");
    proactor->poll();
  });
  contains(message, "StreamHandler 0x");
  contains(message, " and StreamHandler 0x");
  contains(message, "have the same descriptor");
}

TEST_CASE("one handler after the other on a descriptor", "[R6]") {
  const std::array<int, 2> both = pair_of_sockets();
  const Raw near(both[0]);
  const Raw far(both[1]);
  struct Closing : Silent {
    Closing(proa::Proactor& with, proa::Socket socket, int& count)
        : Silent(with, std::move(socket)), closed(count) {}
    void on_closed() override {
      ++closed;
      delete this;
    }
    int& closed;
  };
  int closed = 0;
  World world;
  for (int i = 1; i < 4; ++i) {
    std::error_code error;
    auto* handler = new Closing(*world, proa::Socket::borrow(*world, near.number, error), closed);
    handler->start_reading();
    world.turn();
    handler->close();
    world.run_until("it closed", [&] { return closed == i; });
  }
}

TEST_CASE("a descriptor closed while a request is pending on it", "[R6]") {
  Read read;
  const bool borrowed = GENERATE(false, true);
  const std::string message = message_of([&] {
    auto proactor = make_proactor();
    std::error_code error;
    proa::Socket socket = borrowed ? proa::Socket::borrow(*proactor, pair_of_sockets()[0], error)
                                   : proa::Socket::open(*proactor, proa::Address::Family::local,
                                                        proa::Transport::stream, error);
    if (proactor->submit(read.from(socket.descriptor()))) return;
    socket.close();
  });
  contains(message, "closed while Recv 0x");
  contains(message, "is pending on it");
}

}  // namespace
