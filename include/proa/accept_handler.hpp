#pragma once

#include <cstdint>
#include <proa/address.hpp>
#include <proa/detail/api.hpp>
#include <proa/handler.hpp>
#include <proa/on.hpp>
#include <proa/requests.hpp>
#include <proa/time.hpp>
#include <string>
#include <system_error>

namespace proa {
inline namespace v0 {

/// How a listening socket is made.
struct ListenOptions {
  bool reuse_address = true;  ///< SO_REUSEADDR: listen while old connections linger (IP only)
  bool reuse_port = false;    ///< SO_REUSEPORT: several sockets share the port's connections
  bool v6_only = false;       ///< true: [::] takes no IPv4 connections (IPV6_V6ONLY)
  bool no_delay = true;       ///< TCP_NODELAY on every accepted connection
  int backlog = 0;            ///< connections that may wait to be accepted; 0: as many as the
                              ///< system allows (net.core.somaxconn, listen(2))
};

/// Listens on an address and accepts connections, one after the other. Everything belongs to the
/// proactor's thread; no method calls back.
///
/// When the process or the system is out of descriptors or memory, the handler does not spin: it
/// tries again after 10 ms, then each time after twice as long, up to 80 ms, and goes on when there
/// is room (R11). on_paused() tells once that a connection waits meanwhile. The handler ignores
/// errors that concern a single connection, gone before it was accepted (accept(2), "Error
/// handling").
class PROA_API AcceptHandler : public Handler {
 public:
  explicit AcceptHandler(Proactor& proactor) noexcept : Handler(proactor, HandlerKind::accept) {}

  /// Makes a listening socket and begins to accept; the handler is open then. On failure the
  /// handler stays as it was, and `*detail`, if given, receives a sentence that names the address:
  /// `cannot listen on 127.0.0.1:80: Address already in use`. Errors: those of socket(2), bind(2)
  /// and listen(2); Error::bad_address if the address is unset, errc::device_or_resource_busy if
  /// the handler listens already, Error::closing if it closes, or the proactor was shut down.
  ///
  /// A UNIX path that exists is in use, even if nobody listens there any more. The program removes
  /// it, before or after, because only the program knows whose path it is.
  [[nodiscard]] std::error_code listen(const Address& address, const ListenOptions& options = {},
                                       std::string* detail = nullptr);
  /// The same with a socket that listens already, whose options stay as they are (Socket::adopt():
  /// socket activation, a listener of the parent process). On failure the socket is closed. Errors:
  /// errc::bad_file_descriptor if the socket is invalid, errc::device_or_resource_busy,
  /// Error::closing. If the socket does not listen, on_error() tells what accept(2) says.
  [[nodiscard]] std::error_code listen(Socket listening) noexcept;
  /// The address on which the handler listens, with the port that the system chose if port 0 was
  /// given; unset if the handler does not listen.
  Address address() const noexcept { return socket().local_address(); }

  /// Stops accepting until resume(): new connections wait in the backlog. on_accept() still comes
  /// for connections that the kernel has accepted already. No effect on a handler that does not
  /// listen, or after finish().
  void pause() noexcept;
  void resume() noexcept;
  bool paused() const noexcept { return mode_ == AcceptMode::paused; }

  /// The gentle end: calls on_accept() for every connection that waits in the backlog, even if
  /// accepting was paused, then close(). Without descriptors or memory the handler waits for them
  /// as always; close() ends it at once. A handler that on_error() told of an error of accept(2)
  /// closes at once, because that call would fail again.
  void finish() noexcept;

 protected:
  /// Destroying a handler that listens is misuse: it aborts and names the handler.
  ~AcceptHandler() override;

  /// A new connection, and the peer's address, which is unset if the peer has gone already. Move
  /// the socket to keep it, else it is closed. The handler may be closed here.
  virtual void on_accept(Socket socket, const Address& peer) = 0;
  /// A connection waits, but accepting has stopped because descriptors or memory ran out. Accepting
  /// goes on by itself. This comes once, and again only after another connection was accepted.
  virtual void on_paused(std::error_code) {}

 private:
  friend class ServerCore;
  enum class AcceptMode : std::uint8_t {
    accepting,
    paused,
    finishing,  // finish() was called: the handler takes what waits in the backlog
    hurrying,   // the same, but it does not wait for descriptors or memory
    failed,     // on_error() told why, and nothing but the end follows
  };

  Socket make_(const Address& address, const ListenOptions& options, std::error_code& error);
  std::error_code cannot_listen_() const noexcept;
  std::error_code begin_(Socket listening) noexcept;
  void arm_() noexcept;
  void hurry_() noexcept;
  bool finishes_() const noexcept {
    return mode_ == AcceptMode::finishing || mode_ == AcceptMode::hurrying;
  }
  void back_off_(std::error_code error);
  void accepted_(Accept& request, const Result& result);
  void failed_(std::error_code error);
  void retry_(const Result& result);
  void take_waiting_();
  void loop_dispatch(HandlerNotice) override;
  void loop_closing_down() noexcept override;

  On<Accept, &AcceptHandler::accepted_> accept_{*this, true};
  On<Timer, &AcceptHandler::retry_> backoff_{*this};
  Duration delay_{};         // the delay before the next attempt; zero while accepting works
  unsigned taken_ = 0;       // connections that were accepted since finish()
  bool pause_told_ = false;  // on_paused() was called since accepting last worked
  AcceptMode mode_ = AcceptMode::accepting;
};

}  // namespace v0
}  // namespace proa
