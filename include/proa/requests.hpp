#pragma once

#include <cstddef>
#include <proa/address.hpp>
#include <proa/buffer.hpp>
#include <proa/bytes.hpp>
#include <proa/detail/buffer_chain.hpp>
#include <proa/detail/pieces.hpp>
#include <proa/operation.hpp>
#include <proa/socket.hpp>
#include <proa/time.hpp>

namespace proa {
inline namespace v0 {

/// The most bytes that one system call moves (read(2), NOTES). A receive, a read or a write of more
/// counts as one of so many.
inline constexpr std::size_t max_transfer = 0x7ffff000;

/// Receives once into the caller's memory: at least one byte. Completes with bytes == 0 and no
/// error at the end of the stream, and at once if the memory has 0 bytes. Memory above max_transfer
/// counts as max_transfer; of what is no socket it receives 256 KiB at most (R8). recv(2), read(2).
class Recv : public Operation {
 public:
  Recv() noexcept : Operation(Opcode::recv, Direction::in) {}

  /// The memory belongs to the proactor from submit() to the callback (R3).
  void prepare(Descriptor from, MutableBytes memory) noexcept {
    check_idle("prepare");
    set_descriptor(from);
    memory_ = memory;
  }
  MutableBytes memory() const noexcept { return memory_; }

 private:
  MutableBytes memory_;
};

/// Sends all of the caller's memory: completes when the kernel has taken the last byte, or with an
/// error and the number of bytes that it has taken. The list of pieces is copied, the bytes are not
/// (R3). More than `inline_pieces` pieces cost an allocation the first time. sendmsg(2), writev(2).
class Send : public Operation {
 public:
  static constexpr std::size_t inline_pieces = Pieces<Bytes>::inline_count;

  Send() noexcept : Operation(Opcode::send, Direction::out) {}

  /// The memory belongs to the proactor from submit() to the callback (R3).
  void prepare(Descriptor to, Bytes bytes) noexcept { prepare(to, &bytes, 1); }
  /// submit() refuses (Error::bad_length) a list of no pieces, a nullptr with a length, and lengths
  /// whose sum overflows.
  void prepare(Descriptor to, const Bytes* pieces, std::size_t count) noexcept {
    check_idle("prepare");
    set_descriptor(to);
    fault_ = pieces_.assign(pieces, count);
  }

  /// For backends: what prepare() was given; `fault` says why submit() refuses it.
  const Pieces<Bytes>& pieces() const noexcept { return pieces_; }
  std::size_t count() const noexcept { return pieces_.count(); }
  std::size_t size() const noexcept { return pieces_.size(); }
  Pieces<Bytes>::Fault fault() const noexcept { return fault_; }

 private:
  Pieces<Bytes> pieces_;
  Pieces<Bytes>::Fault fault_ = Pieces<Bytes>::Fault::bad_length;
};

/// Receives continuously into buffers of the pool, until the end, an error or a cancel: one
/// callback per buffer (but see set_scatters()), then a last one with no buffer (bytes == 0). While
/// it runs, a Recv on the same descriptor is refused (Error::reading_is_on).
class RecvBuffers : public Operation {
 public:
  RecvBuffers() noexcept : Operation(Opcode::recv_buffers, Direction::in) { set_repeating(true); }

  /// A socket, or another descriptor that is read like one.
  void prepare(Descriptor from) noexcept {
    check_idle("prepare");
    set_descriptor(from);
  }
  /// With `scatters` a result may bring several buffers, of `bytes` together: a backend may receive
  /// from a peer that sends much into several blocks by one system call. The callback has to take
  /// all of them (take_further()).
  void set_scatters(bool scatters) noexcept {
    check_idle("set_scatters");
    set_scattering(scatters);
  }
  bool scatters() const noexcept { return is_scattering(); }
  /// In the callback: move from the buffer to keep it, else it goes back to the pool when the
  /// callback returns. The backend sets it.
  Buffer& buffer() noexcept { return buffer_; }
  /// The buffers behind the first one, in their order; empty when there are no more. Those that the
  /// callback does not take go back to the pool when it returns. The backend adds them.
  Buffer take_further() noexcept { return further_.pop(); }
  bool has_further() const noexcept { return !further_.empty(); }
  void add_further(Buffer buffer) noexcept { further_.push(std::move(buffer)); }
  void drop() noexcept {
    buffer_.reset();
    further_.clear();
  }

 private:
  Buffer buffer_;
  BufferChain further_;
};

/// Sends a chain of queued segments, gathered; completes with what one system call took, at least
/// one byte. For StreamHandler, which keeps the chain and continues after a short send.
class SendBuffers : public Operation {
 public:
  static constexpr std::size_t max_pieces = 64;

  SendBuffers() noexcept : Operation(Opcode::send_buffers, Direction::out) {}

  /// The chain is linked by `next` and ends with nullptr, or before a segment without a block,
  /// which stands for a stretch of a file; it may grow at its end while the operation is pending.
  void prepare(Descriptor to, const detail::Segment* first) noexcept {
    check_idle("prepare");
    set_descriptor(to);
    first_ = first;
  }
  const detail::Segment* first() const noexcept { return first_; }

 private:
  const detail::Segment* first_ = nullptr;
};

/// Accepts one connection, or, if repeating, one after the other until an error or a cancel.
/// accept4(2).
class Accept : public Operation {
 public:
  explicit Accept(bool repeating = false) noexcept : Operation(Opcode::accept, Direction::in) {
    set_repeating(repeating);
  }

  /// A socket that listens.
  void prepare(Descriptor listener) noexcept {
    check_idle("prepare");
    set_descriptor(listener);
  }
  /// In the callback: the connection; move from it, or it is closed with the next result. Invalid
  /// beside an error. If the kernel has accepted a connection before a cancel() takes effect, the
  /// connection is delivered; after close() it is closed (R4). The backend sets it.
  Socket& socket() noexcept { return socket_; }
  /// In the callback: the other end of the connection, as accept4(2) told it; not set where the
  /// backend was not told. Socket::peer_address() asks.
  Address& peer() noexcept { return peer_; }

 private:
  Socket socket_;
  Address peer_;
};

/// Connects a stream socket. The address is copied (R3). connect(2).
class Connect : public Operation {
 public:
  Connect() noexcept : Operation(Opcode::connect, Direction::out) {}

  /// A socket that is not connected, and where to.
  void prepare(Descriptor socket, const Address& address) noexcept {
    check_idle("prepare");
    set_descriptor(socket);
    address_ = address;
  }
  /// For backends: what prepare() was given.
  const Address& address() const noexcept { return address_; }

 private:
  Address address_;
};

/// Completes at a point in time, never earlier (R7): the deadline that submit() gets.
class Timer : public Operation {
 public:
  Timer() noexcept : Operation(Opcode::timer, Direction::none) {}
};

}  // namespace v0
}  // namespace proa
