#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <proa/address.hpp>
#include <proa/buffer.hpp>
#include <proa/datagram_info.hpp>
#include <proa/detail/api.hpp>
#include <proa/detail/datagram_queue.hpp>
#include <proa/operation.hpp>

namespace proa {
inline namespace v0 {

/// Receives datagrams continuously into buffers of the pool, until an error or a cancel: one
/// callback per datagram, also for a datagram of no bytes, then a last callback with the error. An
/// error comes from an earlier send on a connected socket (ECONNREFUSED, EHOSTUNREACH, ...), and
/// the system tells it once; the socket is well, and the request may be submitted again.
/// recvmsg(2), recvmmsg(2).
class PROA_API RecvDatagrams : public Operation {
 public:
  RecvDatagrams() noexcept : Operation(Opcode::recv_datagrams, Direction::in) {
    set_repeating(true);
  }
  ~RecvDatagrams() { drop_queued(); }

  /// `with_control`: the socket tells more of each datagram than its source (DatagramInfo).
  void prepare(Descriptor from, bool with_control = false) noexcept {
    check_idle("prepare");
    // they came from another socket
    if (from != descriptor() || with_control != with_control_) drop_queued();
    set_descriptor(from);
    with_control_ = with_control;
  }
  /// In a callback without an error: move from the buffer to keep it, else it goes back to the pool
  /// when the callback returns.
  Buffer& buffer() noexcept { return buffer_; }
  /// The source of buffer(), before buffer() is moved from; unset for an unnamed UNIX socket.
  Address source() const noexcept;
  DatagramInfo info() const noexcept;

  /// Moves the oldest datagram that was received and not told yet into buffer(); false if there is
  /// none. For backends, and for the last callback: the datagrams that came before the end.
  bool take_queued() noexcept;
  bool has_queued() const noexcept { return first_ != nullptr; }
  /// In the callback: puts buffer() after the datagrams that are queued. They are told first when
  /// the request is submitted again.
  void keep() noexcept;
  bool with_control() const noexcept { return with_control_; }

  /// For backends: a block that holds a datagram after its header (lib/buffer/datagram.hpp).
  void set_buffer(Buffer filled) noexcept;
  void queue(Buffer filled) noexcept;
  /// For backends: how many datagrams are received together at most.
  std::uint16_t batch() const noexcept { return batch_; }
  void drop_queued() noexcept;
  void set_batch(std::uint16_t batch) noexcept { batch_ = batch; }

 private:
  Buffer buffer_;
  detail::Segment* first_ = nullptr;
  detail::Segment* last_ = nullptr;
  std::uint16_t batch_ = 1;
  bool with_control_ = false;
};

/// Sends the first datagrams of a queue, gathered. Completes with the number of datagrams (not
/// bytes) that the system took, one at least; or with the error of the first datagram, and none was
/// taken. For DatagramHandler. sendmmsg(2).
class SendDatagrams : public Operation {
 public:
  static constexpr std::size_t most = 64;

  SendDatagrams() noexcept : Operation(Opcode::send_datagrams, Direction::out) {}

  /// The queue may grow at its end while the operation is pending. `cuts`: the kernel cannot cut
  /// datagrams into segments, so the library does. Datagrams of `zero_copy_from` bytes and more (0:
  /// none) are not copied: the kernel borrows their memory (MSG_ZEROCOPY).
  void prepare(Descriptor socket, DatagramQueue& queue, bool cuts = false,
               std::size_t zero_copy_from = 0) noexcept {
    check_idle("prepare");
    set_descriptor(socket);
    queue_ = &queue;
    // No datagram is so large, so any larger limit lends none either.
    zero_copy_from_ = static_cast<std::uint32_t>(std::min<std::size_t>(zero_copy_from, UINT32_MAX));
    lent_ = 0;
    fell_short_ = room_is_untold_ = false;
    cuts_ = cuts;
  }
  DatagramQueue& queue() const noexcept { return *queue_; }
  bool cuts() const noexcept { return cuts_; }
  bool lends(const DatagramQueue::Target& target) const noexcept {
    return zero_copy_from_ > 0 && target.bytes >= zero_copy_from_;
  }
  /// How many messages lent their memory to the kernel: all that were sent, or none.
  std::uint32_t lent() const noexcept { return lent_; }
  /// The kernel took fewer datagrams than it was given: it stopped at an error, which an earlier
  /// datagram may have caused.
  bool fell_short() const noexcept { return fell_short_; }
  void set_fell_short() noexcept { fell_short_ = true; }
  /// For backends, after EAGAIN: no event will report room. A full UNIX receiver wakes only the
  /// senders that are connected to it; for others each attempt makes an event of its own, and to
  /// wait for events would be a loop.
  bool room_is_untold() const noexcept { return room_is_untold_; }
  void set_room_is_untold() noexcept { room_is_untold_ = true; }
  void add_lent(std::size_t messages) noexcept {
    lent_ = static_cast<std::uint8_t>(lent_ + messages);
  }

 private:
  DatagramQueue* queue_ = nullptr;
  std::uint32_t zero_copy_from_ = 0;
  std::uint8_t lent_ = 0;  // SendDatagrams::most or less
  bool cuts_ = false;
  bool fell_short_ = false;
  bool room_is_untold_ = false;
};

}  // namespace v0
}  // namespace proa
