// Signals, by way of one table for the process. Per signal it holds a list of subscriptions; the
// handler of the operating system walks it, counts, and notifies, all by atomics alone
// (signal-safety(7)). Upholds R9.
//
// Where the backend counts what is sent as well (Backend::count_signal()), the higher of the two
// counts is told: one that was sent before is counted by the handler alone, and one that is blocked
// by the backend alone.
//
// Lists change under a mutex that the handler does not take. A subscription that was unlinked may
// still be in the hands of a handler that runs in another thread: it is freed when all handlers of
// its signal that ran then have ended. Those that begin meanwhile count themselves elsewhere, so
// that a signal which never stops coming does not hold up who waits. The thread that waits cannot
// be inside such a handler itself.
//
// In a child of fork(2) none of the handlers goes on that ran in other threads of its parent. Where
// the child can hear of none of the subscriptions, the signal does there what it did before.
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
#include "base/memory.hpp"
#include "handler/handler_loop.hpp"
#include "sys/names.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {

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

bool all_lost(const Subscription* some) noexcept {
  while (some && some->lost()) some = some->next.load();
  return some == nullptr;
}

/// Who is at work on a list. All of it is sequentially consistent, as unlinking is: who was counted
/// after the unlinking does not find what was unlinked.
class Walkers {
 public:
  class Walk {
   public:
    explicit Walk(Walkers& all) noexcept : running_(all.running_[all.side_.load()]) {
      running_.fetch_add(1);
    }
    ~Walk() { running_.fetch_sub(1); }
    Walk(const Walk&) = delete;
    Walk& operator=(const Walk&) = delete;

   private:
    std::atomic<int>& running_;
  };

  /// Waits until all walks that have begun by now are over; one caller at a time.
  void wait() noexcept {
    for (int side = 0; side < 2; ++side) {
      const unsigned left = side_.fetch_xor(1);
      while (running_[left].load() != 0) std::this_thread::yield();
    }
  }
  void forget() noexcept {
    for (std::atomic<int>& running : running_) running.store(0);
  }

 private:
  std::atomic<unsigned> side_{0};  // where walks that begin are counted
  std::atomic<int> running_[2]{};
};

struct Entry final : SignalCounter {
  void sent(Backend& from, std::uint64_t times) noexcept override;

  std::atomic<Subscription*> first{nullptr};
  Walkers walkers;
  struct sigaction before {};  // valid while the list is not empty
};

static_assert(std::atomic<Subscription*>::is_always_lock_free &&
                  Subscription::Count::is_always_lock_free,
              "a signal handler uses them");

Entry table[sys::signal_count];

extern "C" void proa_signal_arrived(int signal);

// Puts the action back that was there before the first subscription, unless the program has set
// another one meanwhile. Async-signal-safe.
void put_back(int signal) noexcept {
  struct sigaction current {};
  sys::sigaction(signal, nullptr, &current);
  if (current.sa_handler == proa_signal_arrived) {
    sys::sigaction(signal, &table[signal].before, nullptr);
  }
}

extern "C" void proa_signal_arrived(int signal) {
  Entry& entry = table[signal];
  bool heard = false;
  {
    const Walkers::Walk walk(entry.walkers);
    for (Subscription* s = entry.first.load(); s; s = s->next.load()) {
      if (s->lost()) continue;
      s->arrived(s->handled, 1);
      heard = true;
    }
    // The last subscription has gone. Its action mostly went with it, unless somebody had kept that
    // (system(3) does) and set it again since.
    if (!heard) put_back(signal);
  }
  // Blocked in here, the signal comes again after this, and meets whatever the action is then.
  if (!heard) sys::raise(signal);
}

void Entry::sent(Backend& from, std::uint64_t times) noexcept {
  const Walkers::Walk walk(walkers);
  for (Subscription* s = first.load(); s; s = s->next.load()) {
    if (s->counted_by == &from) s->arrived(s->sent, times);
  }
}

// In a child of fork(2), which has one thread yet.
extern "C" void proa_process_forked() {
  for (int signal = 1; signal < sys::signal_count; ++signal) {
    Entry& entry = table[signal];
    entry.walkers.forget();
    if (entry.first.load() && all_lost(entry.first.load())) put_back(signal);
  }
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

int subscribe(Subscription& subscription) noexcept {
  Entry& entry = table[subscription.signal];
  const std::lock_guard<std::mutex> lock(sys::signal_actions());
  static bool told_of_forks = false;
  if (!told_of_forks) {
    if (const long error = sys::call_in_children(proa_process_forked)) {
      return static_cast<int>(error);
    }
    told_of_forks = true;
  }
  Subscription* const others = entry.first.load();
  const bool alone = all_lost(others);
  subscription.next.store(others);
  entry.first.store(&subscription);  // before the action, so that no signal falls between
  if (alone) {
    entry.walkers.wait();  // for who found nobody, and puts the former action back
    struct sigaction action {};
    struct sigaction before {};
    action.sa_handler = proa_signal_arrived;
    action.sa_flags = SA_RESTART;
    const long result = sys::sigaction(subscription.signal, &action, &before);
    if (result < 0) {
      entry.first.store(others);
      entry.walkers.wait();
      return static_cast<int>(result);
    }
    if (before.sa_handler != proa_signal_arrived) entry.before = before;
  }
  count_by_backend(subscription, entry);
  return 0;
}

void unsubscribe(Subscription& subscription) noexcept {
  Entry& entry = table[subscription.signal];
  const std::lock_guard<std::mutex> lock(sys::signal_actions());
  std::atomic<Subscription*>* link = &entry.first;
  bool others = false;  // that hear of it
  while (link->load() != &subscription) {
    others = others || !link->load()->lost();
    link = &link->load()->next;
  }
  Subscription* const next = subscription.next.load();
  if (!others && all_lost(next)) put_back(subscription.signal);  // first, for who finds nobody
  link->store(next);
  count_no_longer(subscription, entry);
  entry.walkers.wait();
}

void describe(std::string* detail, int signal, const std::error_code& error) noexcept {
  if (!detail) return;
  const bool described = with_memory(
      [&] { *detail = "cannot handle signal " + std::to_string(signal) + ": " + error.message(); });
  if (!described) detail->clear();
}

}  // namespace

SignalHandler::SignalHandler(Proactor& proactor) noexcept
    : Notifier(proactor, HandlerKind::signal) {}

SignalHandler::~SignalHandler() {
  if (is_open()) {
    destroyed_("destroyed while it was started or closing: stop() it, or call shutdown()");
  }
}

std::error_code SignalHandler::start(int signal, std::string* detail) noexcept {
  int error = 0;
  if (detail) detail->clear();
  Handler::start_("start");
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
  if (is_open() && !closing() && !subscriptions_) rest_();
  const std::error_code code = to_error_code(error);
  describe(detail, signal, code);
  return code;
}

void SignalHandler::stop() noexcept {
  if (!proactor().core().inherited()) check_("stop");
  if (!is_open() || closing()) return;
  loop_closing_down();
  rest_();
}

void SignalHandler::loop_closing_down() noexcept {
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
      notify_later_(notice_notified);
      *link = std::exchange(told->next_of_owner, nullptr);
      while (*link) link = &(*link)->next_of_owner;
      *link = told;
    }
    on_signal(told->signal, count);
    return;
  }
}

}  // namespace v0
}  // namespace proa
