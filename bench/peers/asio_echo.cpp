// An echo server as a user of Asio would write it: a session per connection that reads what there
// is, writes all of it, and reads again. The same source is built for the epoll reactor and for
// io_uring.
#include <array>
#include <asio.hpp>
#include <cstdio>
#include <memory>

#include "asio_version.hpp"
#include "floor.hpp"

using asio::ip::tcp;

namespace {

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, bool sink) : socket_(std::move(socket)), answer_(sink) {}

  void read() {
    socket_.async_read_some(
        asio::buffer(data_),
        [self = shared_from_this()](const asio::error_code& error, std::size_t length) {
          if (!error) self->write(length);
        });
  }

 private:
  void write(std::size_t received) {
    const std::size_t length = answer_.length(received);
    if (length == 0) return read();
    asio::async_write(socket_, asio::buffer(data_, length),
                      [self = shared_from_this()](const asio::error_code& error, std::size_t) {
                        if (!error) self->read();
                      });
  }

  tcp::socket socket_;
  floor_server::Answer answer_;
  std::array<char, 16384> data_;
};

void accept(tcp::acceptor& acceptor, bool sink) {
  acceptor.async_accept([&acceptor, sink](const asio::error_code& error, tcp::socket socket) {
    if (!error) {
      asio::error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      std::make_shared<Session>(std::move(socket), sink)->read();
    }
    accept(acceptor, sink);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = floor_server::to_arguments(argc, argv, asio_version().c_str());
  asio::io_context context(1);
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), arguments.port});
  acceptor.listen(4096);
  accept(acceptor, arguments.sink);
  context.run();
}
