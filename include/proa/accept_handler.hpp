#pragma once

#include <cstdint>
#include <proa/address.hpp>
#include <proa/handler.hpp>
#include <proa/on.hpp>
#include <proa/requests.hpp>
#include <proa/time.hpp>
#include <string>
#include <system_error>

namespace proa {

/// How a listening socket is made.
struct ListenOptions {
  bool reuse_address = true;  ///< SO_REUSEADDR: listen while old connections linger (IP only)
  bool reuse_port = false;    ///< SO_REUSEPORT: several sockets share the port's connections
  bool v6_only = false;       ///< true: [::] takes no IPv4 connections (IPV6_V6ONLY)
  bool no_delay = true;       ///< TCP_NODELAY on every accepted connection
  int backlog = 0;            ///< connections that may wait to be accepted; 0: as many as the
                              ///< system allows (net.core.somaxconn, listen(2))
};

/// Listens on an address and accepts one connection after the other. Everything belongs to the
/// proactor's thread; no method calls back.
///
/// When the process or the system is out of descriptors or of memory, it does not spin: it tries
/// again after 10 ms, then after twice as long each time up to 80 ms, and goes on when there is
/// room (R11). on_paused() tells once, as soon as a connection waits for that. Errors that concern
/// one connection only, gone before it was accepted (accept(2), "Error handling"), are passed over.
class AcceptHandler : public Handler {
 public:
  explicit AcceptHandler(Proactor& proactor) noexcept : Handler(proactor, Kind::accept) {}

  /// Makes a listening socket and begins to accept; the handler is open then. On failure it stays
  /// as it was, and `*detail`, if asked for, is a sentence that names the address: `cannot listen
  /// on 127.0.0.1:80: Address already in use`. Errors: those of socket(2), bind(2) and listen(2);
  /// Error::bad_address if the address is unset, errc::device_or_resource_busy if it listens
  /// already, Error::closing if it closes, or the proactor was shut down.
  ///
  /// A UNIX path that exists is in use, also if nobody listens there any more: removing it, before
  /// or after, is up to the program, which knows whose it is.
  std::error_code listen(const Address& address, const ListenOptions& options = {},
                         std::string* detail = nullptr);
  /// The same with a socket that listens already, as it is (Socket::adopt(): socket activation, a
  /// listener of the parent's); it is closed in any case. Errors: errc::bad_file_descriptor if it
  /// is invalid, errc::device_or_resource_busy, Error::closing. One that does not listen is told by
  /// on_error(), as accept(2) says.
  std::error_code listen(Socket listening) noexcept;
  /// Where it listens, with the port that the system chose if 0 was asked for; unset if it does
  /// not.
  Address address() const noexcept { return socket().local_address(); }

  /// Stops accepting until resume(): new connections wait in the backlog. What the kernel has
  /// accepted already still comes, as on_accept(). No effect on one that does not listen, or behind
  /// finish().
  void pause() noexcept;
  void resume() noexcept;
  bool paused() const noexcept { return mode_ == Mode::paused; }

  /// The gentle end: on_accept() for every connection that waits in the backlog, also if accepting
  /// was paused, then close(). Without descriptors or memory it waits for them as always; close()
  /// is the end at once.
  void finish() noexcept;

 protected:
  /// Of one that listens: aborts and names it.
  ~AcceptHandler() override;

  /// A new connection and its peer's address, which is unset if the peer is gone already. Move the
  /// socket to keep it, else it is closed. The handler may be closed here.
  virtual void on_accept(Socket socket, const Address& peer) = 0;
  /// A connection waits, and accepting has stopped for want of descriptors or memory. It goes on by
  /// itself; once until a connection was accepted again.
  virtual void on_paused(std::error_code) {}

 private:
  enum class Mode : std::uint8_t { accepting, paused, finishing };

  Socket make(const Address& address, const ListenOptions& options, std::error_code& error);
  std::error_code cannot_listen() const noexcept;
  std::error_code begin(Socket listening) noexcept;
  void arm() noexcept;
  void back_off(std::error_code error);
  void accepted(Accept& request, const Result& result);
  void failed(std::error_code error);
  void retry(const Result& result);
  void take_waiting();
  void dispatch(Notice) override;
  void closing_down() noexcept override;

  On<Accept, &AcceptHandler::accepted> accept_{*this, true};
  On<Timer, &AcceptHandler::retry> backoff_{*this};
  Duration delay_{};         // of the last attempt that failed; zero: accepting works
  unsigned taken_ = 0;       // since finish()
  bool pause_told_ = false;  // since accepting worked
  Mode mode_ = Mode::accepting;
};

}  // namespace proa
