// The client of `compare connect` as a user of Asio would write it.
#include <array>
#include <asio.hpp>
#include <deque>

#include "../connect_load.hpp"
#include "asio_version.hpp"

using asio::ip::tcp;

namespace {

class Client {
 public:
  Client(asio::io_context& context, bench::ConnectLoad& load) : load_(load), socket_(context) {}

  void connect() {
    if (!load_.next()) return;
    socket_.async_connect({asio::ip::address_v4::loopback(), load_.port()},
                          [this](const asio::error_code& error) {
                            if (!error) send();
                          });
  }

 private:
  void send() {
    socket_.set_option(tcp::no_delay(true));
    asio::async_write(socket_, asio::buffer(load_.message(), load_.kSize),
                      [this](const asio::error_code& error, std::size_t) {
                        if (!error) receive();
                      });
  }
  void receive() {
    asio::async_read(socket_, asio::buffer(answer_),
                     [this](const asio::error_code& error, std::size_t) {
                       if (error) return;
                       load_.compare(answer_.data(), answer_.size(), 0);
                       load_.done(socket_.native_handle());
                       socket_.close();
                       connect();
                     });
  }

  bench::ConnectLoad& load_;
  tcp::socket socket_;
  std::array<char, bench::ConnectLoad::kSize> answer_{};
};

}  // namespace

int main(int argc, char** argv) {
  bench::ConnectLoad load(argc, argv, asio_version().c_str());
  asio::io_context context(1);
  std::deque<Client> clients;
  for (std::size_t i = 0; i < load.kAtOnce; ++i) clients.emplace_back(context, load).connect();
  context.run();
  return load.report();
}
