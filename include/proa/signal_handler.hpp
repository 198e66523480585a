#pragma once

#include <cstdint>
#include <proa/notifier.hpp>
#include <string>
#include <system_error>

namespace proa {

namespace detail {
struct Subscription;
}

/// Hears of signals in the loop, where everything is allowed, not in a signal handler. Any number
/// of handlers, of any proactors, may be started for the same signal: each is told. It does not
/// keep run() going. All of it belongs to the proactor's thread; no method calls back.
///
/// The first one started for a signal replaces the process's action for it (sigaction(2), with
/// SA_RESTART); the action that was there is put back when the last one stops or closes, unless the
/// program has set another one meanwhile. The signal must not be blocked in all threads. While it
/// is started it is open, otherwise idle: it may then just be destroyed, without close().
class SignalHandler : public Notifier {
 public:
  explicit SignalHandler(Proactor& proactor) noexcept;

  /// Begins to listen to a signal; may be called for several, and again for one it listens to.
  /// Refuses with errc::invalid_argument, and a sentence in `*detail`, if asked for, that names the
  /// signal: numbers that are none, SIGKILL and SIGSTOP, which nobody can handle, and SIGSEGV,
  /// SIGBUS, SIGFPE and SIGILL, which the faulting instruction would raise for ever. Also
  /// errc::not_enough_memory, and Error::closing while it closes or if the proactor was shut down.
  std::error_code start(int signal, std::string* detail = nullptr) noexcept;
  /// Ends all of it; signals that were not told yet are dropped. No effect on one that closes.
  void stop() noexcept;

 protected:
  /// Of one that is started: aborts and names it.
  ~SignalHandler() override;

  /// The signal has arrived `count` times since the last call. Linux and macOS count one that waits
  /// to be handled once (signal(7)); FreeBSD counts what was sent (EVFILT_SIGNAL, kevent(2)). The
  /// handler may be stopped, closed and, if it is stopped, destroyed here.
  virtual void on_signal(int signal, std::uint64_t count) = 0;

 private:
  friend struct detail::Subscription;
  using Notifier::notify;
  void on_notify() final;
  void closing_down() noexcept override;
  void leave_process() noexcept override { closing_down(); }

  detail::Subscription* subscriptions_ = nullptr;
};

}  // namespace proa
