#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <proa/address.hpp>
#include <proa/buffer.hpp>
#include <proa/datagram_info.hpp>
#include <proa/detail/datagram_queue.hpp>
#include <proa/operation.hpp>

namespace proa {

/// Receives datagrams continuously into buffers of the pool, until an error or a cancel: one
/// callback per datagram, also for one of no bytes, then a last one with the error. An error is
/// that of an earlier send on a connected socket (ECONNREFUSED, EHOSTUNREACH, ...), told once; the
/// socket is well, and the request may be submitted again. recvmsg(2), recvmmsg(2).
class RecvDatagrams : public Operation {
 public:
  RecvDatagrams() noexcept : Operation(Opcode::recv_datagrams, Direction::in) {
    set_repeating(true);
  }
  ~RecvDatagrams() { drop_queued(); }

  /// `with_control`: the socket was set up to tell more than the source (DatagramInfo).
  void prepare(Descriptor from, bool with_control = false) noexcept {
    check_idle("prepare");
    if (from != descriptor() || with_control != with_control_) drop_queued();  // another socket's
    set_descriptor(from);
    with_control_ = with_control;
  }
  /// In the callback, beside no error: move from it to keep it, else it goes back to the pool with
  /// the next result.
  Buffer& buffer() noexcept { return buffer_; }
  /// Of buffer(), before it is moved from; unset for an unnamed UNIX socket.
  Address source() const noexcept;
  DatagramInfo info() const noexcept;

  /// Makes what had arrived with the others, and was not told yet, buffer(); false if there is
  /// nothing. For backends, and for the last callback: what came before the end.
  bool take_queued() noexcept;
  bool has_queued() const noexcept { return first_ != nullptr; }
  /// In the callback: puts buffer(), as it came, behind what is queued; it is told first when the
  /// request is submitted again.
  void keep() noexcept;
  bool with_control() const noexcept { return with_control_; }

  /// For backends: a block as recvmsg(2) filled it, with a header in front.
  void set_buffer(Buffer filled) noexcept;
  void queue(Buffer filled) noexcept;
  /// For backends: how many are received together at most.
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

/// Sends the first datagrams of a queue, gathered; completes with how many the system took (not
/// bytes), at least one, or with the error of the first, and none. For DatagramHandler.
/// sendmmsg(2).
class SendDatagrams : public Operation {
 public:
  static constexpr std::size_t most = 64;

  SendDatagrams() noexcept : Operation(Opcode::send_datagrams, Direction::out) {}

  /// The queue may grow at its end while the operation is pending. `cuts`: what has a segment size
  /// is cut here, because the kernel cannot. Datagrams of `zero_copy_from` bytes and more (0: none)
  /// are not copied: their memory is lent to the kernel (MSG_ZEROCOPY).
  void prepare(Descriptor socket, DatagramQueue& queue, bool cuts = false,
               std::size_t zero_copy_from = 0) noexcept {
    check_idle("prepare");
    set_descriptor(socket);
    queue_ = &queue;
    // Above what any datagram has it is the same as none.
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
  /// How many messages the kernel was lent; either all that were sent, or none.
  std::uint32_t lent() const noexcept { return lent_; }
  /// The kernel took fewer than it was given: it stopped at an error, which may be an earlier
  /// datagram's.
  bool fell_short() const noexcept { return fell_short_; }
  void set_fell_short() noexcept { fell_short_ = true; }
  /// For backends, after EAGAIN: no event will tell when there is room. A full UNIX receiver wakes
  /// those that are connected to it; for others each attempt makes its own event, and waiting would
  /// be a loop.
  bool room_is_untold() const noexcept { return room_is_untold_; }
  void set_room_is_untold() noexcept { room_is_untold_ = true; }
  void add_lent(std::size_t messages) noexcept {
    lent_ = static_cast<std::uint8_t>(lent_ + messages);
  }

 private:
  DatagramQueue* queue_ = nullptr;
  std::uint32_t zero_copy_from_ = 0;
  std::uint8_t lent_ = 0;  // `most` at most
  bool cuts_ = false;
  bool fell_short_ = false;
  bool room_is_untold_ = false;
};

}  // namespace proa
