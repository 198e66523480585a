#pragma once

// A bad network between a client and a server on loopback: it loses, doubles and delays datagrams,
// the same ones for the same seed. The test turns it by hand.

#include <cstdint>
#include <proa/address.hpp>
#include <random>
#include <string>
#include <vector>

namespace proa_test {

class DatagramProxy {
 public:
  // Probabilities, per datagram, for both directions.
  struct Weather {
    double lose = 0;
    double repeat = 0;
    double delay = 0;  // by up to 8 turns, so that others overtake it
  };

  DatagramProxy(const proa::Address& server, const Weather& weather, std::uint32_t seed = 1);
  ~DatagramProxy();
  DatagramProxy(const DatagramProxy&) = delete;
  DatagramProxy& operator=(const DatagramProxy&) = delete;

  // In place of the server's. Whoever sent here last gets what the server sends.
  proa::Address address() const { return address_; }
  // Moves what is there and what is due; never waits.
  void turn();

  std::size_t forwarded() const { return forwarded_; }
  std::size_t lost() const { return lost_; }
  std::size_t repeated() const { return repeated_; }
  std::size_t delayed() const { return delayed_; }

 private:
  struct Held {
    std::string bytes;
    bool to_server;
    unsigned turns;
  };

  void receive(bool to_server);
  void forward(const std::string& bytes, bool to_server);
  bool hit(double probability);

  Weather weather_;
  std::minstd_rand random_;
  int front_ = -1;  // the client's side
  int back_ = -1;   // connected to the server
  proa::Address address_;
  proa::Address client_;
  std::vector<Held> held_;
  std::size_t forwarded_ = 0;
  std::size_t lost_ = 0;
  std::size_t repeated_ = 0;
  std::size_t delayed_ = 0;
};

}  // namespace proa_test
