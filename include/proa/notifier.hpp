#pragma once

#include <atomic>
#include <proa/handler.hpp>

namespace proa {

/// Lets any thread or signal handler call the loop: notify() any number of times leads to
/// on_notify() at least once after the last of them. It does not keep run() going. Nobody may call
/// notify() any more when on_closed() has begun.
class Notifier : public Handler {
 public:
  explicit Notifier(Proactor& proactor) noexcept : Notifier(proactor, Kind::notifier) {}

  /// Makes it open, so that on_notify() can come, also for what was notified before; the proactor's
  /// thread.
  void start() noexcept { Handler::start("start"); }
  /// Any thread, also from a signal handler (signal-safety(7)): no lock, no allocation, at most one
  /// write(2), or kevent(2) with kqueue.
  void notify() noexcept;

 protected:
  Notifier(Proactor& proactor, Kind kind) noexcept;
  ~Notifier() override;

  virtual void on_notify() = 0;

 private:
  friend class HandlerLoop;
  void dispatch(Notice) override { on_notify(); }

  std::atomic<bool> notified_{false};
  Notifier* next_notified_ = nullptr;
};

}  // namespace proa
