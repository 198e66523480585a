#pragma once

#include <cstdint>
#include <proa/handler.hpp>
#include <proa/on.hpp>
#include <proa/requests.hpp>
#include <proa/time.hpp>

namespace proa {

/// A timer, once or again and again, on the monotonic clock (CLOCK_MONOTONIC, clock_gettime(2)):
/// setting the wall clock changes nothing, also for start_at(), and in a time namespace
/// (time_namespaces(7)) it is the clock of that namespace. Never early; late by what the loop needs
/// to come round (R7).
///
/// While it is armed it is open and keeps run() going. Otherwise it is idle: it may just be
/// destroyed, without close(); that includes on_timer() of a timer that was started once. All of it
/// belongs to the proactor's thread; no method allocates in steady state, and none calls back.
class TimerHandler : public Handler {
 public:
  explicit TimerHandler(Proactor& proactor) noexcept : Handler(proactor, Kind::timer) {}

  /// One on_timer(), `delay` from now; zero or less means in the next round of the loop. An armed
  /// timer is re-armed: only the last start counts. Timers of the same deadline fire in the order
  /// they were started. No effect while it closes. If memory is short, on_error() comes.
  void start(Duration delay) noexcept;
  /// The same at a given time; one in the past means in the next round.
  void start_at(TimePoint deadline) noexcept;
  /// on_timer() after one period, and then after every further one, counted from this start: being
  /// late once does not move the later ones. A period of zero or less leads to
  /// on_error(errc::invalid_argument).
  void start_every(Duration period) noexcept;
  /// Disarms: no on_timer() comes any more. No effect on one that is idle, or closing.
  void stop() noexcept;
  bool armed() const noexcept { return timer_.pending(); }

 protected:
  /// Of an armed timer: aborts and names it.
  ~TimerHandler() override;

  /// The time has come. `expirations` is 1, or more if a loop that was blocked missed some of a
  /// periodic timer's: they come as one call. The timer may be started, stopped, closed and, if it
  /// is not armed, destroyed here.
  virtual void on_timer(std::uint64_t expirations) = 0;

 private:
  void arm(TimePoint deadline, Duration period) noexcept;
  void refuse(std::int32_t error) noexcept;
  void fired(const Result& result);
  void dispatch(Notice) override;
  void closing_down() noexcept override;

  On<Timer, &TimerHandler::fired> timer_{*this};
  TimePoint due_;
  Duration period_{};
};

}  // namespace proa
