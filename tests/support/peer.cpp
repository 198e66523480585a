// One step at a time, never waiting: see peer.hpp.
#include "support/peer.hpp"

#include <algorithm>
#include <cerrno>
#include <vector>

#include "support/patterns.hpp"

namespace proa_test {

void Peer::failed(long error) {
  if (error_ == 0) error_ = error;
  unsent_.clear();
  pattern_left_ = 0;
}

void Peer::connect(const proa::Address& address, int receive_buffer) {
  const PeerAtWork at_work;
  proa::Descriptor opened;
  long result = system_.open_socket(address.family(), proa::Transport::stream, opened);
  if (result == 0) {
    socket_ = proa::Socket(system_, opened);
    if (receive_buffer > 0) {
      system_.set_option(opened, proa::SocketOption::receive_buffer, receive_buffer);
    }
    result = system_.connect(opened, address);
  }
  connected_ = result == 0;
  if (result < 0 && result != -EINPROGRESS) failed(result);
}

long Peer::urgent(char byte) {
  const PeerAtWork at_work;
  return system_.send_urgent(socket_.descriptor(), {&byte, 1});
}

void Peer::close() {
  const PeerAtWork at_work;
  socket_.close();
}

void Peer::send_pattern(std::uint32_t seed, std::size_t size) {
  pattern_seed_ = seed;
  pattern_left_ += size;
}

void Peer::expect_pattern(std::uint32_t seed) {
  expecting_ = true;
  expected_seed_ = seed;
}

void Peer::reset() {
  if (!open()) return;
  const PeerAtWork at_work;
  socket_.set_option(proa::SocketOption::linger, 0);
  socket_.close();
}

void Peer::turn() {
  const PeerAtWork at_work;
  if (!socket_.valid() || error_ != 0) return;
  if (!connected_) turn_connecting();
  if (!connected_) return;
  turn_sending();
  if (reading_ && !ended_) turn_reading();
}

void Peer::turn_connecting() {
  int error = 0;
  system_.get_option(descriptor(), proa::SocketOption::pending_error, error);
  if (error != 0) return failed(error);
  proa::Address address;
  connected_ = system_.peer_address(descriptor(), address) == 0;
}

void Peer::turn_sending() {
  if (unsent_.empty() && pattern_left_ > 0) {
    const std::size_t size = std::min<std::size_t>(pattern_left_, std::size_t{64} << 10);
    unsent_ = pattern(pattern_seed_, size, pattern_sent_);
    pattern_sent_ += size;
    pattern_left_ -= size;
  }
  if (!unsent_.empty()) {
    const long sent = system_.send(descriptor(), {unsent_.data(), unsent_.size()});
    if (sent == -EAGAIN) return;
    if (sent < 0) return failed(sent);
    unsent_.erase(0, static_cast<std::size_t>(sent));
  }
  if (half_close_ && sent()) {
    half_close_ = false;
    socket_.shutdown(proa::ShutdownSide::send);
  }
}

void Peer::turn_reading() {
  static std::vector<char> memory(std::size_t{256} << 10);
  const long got = system_.recv(descriptor(), {memory.data(), std::min(per_turn_, memory.size())});
  if (got == -EAGAIN) return;
  if (got < 0) return failed(got);
  const std::string_view bytes(memory.data(), static_cast<std::size_t>(got));
  if (!expecting_) {
    received_.append(bytes);
  } else if (difference_ == no_difference) {
    difference_ = first_difference(expected_seed_, bytes, received_bytes_);
  }
  received_bytes_ += bytes.size();
  ended_ = got == 0;
}

}  // namespace proa_test
