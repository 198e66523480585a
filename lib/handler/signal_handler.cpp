// Signals, by way of one table for the process: the only mutable global of the library. Per signal
// it holds a list of subscriptions; the handler of the operating system walks it, counts, and
// notifies, all by atomics alone (signal-safety(7)). Upholds R9.
//
// Where the backend counts what is sent as well (Backend::count_signal()), the higher of the two
// counts is told: one that was sent before is counted by the handler alone, and one that is blocked
// by the backend alone.
//
// Lists change under a mutex that the handler does not take. A subscription that was unlinked may
// still be in the hands of a handler that runs in another thread: it is freed when no handler of
// its signal runs any more. The thread that waits for this cannot be inside that handler itself.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <initializer_list>
#include <mutex>
#include <new>
#include <proa/error.hpp>
#include <proa/signal_handler.hpp>
#include <thread>
#include <utility>

#include "base/error_code.hpp"
#include "handler/handler_loop.hpp"
#include "sys/names.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace detail {
struct Subscription {
  Subscription(SignalHandler& handler, int number) noexcept : owner(&handler), signal(number) {}
  using Count = std::atomic<unsigned long>;
  void arrived(Count& count, std::uint64_t times) noexcept {
    count.fetch_add(static_cast<unsigned long>(times), std::memory_order_relaxed);
    owner->notify();
  }
  /// A copy, in a child of fork(2), of one that its parent's loop hears of.
  bool lost() const noexcept { return owner->proactor().core().lost(); }
  /// How often it arrived since the last call.
  std::uint64_t take() noexcept {
    const unsigned long by_now =
        std::max(handled.load(std::memory_order_relaxed), sent.load(std::memory_order_relaxed));
    return by_now - std::exchange(told, by_now);
  }

  SignalHandler* const owner;
  const int signal;
  Count handled{0};        // counted by the handler of the operating system
  Count sent{0};           // counted by the backend
  unsigned long told = 0;  // to on_signal(), of the higher of these
  std::atomic<Backend*> counted_by{nullptr};
  std::atomic<Subscription*> next{nullptr};  // of the same signal
  Subscription* next_of_owner = nullptr;
};
}  // namespace detail

namespace {

using detail::Subscription;

struct Entry final : SignalCounter {
  void sent(Backend& from, std::uint64_t times) noexcept override;

  std::atomic<Subscription*> first{nullptr};
  std::atomic<int> running{0};  // handlers at work on the list
  struct sigaction before {};   // valid while the list is not empty
};

static_assert(std::atomic<Subscription*>::is_always_lock_free &&
                  Subscription::Count::is_always_lock_free,
              "a signal handler uses them");

Entry table[sys::signal_count];

extern "C" void proa_signal_arrived(int signal) {
  Entry& entry = table[signal];
  // Sequentially consistent, like unlinking and then looking at `running`: one of the two sees the
  // other.
  entry.running.fetch_add(1);
  bool heard = false;
  for (Subscription* s = entry.first.load(); s; s = s->next.load()) {
    if (s->lost()) continue;
    s->arrived(s->handled, 1);
    heard = true;
  }
  entry.running.fetch_sub(1);
  if (heard) return;
  // A child of fork(2), to which the signal does what it did before the parent listened to it:
  // blocked in here, it comes again behind this.
  sys::sigaction(signal, &entry.before, nullptr);
  sys::raise(signal);
}

void Entry::sent(Backend& from, std::uint64_t times) noexcept {
  running.fetch_add(1);
  for (Subscription* s = first.load(); s; s = s->next.load()) {
    if (s->counted_by == &from) s->arrived(s->sent, times);
  }
  running.fetch_sub(1);
}

bool among(int signal, std::initializer_list<int> signals) noexcept {
  return std::find(signals.begin(), signals.end(), signal) != signals.end();
}

// Not those that an instruction raises, which the system does not count (SIGTRAP), and not what
// writes of the library raise and take back.
void count_by_backend(Subscription& subscription, Entry& entry) noexcept {
  if (among(subscription.signal, {SIGTRAP, SIGPIPE, SIGXFSZ})) return;
  Backend& backend = subscription.owner->proactor().core().backend();
  if (backend.count_signal(subscription.signal, &entry) == 0) subscription.counted_by = &backend;
}

// Once no other subscription has it counted.
void count_no_longer(const Subscription& subscription, const Entry& entry) noexcept {
  Backend* const backend = subscription.counted_by;
  for (const Subscription* s = entry.first.load(); s; s = s->next.load()) {
    if (s->counted_by == backend) return;
  }
  if (backend) backend->count_signal(subscription.signal, nullptr);
}

bool can_be_handled(int signal) noexcept {
  return signal > 0 && signal < sys::signal_count &&
         !among(signal, {SIGSEGV, SIGBUS, SIGFPE, SIGILL});
}

bool all_lost(const Subscription* some) noexcept {
  while (some && some->lost()) some = some->next.load();
  return some == nullptr;
}

int subscribe(Subscription& subscription) noexcept {
  Entry& entry = table[subscription.signal];
  const std::lock_guard<std::mutex> lock(sys::signal_actions());
  Subscription* const others = entry.first.load();
  const bool alone = all_lost(others);
  subscription.next.store(others);
  entry.first.store(&subscription);  // before the action, so that no signal falls between
  if (alone) {
    struct sigaction action {};
    struct sigaction before {};
    action.sa_handler = proa_signal_arrived;
    action.sa_flags = SA_RESTART;
    const long result = sys::sigaction(subscription.signal, &action, &before);
    if (result < 0) {
      entry.first.store(others);
      return static_cast<int>(result);
    }
    if (before.sa_handler != proa_signal_arrived) entry.before = before;
  }
  count_by_backend(subscription, entry);
  return 0;
}

void unsubscribe(Subscription& subscription) noexcept {
  Entry& entry = table[subscription.signal];
  {
    const std::lock_guard<std::mutex> lock(sys::signal_actions());
    std::atomic<Subscription*>* link = &entry.first;
    while (link->load() != &subscription) link = &link->load()->next;
    Subscription* const next = subscription.next.load();
    if (link == &entry.first && !next) {
      struct sigaction current {};
      sys::sigaction(subscription.signal, nullptr, &current);
      if (current.sa_handler == proa_signal_arrived) {
        sys::sigaction(subscription.signal, &entry.before, nullptr);
      }
    }
    link->store(next);
    count_no_longer(subscription, entry);
  }
  if (subscription.lost())
    return;  // a handler that ran in another thread of the parent does not here
  while (entry.running.load() != 0) std::this_thread::yield();
}

void describe(std::string* detail, int signal, const std::error_code& error) noexcept {
  if (!detail) return;
  try {
    *detail = "cannot handle signal " + std::to_string(signal) + ": " + error.message();
  } catch (const std::bad_alloc&) {  // then without a sentence
    detail->clear();
  }
}

}  // namespace

SignalHandler::SignalHandler(Proactor& proactor) noexcept : Notifier(proactor, Kind::signal) {}

SignalHandler::~SignalHandler() {
  if (is_open()) destroyed("destroyed while it was started or closing");
}

std::error_code SignalHandler::start(int signal, std::string* detail) noexcept {
  int error = 0;
  if (detail) detail->clear();
  Handler::start("start");
  for (const Subscription* s = subscriptions_; s; s = s->next_of_owner) {
    if (s->signal == signal) return {};
  }
  if (!is_open() || closing()) {  // a proactor that was shut down opens nobody
    error = code_of(Error::closing);
  } else if (!can_be_handled(signal)) {
    error = -EINVAL;
  } else if (auto* const made = new (std::nothrow) Subscription(*this, signal); !made) {
    error = -ENOMEM;
  } else if ((error = subscribe(*made)) != 0) {
    delete made;
  } else {
    made->next_of_owner = subscriptions_;
    subscriptions_ = made;
    return {};
  }
  if (is_open() && !closing() && !subscriptions_) rest();
  const std::error_code code = to_error_code(error);
  describe(detail, signal, code);
  return code;
}

void SignalHandler::stop() noexcept {
  if (!proactor().core().inherited()) check("stop");
  if (!is_open() || closing()) return;
  closing_down();
  rest();
}

void SignalHandler::closing_down() noexcept {
  while (Subscription* const subscription = subscriptions_) {
    subscriptions_ = subscription->next_of_owner;
    unsubscribe(*subscription);
    delete subscription;
  }
}

// One signal per call, the rest from a later notice: the callback may do anything. The one that was
// told goes to the end of the list, or a signal that keeps coming would stand before the others for
// ever (R8).
void SignalHandler::on_notify() {
  for (Subscription** link = &subscriptions_; *link; link = &(*link)->next_of_owner) {
    Subscription* const told = *link;
    const std::uint64_t count = told->take();
    if (count == 0) continue;
    if (told->next_of_owner) {
      notify_later(notice_notified);
      *link = std::exchange(told->next_of_owner, nullptr);
      while (*link) link = &(*link)->next_of_owner;
      *link = told;
    }
    on_signal(told->signal, count);
    return;
  }
}

}  // namespace proa
