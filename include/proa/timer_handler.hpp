#pragma once

#include <cstdint>
#include <proa/detail/api.hpp>
#include <proa/handler.hpp>
#include <proa/on.hpp>
#include <proa/requests.hpp>
#include <proa/time.hpp>

namespace proa {
inline namespace v0 {

/// A timer that fires once or again and again, on the monotonic clock (CLOCK_MONOTONIC,
/// clock_gettime(2)): setting the wall clock changes nothing, also for start_at(). In a time
/// namespace (time_namespaces(7)) it uses the clock of that namespace. A timer is never early, and
/// late only by the time that the loop needs to come round (R7).
///
/// A timer is open while it is armed, and keeps run() going then. Otherwise it is idle, also in the
/// on_timer() of a timer that was started once: it may just be destroyed, without close().
/// Everything belongs to the proactor's thread; no method allocates in steady state, and none calls
/// back.
class PROA_API TimerHandler : public Handler {
 public:
  explicit TimerHandler(Proactor& proactor) noexcept : TimerHandler(proactor, HandlerKind::timer) {}

  /// Calls on_timer() once, `delay` from now; zero or less means in the next round of the loop.
  /// Starting an armed timer arms it anew: only the last start counts. Timers of the same deadline
  /// fire in the order in which they were started. No effect while the handler closes. If memory is
  /// short, on_error() comes.
  void start(Duration delay) noexcept;
  /// The same at a given time; a time in the past means in the next round.
  void start_at(TimePoint deadline) noexcept;
  /// Calls on_timer() after one period, and then after every further one, counted from this start:
  /// if one call is late, the later ones are not. A period of zero or less leads to
  /// on_error(errc::invalid_argument).
  void start_every(Duration period) noexcept;
  /// Disarms the timer: no on_timer() comes any more. No effect on a timer that is idle or closing.
  void stop() noexcept;
  bool armed() const noexcept { return timer_.pending(); }

 protected:
  /// For the library's own timers.
  TimerHandler(Proactor& proactor, HandlerKind kind) noexcept : Handler(proactor, kind) {}
  /// Destroying an armed timer is misuse: it aborts and names the timer.
  ~TimerHandler() override;

  /// The time has come. `expirations` is 1, or more if the loop was blocked and missed some
  /// expirations of a periodic timer: they come as one call. The timer may be started, stopped,
  /// closed and, if it is not armed, destroyed here.
  virtual void on_timer(std::uint64_t expirations) = 0;

 private:
  void arm_(TimePoint deadline, Duration period) noexcept;
  void refuse_(std::int32_t error) noexcept;
  void fired_(const Result& result);
  void loop_dispatch(HandlerNotice) override;
  bool loop_has_begun() const noexcept override { return armed(); }
  void loop_closing_down() noexcept override;

  On<Timer, &TimerHandler::fired_> timer_{*this};
  TimePoint due_;
  Duration period_{};
};

}  // namespace v0
}  // namespace proa
