#pragma once

#include <cstdint>
#include <proa/detail/api.hpp>
#include <proa/notifier.hpp>
#include <string>
#include <system_error>

namespace proa {
inline namespace v0 {

namespace detail {
struct Subscription;
}

/// Hears of signals in the loop, where everything is allowed, and not in a signal handler. Any
/// number of handlers, of any proactors, may be started for the same signal: each is told. A
/// SignalHandler does not keep run() going. Everything belongs to the proactor's thread; no method
/// calls back.
///
/// The first handler that is started for a signal replaces the process's action for it
/// (sigaction(2), with SA_RESTART). When the last one stops or closes, the library puts the former
/// action back, unless the program has set another one meanwhile. If somebody has kept the
/// library's action and sets it again after that (system(3) does so with SIGINT), the next signal
/// goes to the former action. Two copies of the library in one process (two plugins that are linked
/// with the static one) replace each other's actions like strangers. The signal must not be blocked
/// in all threads. A handler is open while it is started, otherwise idle: it may then just be
/// destroyed, without close().
class PROA_API SignalHandler : public Notifier {
 public:
  explicit SignalHandler(Proactor& proactor) noexcept;

  /// Begins to listen to a signal. May be called for several signals, and again for the same one.
  /// Refuses with errc::invalid_argument, and a sentence in `*detail`, if given, that names the
  /// signal: numbers that are no signal, SIGKILL and SIGSTOP, which nobody can handle, and SIGSEGV,
  /// SIGBUS, SIGFPE and SIGILL, which the faulting instruction would raise for ever. Also
  /// errc::not_enough_memory, and Error::closing while the handler closes or if the proactor was
  /// shut down.
  [[nodiscard]] std::error_code start(int signal, std::string* detail = nullptr) noexcept;
  /// Stops listening to all signals; signals that were not told yet are dropped. No effect on a
  /// handler that closes.
  void stop() noexcept;

 protected:
  /// Destroying a started handler is misuse: it aborts and names the handler.
  ~SignalHandler() override;

  /// The signal has arrived `count` times since the last call. Linux and macOS count a signal once
  /// while it waits to be handled (signal(7)); FreeBSD counts how often it was sent (EVFILT_SIGNAL,
  /// kevent(2)). The handler may be stopped, closed and, if it is stopped, destroyed here.
  virtual void on_signal(int signal, std::uint64_t count) = 0;

 private:
  friend struct detail::Subscription;
  using Notifier::notify;
  void on_notify() final;
  void loop_closing_down() noexcept override;
  void loop_leave_process() noexcept override { loop_closing_down(); }

  detail::Subscription* subscriptions_ = nullptr;
};

}  // namespace v0
}  // namespace proa
