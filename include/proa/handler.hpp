#pragma once

#include <cstdint>
#include <proa/operation.hpp>
#include <proa/proactor.hpp>
#include <proa/socket.hpp>
#include <system_error>

namespace proa {

/// A descriptor, its operations and their end: the base of all handlers. Subclass one of the
/// derived handlers, override what you want to hear of.
///
/// A handler owns itself: after close(), and after everything in flight has come home, on_closed()
/// is called, last and once, and there the object may be deleted. Its verbs never call back (R1)
/// and never refuse: what goes wrong arrives as on_error(), from the loop. Once
/// Proactor::shutdown() has begun no handler opens any more: its verbs do nothing and no on_*()
/// comes (Proactor::shutting_down() tells). All of it belongs to the proactor's thread.
class Handler {
 public:
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;

  Proactor& proactor() const noexcept { return proactor_; }
  /// For requests of your own; invalid before the handler has one and after it was closed.
  Descriptor descriptor() const noexcept { return socket_.descriptor(); }
  const Socket& socket() const noexcept { return socket_; }

  /// Ends everything now: cancels what is in flight, waits for its completions, closes the
  /// descriptor, then on_closed(). No other on_*() comes after it; requests of your own on the
  /// descriptor are still delivered, once each, before on_closed() (R6). Bytes that were written
  /// and not sent are lost: finish() is the gentle end. Legal in every callback; no effect the
  /// second time.
  void close() noexcept;
  bool closing() const noexcept { return state_ == State::closing; }
  /// Between the first verb and on_closed().
  bool is_open() const noexcept { return state_ != State::idle; }
  [[deprecated("is_open() is the query")]] bool open() const noexcept { return is_open(); }

 protected:
  enum class Kind : std::uint8_t {
    stream,
    accept,
    timer,
    notifier,
    signal,
    server,
    file,
    datagram
  };

  Handler(Proactor& proactor, Kind kind) noexcept : proactor_(proactor), kind_(kind) {}
  Handler(Proactor& proactor, Kind kind, Socket socket) noexcept;
  /// Aborts, naming the handler, unless it was never opened or on_closed() has begun.
  virtual ~Handler();

  /// Something failed that the handler cannot repair. The default closes.
  virtual void on_error(std::error_code error);
  /// The last call: `delete this` is legal here.
  virtual void on_closed() {}
  /// The server that accepted this handler drains: wind up. The default closes.
  virtual void on_drain() { close(); }

 private:
  friend class HandlerLoop;
  friend class ServerCore;
  friend class StreamHandler;
  friend class AcceptHandler;
  friend class FileHandler;
  friend class DatagramHandler;
  friend class TimerHandler;
  friend class Notifier;
  friend class SignalHandler;
  friend struct OpenHook;
  friend struct NoticeHook;
  friend struct UnflushedHook;

  enum class State : std::uint8_t { idle, open, closing };

  // What the loop has to tell this handler, most urgent first.
  enum Notice : std::uint16_t {
    notice_notified = 1,
    notice_open = 2,
    notice_read = 4,
    notice_written = 8,
    notice_error = 16,
    notice_drain = 32,
    notice_closed = 64,
    notice_reopen = 128,  // a verb that opens was called while it closed; behind on_closed()
    notice_left = 256,    // a server made it; on_closed() has returned, and it was not destroyed
  };

  // Each verb begins with one of these two, and gives its name: use from a foreign thread is
  // misuse.
  void check(const char* verb) const noexcept;
  // idle -> open; false if it is not open now: closing, or shut down
  bool start(const char* verb) noexcept;
  bool open_up() noexcept;
  void notify_later(std::uint16_t notices) noexcept;
  void fail(std::int32_t error) noexcept;  // -errno: on_error() from the loop
  /// Puts a descriptor in place of the one before.
  void take(Socket socket) noexcept;
  void rest() noexcept;          // open -> idle without on_closed(); nothing may be in flight
  void reopen_later() noexcept;  // notice_reopen behind on_closed(), if it is not destroyed there
  void became_closed();
  void go_on(bool served) noexcept;
  void left_behind() noexcept;
  void unanswered() noexcept;  // on_error() has returned, and nothing more comes by itself
  [[noreturn]] void misused(const char* how) const noexcept;
  [[noreturn]] void clashes(const Handler& other) const noexcept;
  // In the destructor of one that is not idle: misuse, except in a child of fork(2).
  void destroyed(const char* how) noexcept;
  // In a child of fork(2): idle, without a callback or a call that the parent could notice.
  void disown() noexcept;
  /// Undoes what it has done to its own process.
  virtual void leave_process() noexcept {}
  /// One of the notices that the derived handler set.
  virtual void dispatch(Notice) {}
  /// on_drain() is due.
  virtual void drain() { on_drain(); }
  /// Hands queued output to the backend.
  virtual void flush() noexcept {}
  /// close() was called: ends what is not an operation on the descriptor.
  virtual void closing_down() noexcept {}
  /// Nothing is in flight any more.
  virtual void release_resources() noexcept {}

  ListHook open_hook_;
  ListHook notice_hook_;
  ListHook unflushed_hook_;
  Proactor& proactor_;
  class ServerCore* server_ = nullptr;
  Socket socket_;
  std::int32_t error_ = 0;
  std::uint16_t notices_ = 0;
  std::uint16_t elsewhere_ = 0;  // operations of its own on no descriptor, or on another's
  State state_ = State::idle;
  Kind kind_;
  bool keeps_running_ = true;
};

}  // namespace proa
