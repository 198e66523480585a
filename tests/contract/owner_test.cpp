// Whose a descriptor is: one handler's, and not closed under a request.
#include <sys/socket.h>

#include <array>
#include <functional>
#include <proa/accept_handler.hpp>
#include <proa/datagram_handler.hpp>
#include <proa/file.hpp>
#include <proa/file_handler.hpp>
#include <proa/file_requests.hpp>
#include <proa/stream_handler.hpp>
#include <string>

#include "raw.hpp"
#include "support/death.hpp"
#include "support/plain.hpp"
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

struct Stored : proa::FileHandler {
  using FileHandler::FileHandler;
};
struct Door : proa::AcceptHandler {
  using AcceptHandler::AcceptHandler;
  void on_accept(proa::Socket, const proa::Address&) override {}
};
struct Mail : proa::DatagramHandler {
  using DatagramHandler::DatagramHandler;
  void on_receive(proa::Buffer&, const proa::Address&, const proa::DatagramInfo&) override {}
};

std::array<int, 2> pair_of_sockets() {
  int both[2] = {-1, -1};
  (void)plain_pair(both);
  return {both[0], both[1]};
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

TEST_CASE("a descriptor of another proactor given to a handler", "[R6]") {
  const auto given = [](const std::function<proa::Handler*(proa::Proactor&, proa::Proactor&)>& to) {
    return message_of([&] {
      auto mine = make_proactor();
      auto other = make_proactor();
      to(*mine, *other);
      mine->poll();
    });
  };
  const auto socket_of = [](proa::Proactor& one) {
    std::error_code error;
    return proa::Socket::adopt(one, pair_of_sockets()[0], error);
  };
  const auto says = [](const std::string& message, const std::string& who) {
    contains(message, who + " 0x");
    contains(message, "given a descriptor of another proactor");
  };
  says(given([&](proa::Proactor& mine, proa::Proactor& other) {
         return new Silent(mine, socket_of(other));
       }),
       "StreamHandler");
  says(given([&](proa::Proactor& mine, proa::Proactor& other) {
         std::error_code error;
         return new Stored(mine,
                           proa::File::open(other, "/dev/null", proa::OpenFlags::read, 0, error));
       }),
       "FileHandler");
  says(given([&](proa::Proactor& mine, proa::Proactor& other) {
         auto* const door = new Door(mine);
         if (door->listen(socket_of(other))) return static_cast<Door*>(nullptr);
         return door;
       }),
       "AcceptHandler");
  says(given([&](proa::Proactor& mine, proa::Proactor& other) {
         std::error_code error;
         auto* const post = new Mail(mine);
         if (post->bind(proa::Socket::open(other, proa::Address::Family::ipv4,
                                           proa::Transport::datagram, error))) {
           return static_cast<Mail*>(nullptr);
         }
         return post;
       }),
       "DatagramHandler");
}

TEST_CASE("a socket is handed to the handler of another proactor by its number", "[R6]") {
  World world;
  const auto other = make_proactor();
  const std::array<int, 2> both = pair_of_sockets();
  const Raw far(both[1]);
  struct Reader : Silent {
    using Silent::Silent;
    void on_read(proa::Buffer& data) override { text += data.text(); }
    void on_closed() override { ended = true; }
    std::string text;
    bool ended = false;
  };
  std::error_code error;
  proa::Socket here = proa::Socket::adopt(*other, both[0], error);
  REQUIRE(!error);
  other->poll();
  Reader reader(*world, proa::Socket::adopt(*world, here.release().number, error));
  REQUIRE(!error);
  REQUIRE(::send(both[1], "news", 4, MSG_NOSIGNAL) == 4);
  world.run_until("it was read", [&] { return reader.text == "news"; });
  reader.close();
  world.run_until("it was closed", [&] { return reader.ended; });
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

TEST_CASE("a file closed while a request is pending on it", "[R6][file]") {
  Recording<proa::Sync> sync;
  const bool released = GENERATE(false, true);
  const std::string message = message_of([&] {
    auto proactor = make_proactor();
    std::error_code error;
    proa::File file = proa::File::open(*proactor, "/dev/null", proa::OpenFlags::write, 0, error);
    sync.request.prepare(file.descriptor());
    if (error || proactor->submit(sync.request)) return;
    released ? void(file.release()) : file.close();
  });
  contains(message, "closed while a request on the file is pending on it");
}

TEST_CASE("a file closed while a SendFile reads from it", "[R6][file]") {
  Recording<proa::SendFile> send;
  const std::string message = message_of([&] {
    auto proactor = make_proactor();
    std::error_code error;
    proa::File file =
        proa::File::open(*proactor, "/proc/self/exe", proa::OpenFlags::read, 0, error);
    if (error) return;
    proa::Socket to = proa::Socket::adopt(*proactor, pair_of_sockets()[0], error);
    send.request.prepare(to.descriptor(), file.descriptor(), 0, 1 << 30);
    if (error || proactor->submit(send.request)) return;
    file.close();
  });
  contains(message, "closed while a request on the file is pending on it");
}

TEST_CASE("a handler's descriptor closed under it names the handler", "[R6]") {
  const std::string message = message_of([] {
    auto proactor = make_proactor();
    const int number = pair_of_sockets()[0];
    std::error_code error;
    auto* reads = new Silent(*proactor, proa::Socket::borrow(*proactor, number, error));
    reads->start_reading();
    proactor->poll();
    proa::Socket::borrow(*proactor, number, error).close();
  });
  contains(message, "StreamHandler 0x");
  contains(message, "closed while Recv");
}

}  // namespace
