// A notifier is a flag, a place in a lock-free stack and one wake-up. Upholds R9.
#include <proa/notifier.hpp>

#include "handler/handler_loop.hpp"

namespace proa {

Notifier::Notifier(Proactor& proactor, HandlerKind kind) noexcept : Handler(proactor, kind) {
  keeps_running_ = false;
}

// A notifier that was notified but never opened is still in the stack of notified ones.
Notifier::~Notifier() {
  if (is_open() || !notified_.load(std::memory_order_acquire)) return;
  if (!proactor().core().inherited()) check_("~Notifier");
  proactor().core().collect_notified();
}

void Notifier::stop() noexcept {
  if (!proactor().core().inherited()) check_("stop");
  if (is_open() && !closing()) rest_();
}

void Notifier::notify() noexcept {
  if (!notified_.exchange(true, std::memory_order_acq_rel)) proactor().core().notified(*this);
}

}  // namespace proa
