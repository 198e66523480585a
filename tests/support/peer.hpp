#pragma once

// The other side of a connection, played by the test through System alone, so that it works in a
// simulated world as well. Nothing here blocks: World::run_until() turns every peer until what the
// test waits for has happened.

#include <cstdint>
#include <proa/address.hpp>
#include <proa/socket.hpp>
#include <proa/system.hpp>
#include <string>
#include <string_view>

namespace proa_test {

// While one lives, the calls of this thread are a peer's: ledgers and faults leave them alone.
class PeerAtWork {
 public:
  PeerAtWork() noexcept { ++depth_; }
  ~PeerAtWork() { --depth_; }
  PeerAtWork(const PeerAtWork&) = delete;
  PeerAtWork& operator=(const PeerAtWork&) = delete;
  static bool now() noexcept { return depth_ > 0; }

 private:
  inline static thread_local int depth_ = 0;
};

class Peer {
 public:
  explicit Peer(proa::System& system) noexcept : system_(system) {}
  // A connection that is there already.
  Peer(proa::System& system, proa::Socket socket) noexcept
      : system_(system), socket_(std::move(socket)), connected_(true) {}

  // Begins to connect. `receive_buffer`: bytes the kernel keeps for us at most, 0 for its default.
  void connect(const proa::Address& address, int receive_buffer = 0);
  bool connected() const { return connected_; }

  // Queues bytes; turns send them.
  void send(std::string_view bytes) { unsent_.append(bytes); }
  // Queues bytes [from, from + size) of a pattern, made as they are sent.
  void send_pattern(std::uint32_t seed, std::size_t size);
  bool sent() const { return unsent_.empty() && pattern_left_ == 0; }
  // Once all is sent, sends the end of the stream.
  void half_close() { half_close_ = true; }
  // One urgent byte, now (TCP).
  long urgent(char byte);

  // Reads by itself from the start; without, the kernel keeps what comes.
  void read(bool on) { reading_ = on; }
  // At most this many bytes a turn: a slow reader.
  void read_slowly(std::size_t per_turn) { per_turn_ = per_turn; }
  // Checks what comes against a pattern instead of keeping it.
  void expect_pattern(std::uint32_t seed);
  const std::string& received() const { return received_; }
  std::size_t received_bytes() const { return received_bytes_; }
  // Where the expected pattern was first broken, or no_difference.
  std::size_t difference() const { return difference_; }
  // The end of the stream has come.
  bool ended() const { return ended_; }
  // What ended it in place of that: -errno, or 0.
  long error() const { return error_; }

  // Ends the connection so that the other side is told ECONNRESET (TCP).
  void reset();
  void close();
  bool open() const { return socket_.valid(); }

  proa::Socket& socket() { return socket_; }
  proa::Descriptor descriptor() const { return socket_.descriptor(); }

  // One step of everything that can go on without waiting.
  void turn();

 private:
  void turn_connecting();
  void turn_sending();
  void turn_reading();
  void failed(long error);

  proa::System& system_;
  proa::Socket socket_;
  bool connected_ = false;
  std::string unsent_;
  std::uint32_t pattern_seed_ = 0;
  std::size_t pattern_sent_ = 0;
  std::size_t pattern_left_ = 0;
  bool half_close_ = false;
  bool reading_ = true;
  std::size_t per_turn_ = std::size_t{256} << 10;
  std::string received_;
  std::size_t received_bytes_ = 0;
  bool expecting_ = false;
  std::uint32_t expected_seed_ = 0;
  std::size_t difference_ = static_cast<std::size_t>(-1);
  bool ended_ = false;
  long error_ = 0;
};

}  // namespace proa_test
