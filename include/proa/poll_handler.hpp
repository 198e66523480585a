#pragma once

#include <cstdint>
#include <proa/handler.hpp>
#include <proa/on.hpp>
#include <proa/poll.hpp>
#include <system_error>

namespace proa {
inline namespace v0 {

/// Watches a descriptor that somebody else reads and writes, mostly a library with sockets of its
/// own (c-ares, curl, libpq), and tells when it is ready. Subclass it. The handler reads nothing,
/// writes nothing, and leaves the descriptor's mode alone; while it is open, run() goes on.
/// poll(2).
///
///     struct Watcher : proa::PollHandler {
///       using PollHandler::PollHandler;
///       void on_ready(const proa::Poll& ready) override { ... }  // the library reads and writes
///       void on_closed() override { delete this; }
///     };
///
/// The handler tells again as long as the descriptor is ready (level-triggered), in turn with
/// everything else (R8), so a library need not read all that there is.
///
/// The handler works on a duplicate of the descriptor (fcntl(2), F_DUPFD_CLOEXEC), which it closes
/// before on_closed(). So the library may close its own at any time: close() the handler with it,
/// and until on_closed() the connection stays open. Everything belongs to the proactor's thread,
/// and no verb calls back.
class PROA_API PollHandler : public Handler {
 public:
  explicit PollHandler(Proactor& proactor) noexcept : Handler(proactor, HandlerKind::poll) {}

  /// Opens the handler, which watches nothing yet. Errors: those of fcntl(2), F_DUPFD_CLOEXEC
  /// (EBADF, EMFILE); errc::device_or_resource_busy if the handler is open, Error::closing if it
  /// closes, or the proactor was shut down.
  [[nodiscard]] std::error_code open(int descriptor) noexcept;

  /// Calls on_ready() when there are bytes, a connection, the end or an error to read, until it is
  /// turned off. on_error() comes if memory is short, or if a repeating Poll of the program has
  /// this direction (Error::reading_is_on). No effect unless the handler is open.
  void watch_input(bool on) noexcept;
  /// The same for room to write. A connect(2) that is under way has room when it has succeeded or
  /// failed.
  void watch_output(bool on) noexcept;

 protected:
  ~PollHandler() override;

  /// The descriptor is ready in `ready.direction()`, whose other methods say more. Anything may be
  /// called here; for the other direction there is another call.
  virtual void on_ready(const Poll& ready) = 0;

 private:
  struct PollAgain;

  void answered_(Poll& request, const Result& result);
  bool& wants_(const Poll& request) noexcept {
    return request.direction() == Direction::in ? wants_input_ : wants_output_;
  }
  void watch_(Poll& request, bool on) noexcept;
  void ask_(Poll& request) noexcept;
  void loop_tell_error(std::int32_t error) override;

  On<Poll, &PollHandler::answered_> in_{*this, Direction::in};
  On<Poll, &PollHandler::answered_> out_{*this, Direction::out};
  bool wants_input_ = false;
  bool wants_output_ = false;
};

}  // namespace v0
}  // namespace proa
