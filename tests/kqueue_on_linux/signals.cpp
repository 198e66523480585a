// EVFILT_SIGNAL: while a knote is there, the action of its signal is a hook, which counts and then
// does what the program has set. The linker sends sigaction() and signal() of the program through
// here (--wrap). Unlike FreeBSD's, it hears of signals when they are delivered, and not of those
// whose action is the default one.
#include <cerrno>
#include <csignal>
#include <utility>

#include "kernel.hpp"

extern "C" {
int __real_sigaction(int number, const struct sigaction* action, struct sigaction* before);
}

namespace proa_test::emulated {

namespace {

struct Signal {
  Knote* knotes = nullptr;
  struct sigaction own {};   // of the program, while there are knotes
  bool sent_before = false;  // one is pending that no knote has seen
};
Signal signals[NSIG];

bool takes_information(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) != 0;
}

bool is_handler(const struct sigaction& action) noexcept {
  return takes_information(action) ||
         (action.sa_handler != SIG_IGN && action.sa_handler != SIG_DFL);
}

void hook(int number, siginfo_t* information, void* context) {
  const int before = errno;
  struct sigaction own {};
  {
    const Giant giant;
    const bool seen = !std::exchange(signals[number].sent_before, false);
    for (Knote* at = signals[number].knotes; at && seen; at = at->next) {
      ++at->event.data;
      if (is_ready(*at)) activate(*at);
    }
    own = signals[number].own;
  }
  errno = before;
  if (takes_information(own)) return own.sa_sigaction(number, information, context);
  if (is_handler(own)) own.sa_handler(number);
}

int install(int number) noexcept {
  const Signal& signal = signals[number];
  struct sigaction action = signal.own;
  const bool ignored = !takes_information(action) && action.sa_handler == SIG_IGN;
  if (signal.knotes && (ignored || is_handler(action))) {
    action.sa_sigaction = hook;
    action.sa_flags |= SA_SIGINFO | (ignored ? SA_RESTART : 0);
  }
  return __real_sigaction(number, &action, nullptr);
}

bool exists(std::uintptr_t number) noexcept { return number > 0 && number < NSIG; }

}  // namespace

void listen(Knote& knote) noexcept {
  if (!exists(knote.event.ident)) return;  // it may be any number, and is never sent
  const int number = static_cast<int>(knote.event.ident);
  Signal& signal = signals[number];
  if (!signal.knotes) {
    sigset_t pending;
    signal.sent_before = ::sigpending(&pending) == 0 && ::sigismember(&pending, number) == 1;
    __real_sigaction(number, nullptr, &signal.own);
  }
  knote.next = std::exchange(signal.knotes, &knote);
  install(number);
}

void listen_no_longer(Knote& knote) noexcept {
  if (!exists(knote.event.ident)) return;
  const int number = static_cast<int>(knote.event.ident);
  Knote** at = &signals[number].knotes;
  while (*at != &knote) at = &(*at)->next;
  *at = knote.next;
  if (!signals[number].knotes) install(number);
}

void forget_signals_after_fork() noexcept {
  for (int number = 1; number < NSIG; ++number) {
    if (std::exchange(signals[number].knotes, nullptr)) install(number);
  }
}

}  // namespace proa_test::emulated

using namespace proa_test::emulated;

extern "C" int __wrap_sigaction(int number, const struct sigaction* action,
                                struct sigaction* before) {
  if (!in_use() || !exists(static_cast<std::uintptr_t>(number))) {
    return __real_sigaction(number, action, before);
  }
  const Giant giant;
  Signal& signal = signals[number];
  if (!signal.knotes) return __real_sigaction(number, action, before);
  const struct sigaction own = signal.own;
  if (action) {
    signal.own = *action;
    if (install(number) < 0) {
      signal.own = own;
      return -1;
    }
  }
  if (before) *before = own;
  return 0;
}

using Handler = void (*)(int);

extern "C" Handler __wrap_signal(int number, Handler handler) {
  struct sigaction action {
  }, before{};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  return __wrap_sigaction(number, &action, &before) < 0 ? SIG_ERR : before.sa_handler;
}
