// A reconnector is a timer that is started with each failure. Giving up takes a turn of the loop
// too, because failed() calls nobody back (R1).
#include <algorithm>
#include <proa/reconnector.hpp>
#include <utility>

#include "base/misuse.hpp"
#include "handler/handler_loop.hpp"

namespace proa {

namespace {

void check(const char* what, Duration wait, const void* object) noexcept {
  if (wait > Duration::zero()) return;
  misuse("Reconnector %p made with Backoff::%s of %lld ns", object, what,
         static_cast<long long>(wait.count()));
}

// In place of entropy where a system has none: the steps of splitmix64.
std::uint64_t mixed(std::uint64_t number) noexcept {
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9u;
  number = (number ^ (number >> 27)) * 0x94d049bb133111ebu;
  return number ^ (number >> 31);
}

}  // namespace

Reconnector::Reconnector(Proactor& proactor, const Backoff& backoff) noexcept
    : TimerHandler(proactor, HandlerKind::reconnector), backoff_(backoff) {
  check("first", backoff.first, this);
  check("most", backoff.most, this);
}

void Reconnector::failed(std::error_code why) noexcept {
  check_("failed");
  if (is_open()) return;
  last_ = why;
  gives_up_ = backoff_.tries > 0 && attempt_ >= backoff_.tries;
  if (!gives_up_) ++attempt_;
  delay_ = gives_up_ ? Duration::zero() : draw_();
  start(delay_);
}

void Reconnector::succeeded() noexcept {
  check_("succeeded");
  attempt_ = 0;
}

Duration Reconnector::draw_() noexcept {
  Duration longest = std::min(backoff_.first, backoff_.most);
  for (std::uint64_t n = 1; n < attempt_ && longest < backoff_.most; ++n) {
    longest = longest > backoff_.most / 2 ? backoff_.most : longest * 2;
  }
  System& system = proactor().system();
  std::uint64_t random = 0;
  if (system.entropy({&random, sizeof random}) != static_cast<long>(sizeof random)) {
    const auto now = system.now().time_since_epoch().count();
    random = mixed(static_cast<std::uint64_t>(now) ^ reinterpret_cast<std::uintptr_t>(this));
  }
  return Duration(
      static_cast<Duration::rep>(random % (static_cast<std::uint64_t>(longest.count()) + 1)));
}

void Reconnector::on_timer(std::uint64_t) {
  if (!gives_up_) return on_attempt();
  attempt_ = 0;
  on_given_up(std::exchange(last_, {}));
}

}  // namespace proa
