// A stream's timeouts, looked at and not moved. Upholds R7.
#include "handler/stream_timing.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <proa/error.hpp>
#include <proa/stream_handler.hpp>

#include "handler/stream_states.hpp"
#include "proactor/core.hpp"

namespace proa {

StreamHandler::Timing* StreamHandler::timing() noexcept {
  if (!timing_) {
    timing_.reset(new (std::nothrow) Timing(*this));
    if (!timing_ && start()) fail(-ENOMEM);
  }
  return timing_.get();
}

bool StreamHandler::take_limit(Duration limit) noexcept {
  if (closing() || proactor_.shutting_down()) return false;
  if (limit > Duration::zero()) return timing() != nullptr;
  start();
  fail(-EINVAL);
  return false;
}

void StreamHandler::set_read_timeout(Duration limit) noexcept {
  if (!take_limit(limit)) return;
  timing_->read = limit;
  timing_->silent_since = system_now();
  if (live()) arm_timer();
}

void StreamHandler::set_idle_timeout(Duration limit) noexcept {
  if (!take_limit(limit)) return;
  timing_->idle = limit;
  timing_->idle_since = system_now();
  if (live()) arm_timer();
}

void StreamHandler::start_timing() noexcept {
  timing_->silent_since = timing_->idle_since = system_now();
  arm_timer();
}

TimePoint StreamHandler::system_now() const noexcept { return proactor_.system().now(); }

// While nothing can arrive, because it is not wanted or has ended, the read timeout stands still.
TimePoint StreamHandler::next_timeout() const noexcept {
  const bool silent = connected() && reads() && held_.empty() && !input_over_ && !broken_;
  const TimePoint since = silent ? timing_->silent_since : proactor_.core().now();
  return std::min({after(since, timing_->read), after(timing_->idle_since, timing_->idle),
                   finishing_ ? after(timing_->sent_last, timing_->linger) : never});
}

void StreamHandler::arm_timer() noexcept {
  const TimePoint next = next_timeout();
  if (next == never) return proactor_.core().disarm(timing_->timer);
  if (!proactor_.core().arm(timing_->timer, next)) fail(-ENOMEM);
}

void StreamHandler::timer_expired(const Result&) {
  const TimePoint now = proactor_.core().now();
  note_file_progress();
  if (next_timeout() > now) return arm_timer();
  if (finishing_ && after(timing_->sent_last, timing_->linger) <= now) return close();
  timing_->silent_since = timing_->idle_since = now;
  arm_timer();
  on_error(Error::deadline);
}

}  // namespace proa
