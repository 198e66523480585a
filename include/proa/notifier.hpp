#pragma once

#include <atomic>
#include <proa/detail/api.hpp>
#include <proa/handler.hpp>

namespace proa {
inline namespace v0 {

/// Lets any thread or signal handler call the loop: after any number of notify() calls on_notify()
/// comes at least once after the last of them. A notifier does not keep run() going. Nobody may
/// call notify() any more once on_closed() has begun.
class PROA_API Notifier : public Handler {
 public:
  explicit Notifier(Proactor& proactor) noexcept : Notifier(proactor, HandlerKind::notifier) {}

  /// Opens the notifier, so that on_notify() can come, also for a notify() before this call. For
  /// the proactor's thread.
  void start() noexcept { Handler::start_("start"); }
  /// Ends it without on_closed(): the notifier is idle again, and forgets every notify() that
  /// on_notify() has not told. No effect on one that closes. For the proactor's thread.
  void stop() noexcept;
  /// For any thread, also in a signal handler (signal-safety(7)): takes no lock, allocates nothing,
  /// and makes at most one write(2), or kevent(2) with kqueue.
  void notify() noexcept;

 protected:
  /// For SignalHandler.
  Notifier(Proactor& proactor, HandlerKind kind) noexcept;
  ~Notifier() override;

  /// Somebody has called notify(), once or more often.
  virtual void on_notify() = 0;

 private:
  friend class HandlerLoop;
  void loop_dispatch(HandlerNotice) override { on_notify(); }

  std::atomic<bool> notified_{false};
  Notifier* next_notified_ = nullptr;
};

}  // namespace v0
}  // namespace proa
