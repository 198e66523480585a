#pragma once

#include <proa/buffer.hpp>
#include <proa/detail/api.hpp>
#include <system_error>

namespace proa {
inline namespace v0 {

class Proactor;
class StreamHandler;

/// Stands between a stream's protocol and its connection. The filter gets what the peer sends, and
/// the protocol gets what the filter makes of that. The filter gets what the protocol writes, and
/// the peer gets what the filter makes of that. TLS, compression or a recorder can be a filter, and
/// the protocol does not know. Subclass it, and give it to StreamHandler::set_filter().
///
/// The loop and the stream's verbs call the on_*(), on the proactor's thread. They, and any other
/// code on that thread, may call give(), send() and the other verbs of the filter; they must not
/// call the stream.
///
/// They are noexcept, like the verbs that call them: a filter tells by fail() that it cannot go on.
/// An exception that leaves one of them ends the program (std::terminate()).
class PROA_API StreamFilter {
 public:
  StreamFilter() noexcept = default;
  StreamFilter(const StreamFilter&) = delete;
  StreamFilter& operator=(const StreamFilter&) = delete;
  virtual ~StreamFilter() = default;

 protected:
  /// The stream is connected; on_open() follows. The protocol may have written before.
  virtual void on_connected() noexcept {}
  /// Bytes of the peer. on_read() tells what the filter gives, in the same order.
  virtual void on_received(Buffer data) noexcept = 0;
  /// The peer sends no more, or the connection has failed. The protocol gets on_end(), or the
  /// on_error() of the connection, after what the filter has given when the filter has called
  /// give_end(), here or later. An error waits for that no longer than Options::linger. If the end
  /// is an error (it came too early), call fail() in its place. Comes once, and not after
  /// give_end().
  virtual void on_ended() noexcept { give_end(); }
  /// Bytes of a write() of the protocol, or of a part of a long one. on_write() tells that write
  /// when the kernel has taken everything that the filter has sent by then.
  virtual void on_written(Buffer data) noexcept = 0;
  /// The protocol has called half_close() or finish(), and the kernel has taken everything that was
  /// sent: the filter may send its last words. The stream ends its output after them when the
  /// filter has called send_end(), here or later.
  virtual void on_finished() noexcept { send_end(); }
  /// Whether on_received() shall come although the protocol does not read: true in a filter that
  /// waits for the peer's first words.
  virtual bool wants_input() const noexcept { return false; }

  /// Gives bytes to the protocol, after those given before. An empty buffer has no effect. While
  /// much waits for the protocol to read it, the stream stops receiving, and on_received() waits;
  /// what a filter gives by itself, outside on_received(), it has to bound itself.
  void give(Buffer data) noexcept;
  /// The filter has given everything: what it gives after this is dropped. Before on_ended() it
  /// ends the input at once, because the peer's protocol has said so (close_notify of TLS): the
  /// protocol gets on_end() after what was given, and neither the filter nor the protocol gets
  /// what the connection still brings. The output goes on; finish() waits for the end of the
  /// connection as always.
  void give_end() noexcept;
  /// Sends bytes to the peer, after those sent before. Dropped if the stream sends no more, as
  /// after send_end().
  void send(Buffer data) noexcept;
  /// From on_finished() on, before which it has no effect: the filter has sent everything.
  void send_end() noexcept;
  /// The connection is of no use any more: on_error() follows after on_read() for what was given.
  /// The stream waits for no give_end() after this, asks nothing more of the filter, and drops
  /// what it still gives or sends. What it has sent before (an alert of TLS) goes out if the socket
  /// takes it at once.
  void fail(std::error_code error) noexcept;
  /// The stream's proactor, whose take_buffer() has blocks. Not before set_filter().
  Proactor& proactor() const noexcept;

 private:
  friend class StreamHandler;
  /// The stream that a verb is for. Misuse before set_filter(), and on a foreign thread.
  StreamHandler& checked_stream_(const char* verb) const noexcept;

  StreamHandler* stream_ = nullptr;
};

}  // namespace v0
}  // namespace proa
