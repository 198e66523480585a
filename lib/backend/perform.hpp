#pragma once

#include <cstddef>
#include <proa/backend.hpp>
#include <proa/datagram.hpp>
#include <proa/poll.hpp>
#include <proa/requests.hpp>
#include <proa/system.hpp>

#include "base/operation_table.hpp"

struct iovec;

namespace proa {
inline namespace v0 {

/// How far one attempt came. `short_transfer` says that the kernel had less to give, or less room,
/// than the operation asked for.
struct Attempt {
  long result = 0;  // a count of bytes, or -errno; -EAGAIN: not possible now
  bool short_transfer = false;
};

/// Tries an operation once, with a system call that does not block. Reads the inputs from the
/// request. Repeats a call only if a signal interrupted it.
class Performer {
 public:
  Performer(System& system, BufferSource& buffers) noexcept : system_(system), buffers_(buffers) {}

  Attempt recv(Recv& operation) noexcept;
  /// Fills operation.buffer(). -ENOBUFS if the pool has no block to lend.
  Attempt recv_buffers(RecvBuffers& operation) noexcept;
  /// The same with so many blocks at most (most_blocks_of_receive), which one call fills. The
  /// source of blocks has_plenty().
  Attempt recv_buffers(RecvBuffers& operation, std::size_t blocks) noexcept;
  /// Sends what follows the bytes that earlier attempts have sent.
  Attempt send(Send& operation) noexcept;
  Attempt send_buffers(SendBuffers& operation) noexcept;
  /// Fills operation.socket(). Skips connections that died in the queue (accept(2), "Error
  /// handling").
  Attempt accept(Accept& operation) noexcept;
  Attempt connect(Connect& operation) noexcept;
  /// Fills operation.buffer() with a datagram that an earlier call has received, or receives more.
  /// -ENOBUFS if the pool has no block to lend.
  Attempt recv_datagrams(RecvDatagrams& operation) noexcept;
  /// Stores what the descriptor is ready for. -EAGAIN if it is ready for nothing.
  Attempt poll(Poll& operation) noexcept;
  /// The result is the number of datagrams that the kernel took.
  Attempt send_datagrams(SendDatagrams& operation) noexcept;

 private:
  long receive_batch(RecvDatagrams& operation) noexcept;
  Attempt no_room(SendDatagrams& operation, long error) noexcept;

  System& system_;
  BufferSource& buffers_;
};

/// The most bytes that one call sends: the kernel copies them in one go, and the loop stands still
/// meanwhile (R8).
inline constexpr std::size_t fair_share = std::size_t{256} << 10;
/// The most blocks that one call receives into. A message of 64 KiB fits into so many of the usual
/// size.
inline constexpr std::size_t most_blocks_of_receive = 4;
/// The most pieces of a Send that one call gathers. So many are a share too.
inline constexpr int most_pieces_of_send = 1024;

bool listens(Descriptor socket) noexcept;
/// Whether accept(2) reports a connection that died before it was accepted (its section "Error
/// handling"), while the listener itself is well.
bool died_in_queue(Descriptor listener, long result) noexcept;

/// Whether the descriptor is in blocking mode: accept(2) on it waits until a connection comes.
bool in_blocking_mode(Descriptor listener) noexcept;

/// Fills `pieces` with what a Send has behind its first `skip` bytes: at most `limit` pieces and
/// fair_share bytes. Returns how many pieces that took.
int gather(const Send& operation, std::size_t skip, iovec* pieces, int limit,
           std::size_t& bytes) noexcept;
/// Fills `pieces` with the queued segments, and merges neighbours in memory.
int gather(const SendBuffers& operation, iovec* pieces, int limit, std::size_t& bytes) noexcept;
/// Output of many small pieces is more work than its bytes tell: a filter may make a thousand of
/// one write (R8). The pieces of a request are counted when it is submitted.
inline void count_pieces(SendBuffers& operation, int count) noexcept {
  BackendSide::set_extra_cost(operation, static_cast<std::size_t>(count) / pieces_of_callback);
}

}  // namespace v0
}  // namespace proa
