#pragma once

#include <proa/buffer.hpp>
#include <system_error>

namespace proa {

class Proactor;
class StreamHandler;

/// Stands between a stream's protocol and its connection: what the peer sends goes to the filter,
/// and the protocol is given what the filter makes of that; what the protocol writes goes to the
/// filter, and the peer is sent what the filter makes of that. TLS, compression or a recorder can
/// stand there, and the protocol does not know. Subclass it, and give it to
/// StreamHandler::set_filter().
///
/// The on_*() come from the loop and from the stream's verbs, on the proactor's thread. They may
/// call give(), send() and fail(), as may whatever else runs on that thread; they must not call the
/// stream.
class StreamFilter {
 public:
  StreamFilter() noexcept = default;
  StreamFilter(const StreamFilter&) = delete;
  StreamFilter& operator=(const StreamFilter&) = delete;
  virtual ~StreamFilter() = default;

 protected:
  /// The connection is there; on_open() follows. The protocol may have written before.
  virtual void on_connected() {}
  /// Bytes of the peer. What is given here is told by on_read() in this order.
  virtual void on_received(Buffer data) = 0;
  /// The peer sends no more. Without an error the protocol is told by on_end(), behind what was
  /// given by then; with one (the end came too early) by on_error().
  virtual std::error_code on_ended() { return {}; }
  /// Bytes of a write() of the protocol, or of a part of a long one. on_write() tells of that write
  /// when the kernel has taken what was sent by then.
  virtual void on_written(Buffer data) = 0;
  /// The protocol has called half_close() or finish(), and all that was sent is at the kernel: the
  /// place for last words. The end goes out behind them, when end() was called, here or later.
  virtual void on_finished() { end(); }
  /// Whether on_received() is to come although the protocol does not read: a filter that waits for
  /// its peer's first words says so.
  virtual bool wants_input() const noexcept { return false; }

  /// For the protocol, behind what was given before. Nothing comes of an empty buffer.
  void give(Buffer data) noexcept;
  /// For the peer, behind what was sent before. Dropped where the stream sends no more.
  void send(Buffer data) noexcept;
  /// Behind on_finished(): what was sent by now was all.
  void end() noexcept;
  /// The connection is of no use any more: on_error() follows behind on_read() for what was given.
  void fail(std::error_code error) noexcept;
  /// Of the stream; take_buffer() has blocks. Not before set_filter().
  Proactor& proactor() const noexcept;

 private:
  friend class StreamHandler;
  StreamHandler* stream_ = nullptr;
};

}  // namespace proa
