#pragma once

#include <cstdint>
#include <proa/detail/api.hpp>
#include <proa/operation.hpp>
#include <proa/proactor.hpp>
#include <proa/socket.hpp>
#include <system_error>

namespace proa {
inline namespace v0 {

/// The base of all handlers: a descriptor, its operations and their end. Subclass one of the
/// derived handlers, and override the on_*() that you want to hear.
///
/// A handler owns itself. After close(), when everything in flight has completed, on_closed() is
/// called, last and once, and the object may be deleted there. Its verbs never call back (R1).
/// Those that return an error tell their failures so; those of all others come through on_error(),
/// from the loop. Once Proactor::shutdown() has begun no handler opens any more: its verbs do
/// nothing, and no on_*() comes (Proactor::shutting_down() tells). Everything belongs to the
/// proactor's thread.
class PROA_API Handler {
 public:
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;

  /// The proactor that calls this handler.
  Proactor& proactor() const noexcept { return proactor_; }
  /// The descriptor, for your own requests; invalid before the handler has one, and after it was
  /// closed.
  Descriptor descriptor() const noexcept { return socket_.descriptor(); }
  const Socket& socket() const noexcept { return socket_; }
  /// Socket::set_option() on the handler's socket, at any time while it has one; a listener's
  /// options reach the connections that it accepts from then on, as far as the system passes them
  /// on. Never calls back. Errors: errc::bad_file_descriptor without a descriptor,
  /// errc::not_a_socket, those of setsockopt(2); errc::no_protocol_option if the system has no such
  /// option.
  std::error_code set_option(SocketOption option, int value) noexcept;

  /// Ends everything now: cancels what is in flight, waits for the completions, closes the
  /// descriptor, then calls on_closed(). No other on_*() comes after this call. Your own requests
  /// on the descriptor are still delivered, once each, before on_closed() (R6). Bytes that were
  /// written and not sent are lost: finish() is the gentle end. Legal in every callback. No effect
  /// while the handler is closing, nor in on_closed(), unless a verb that opens was called there.
  /// A handler that is not open, and whose on_closed() has returned, is closed anew: on_closed()
  /// comes once per close().
  void close() noexcept;
  bool closing() const noexcept { return state_ == HandlerState::closing; }
  /// True between the first verb and on_closed().
  bool is_open() const noexcept { return state_ != HandlerState::idle; }

 protected:
  /// For the library's own handlers.
  enum class HandlerKind : std::uint8_t {
    stream,
    accept,
    timer,
    notifier,
    signal,
    server,
    file,
    datagram,
    poll,
    reconnector
  };

  /// For the library's own handlers, which programs derive from.
  Handler(Proactor& proactor, HandlerKind kind) noexcept;
  Handler(Proactor& proactor, HandlerKind kind, Socket socket) noexcept;
  /// Aborts, naming the handler, unless it was never opened or on_closed() has begun.
  virtual ~Handler();

  /// Something failed that the handler cannot repair. The default closes; for Error::closing (a
  /// write after finish() or half_close()) it does nothing, because the handler is on its way, and
  /// what was written before goes out.
  virtual void on_error(std::error_code error);
  /// The last call of this life of the handler: `delete this` is legal here, unless a verb was
  /// called before it that has begun another life, of which is_open() tells: connect(), open(),
  /// start() and the like, but also a write() without a connection, whose error is told then. Each
  /// life ends with an on_closed(). docs/STATES.md lists what each verb does in each state.
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
  friend class Reconnector;
  friend class Notifier;
  friend class SignalHandler;
  friend class PollHandler;
  friend struct OpenHook;
  friend struct NoticeHook;
  friend struct UnflushedHook;

  enum class HandlerState : std::uint8_t { idle, open, closing };

  // What the loop has to tell this handler, in this order; from the one on that was told last.
  enum HandlerNotice : std::uint16_t {
    notice_notified = 1,
    notice_open = 2,
    notice_read = 4,
    notice_written = 8,
    notice_error = 16,
    notice_drain = 32,
    notice_closed = 64,
    // carry out the connect() or open() that was called before: on_closed() has returned, or the
    // program's own requests on the descriptor before have ended
    notice_reopen = 128,
    notice_left = 256,     // on_closed() has returned, and a server's handler was not destroyed
    notice_overdue = 512,  // the deadline of the server's drain has passed
  };

  // Each verb begins with check() or start(), and passes its name: a call from a foreign thread is
  // misuse.
  void check_(const char* verb) const noexcept;
  // idle -> open. False if the handler is not open then: it closes, or the proactor was shut down.
  bool start_(const char* verb) noexcept;
  bool open_up_() noexcept;
  void notify_later_(std::uint16_t notices) noexcept;
  /// The loop will call on_error() with this -errno, after those that are due already; once if
  /// that is one of them. If there is no memory to note it after others, it and the first of them
  /// are told as one errc::not_enough_memory.
  void fail_(std::int32_t error) noexcept;
  /// Takes the first of the errors that are due; 0 if none is. The others ask for a notice_error.
  std::int32_t take_error_() noexcept;
  /// Makes what take_error_() gave the first one again: another error is told before it.
  void put_error_back_(std::int32_t error) noexcept;
  /// The same for a verb of a handler that may be idle: the handler opens.
  void refuse_(const char* verb, std::int32_t error) noexcept;
  /// Replaces the handler's descriptor.
  void take_(Socket socket) noexcept;
  void rest_() noexcept;          // open -> idle without on_closed(); no operation may be in flight
  void reopen_later_() noexcept;  // asks for notice_reopen after on_closed()
  void became_closed_();
  void go_on_(bool served) noexcept;
  /// After a callback: whether the handler is still open, and the callback has not called fork(2),
  /// or this is the parent. The child does nothing more (R14).
  bool goes_on_() const noexcept;
  /// Inside on_closed(), and no verb there has begun another life.
  bool is_over_() const noexcept { return in_on_closed_ && !loop_has_begun(); }
  /// Makes a handler that has not begun idle, without on_closed(). It remembers no verb then.
  void forget_() noexcept;
  void left_behind_() noexcept;
  void unanswered_() noexcept;  // counts an on_error() after which nothing comes by itself
  /// The object that the program knows: another one, if this handler is a part of it.
  struct HandlerName {
    const char* kind;
    const void* object;
  };
  virtual HandlerName loop_known_as() const noexcept;
  [[noreturn]] void misused_(const char* how) const noexcept;
  [[noreturn]] void clashes_(const Handler& other) const noexcept;
  // Called by the destructor of a handler that is not idle: misuse, except in a child of fork(2).
  void destroyed_(const char* how =
                      "destroyed before on_closed(): close() it and run the loop "
                      "until then, or call Proactor::shutdown() first") noexcept;
  // Called in a child of fork(2): makes the handler idle, without a callback, and without a call
  // that the parent could notice.
  void disown_() noexcept;
  /// Undoes what the handler has changed in this process, such as the action of a signal.
  virtual void loop_leave_process() noexcept {}
  /// notice_error has come: what take_error_() gave.
  virtual void loop_tell_error(std::int32_t error);
  /// The loop tells one of the notices that the derived class asked for.
  virtual void loop_dispatch(HandlerNotice) {}
  /// on_drain() is due.
  virtual void loop_drain() { on_drain(); }
  /// The deadline of the server's drain has passed: the handler takes what had come by then, and
  /// closes.
  virtual void loop_overdue() { close(); }
  /// Hands queued output to the backend.
  virtual void loop_flush() {}
  /// Whether the handler has anything that close() would have to end. An open handler that has not
  /// begun has only an error to tell, of a verb that needed what the handler lacks.
  virtual bool loop_has_begun() const noexcept { return is_open(); }
  /// close() was called: ends what is not an operation on the handler's descriptor.
  virtual void loop_closing_down() noexcept {}
  /// No operation is in flight any more.
  virtual void loop_release_resources() noexcept {}

  ListHook open_hook_;
  ListHook notice_hook_;
  ListHook unflushed_hook_;
  Proactor& proactor_;
  class ServerCore* server_ = nullptr;
  Socket socket_;
  // -errno or a negative Error: the loop will call on_error() with it. Others may be due after it.
  std::int16_t error_ = 0;
  std::uint16_t notices_ = 0;
  // what close() waits for besides the operations on the descriptor: an Open, a write into another
  // file, blocks that are lent to the kernel
  std::uint16_t elsewhere_ : 15;
  std::uint16_t more_errors_ : 1;  // whether the loop keeps errors that are due after error_
  const HandlerKind kind_;         // read by foreign threads, to say whose verb they have called
  std::uint8_t told_last_ : 4;     // the number of the notice that the loop told last, from 1
  HandlerState state_ : 2;
  bool keeps_running_ : 1;  // while the handler is open, run() does not return
  bool in_on_closed_ : 1;
};

}  // namespace v0
}  // namespace proa
