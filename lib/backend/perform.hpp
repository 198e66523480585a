#pragma once

#include <cstddef>
#include <proa/backend.hpp>
#include <proa/datagram.hpp>
#include <proa/poll.hpp>
#include <proa/requests.hpp>
#include <proa/system.hpp>

struct iovec;

namespace proa {

/// How far one attempt got. `short_transfer` says that the kernel had less to give, or less room,
/// than was asked for.
struct Attempt {
  long result = 0;  // bytes or 0, or -errno; -EAGAIN: not now
  bool short_transfer = false;
};

/// Tries an operation once with a system call that does not block, and reads the inputs from the
/// request. Backends whose kernel tells of readiness use it. Nothing is repeated but calls that a
/// signal interrupts.
class Performer {
 public:
  Performer(System& system, BufferSource& buffers) noexcept : system_(system), buffers_(buffers) {}

  Attempt recv(Recv& operation) noexcept;
  /// Fills operation.buffer(); -ENOBUFS if the pool has none to lend.
  Attempt recv_buffers(RecvBuffers& operation) noexcept;
  /// Continues behind what was moved already.
  Attempt send(Send& operation) noexcept;
  Attempt send_buffers(SendBuffers& operation) noexcept;
  /// Fills operation.socket(); connections that died in the queue are skipped (accept(2), "Error
  /// handling").
  Attempt accept(Accept& operation) noexcept;
  Attempt connect(Connect& operation) noexcept;
  /// Fills operation.buffer(), from what was received before if there is some; -ENOBUFS if the pool
  /// has none to lend.
  Attempt recv_datagrams(RecvDatagrams& operation) noexcept;
  /// What the descriptor is ready for; -EAGAIN if for nothing.
  Attempt poll(Poll& operation) noexcept;
  /// How many datagrams were taken.
  Attempt send_datagrams(SendDatagrams& operation) noexcept;

 private:
  long receive_batch(RecvDatagrams& operation) noexcept;
  Attempt no_room(SendDatagrams& operation, long error) noexcept;

  System& system_;
  BufferSource& buffers_;
};

/// What one call sends at most: the kernel copies it in one go, and the loop stands still (R8).
inline constexpr std::size_t fair_share = std::size_t{256} << 10;

/// True for what accept(2) reports of a connection that died before it was accepted (its section
/// "Error handling"), while the listener is well.
bool died_in_queue(Descriptor listener, long result) noexcept;

/// The pieces of a Send behind the first `skip` bytes, at most `limit` of them and
/// fair_share bytes.
int gather(const Send& operation, std::size_t skip, iovec* pieces, int limit,
           std::size_t& bytes) noexcept;
/// The queued segments as pieces; neighbours in memory are merged.
int gather(const SendBuffers& operation, iovec* pieces, int limit, std::size_t& bytes) noexcept;

}  // namespace proa
