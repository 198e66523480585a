// The kqueue backend. It uses EVFILT_READ and EVFILT_WRITE, both with EV_CLEAR, EVFILT_USER to wake
// it, EVFILT_AIO for files and EVFILT_SIGNAL to count signals. PollingBackend does the rest.
// Changes wait for the next kevent(2), so that registering a descriptor needs no call of its own.
// The core keeps the timers.
#include "backend/kqueue/kqueue.hpp"

#include <sys/event.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <utility>

#include "backend/kqueue/files.hpp"
#include "backend/polling.hpp"
#include "sys/kqueue.hpp"
#include "sys/names.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {

namespace {

static_assert(sizeof(void*) == sizeof(std::uint64_t), "udata holds a token");

struct kevent change(int ident, short filter, unsigned flags, unsigned notes,
                     std::uint64_t token) noexcept {
  struct kevent made {};
  made.ident = static_cast<std::uintptr_t>(ident);
  made.filter = filter;
  made.flags = static_cast<decltype(made.flags)>(flags);
  made.fflags = notes;
  made.udata = reinterpret_cast<void*>(token);
  return made;
}

// Whether the kernel accepted a change: 0, -EPERM for a descriptor that is always ready, or -errno.
long verdict(const struct kevent& receipt) noexcept {
  switch (receipt.data) {
    case EINVAL:  // files and devices without events; the number depends on the system
    case ENODEV:
    case EOPNOTSUPP:
      return -EPERM;
    default:
      return -static_cast<long>(receipt.data);
  }
}

class KqueueBackend final : public PollingBackend<KqueueBackend, AioFiles> {
 public:
  static constexpr const char* name = "kqueue";

  explicit KqueueBackend(const BackendContext& context) noexcept : PollingBackend(context) {}

  ~KqueueBackend() override {
    // A child of fork(2) inherits no kqueue, and another descriptor may have the number there.
    if (kqueue_ >= 0 && !process_.inherited()) sys::close(kqueue_);
  }

  long open() noexcept {
    kqueue_ = static_cast<int>(sys::kqueue());
    if (kqueue_ < 0) return kqueue_;
    if (native_files_) files_.open(kqueue_);
    const struct kevent wakes = change(wake_ident, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0);
    return sys::kevent(kqueue_, &wakes, 1, nullptr, 0, nullptr);
  }

  long reopen() noexcept {
    waiting_ = 0;
    woken_.store(false, std::memory_order_relaxed);
    long result = open();
    for (std::size_t i = 0; result >= 0 && i < counted_.size(); ++i) {
      if (counted_[i]) result = count_signal(static_cast<int>(i), counted_[i]);
    }
    return result;
  }

  // The kernel makes the changes even if a signal interrupts the call (kevent(2), EINTR).
  long poll(const timespec* timeout) noexcept {
    return sys::kevent(kqueue_, changes_.data(), static_cast<int>(std::exchange(waiting_, 0)),
                       events_.data(), static_cast<int>(events_.size()), timeout);
  }
  bool unflushed() const noexcept { return waiting_ > 0; }

  Step take(std::size_t index, bool at_once) noexcept {
    const struct kevent& event = events_[index];
    const auto token = reinterpret_cast<std::uint64_t>(event.udata);
    if ((event.flags & EV_ERROR) != 0 && event.data == EPIPE) {
      // The pipe's reader has gone, and the kernel will report nothing: a write says so.
      return adapter_.event(token, {false, true, false, 0}, at_once);
    } else if ((event.flags & EV_ERROR) != 0) {
      const long error = verdict(event);
      if (error == 0) return Step::nothing();
      adapter_.refused(token, error);
      return Step::work(nullptr);
    } else if (event.filter == EVFILT_AIO) {
      files_.event(event.udata);
    } else if (event.filter == EVFILT_SIGNAL) {
      // count_signal() has set the count to 0 if nobody counts this signal any more.
      const auto count = static_cast<std::uint64_t>(event.data);
      if (count > 0) static_cast<SignalCounter*>(event.udata)->sent(*this, count);
    } else if (event.filter == EVFILT_USER) {
      woken_.exchange(false, std::memory_order_acq_rel);
    } else {
      const bool in = event.filter == EVFILT_READ;
      const auto most = std::int64_t{UINT32_MAX};
      const auto there = static_cast<std::uint32_t>(std::clamp<std::int64_t>(event.data, 0, most));
      return adapter_.event(token, {in, !in, (event.flags & EV_EOF) != 0, in ? there : 0}, at_once);
    }
    return Step::nothing();
  }

  // The flag limits many wake-ups to one call per wait. EV_CLEAR together with NOTE_TRIGGER would
  // lose the event.
  void wake() noexcept override {
    if (process_.inherited() || woken_.exchange(true, std::memory_order_acq_rel)) return;
    const struct kevent trigger = change(wake_ident, EVFILT_USER, 0, NOTE_TRIGGER, 0);
    sys::kevent(kqueue_, &trigger, 1, nullptr, 0, nullptr);
  }

  long count_signal(int signal, SignalCounter* counter) noexcept override {
    if (!sys::counts_all_signals) return -EOPNOTSUPP;
    if (process_.inherited()) return 0;
    const struct kevent asked = change(signal, EVFILT_SIGNAL, counter ? EV_ADD : EV_DELETE, 0,
                                       reinterpret_cast<std::uint64_t>(counter));
    if (!counter) {
      for (struct kevent& each : events_) {
        if (each.filter == EVFILT_SIGNAL && each.ident == asked.ident) each.data = 0;
      }
    }
    const long result = sys::kevent(kqueue_, &asked, 1, nullptr, 0, nullptr);
    // If the kernel refuses, reopen() does not ask for this signal again.
    counted_[static_cast<std::size_t>(signal)] = result < 0 ? nullptr : counter;
    return result;
  }

  int native_handle() const noexcept override { return kqueue_; }
  std::vector<std::string> features() const override {
    std::vector<std::string> names = {"EV_CLEAR in both directions", "EVFILT_USER to wake"};
    if (files_.usable()) names.push_back("EVFILT_AIO for files");
    return names;
  }

 private:
  using Pair = std::array<struct kevent, 2>;
  static constexpr int wake_ident = 0;

  static Pair both(int descriptor, unsigned flags, std::uint64_t token) noexcept {
    return {change(descriptor, EVFILT_READ, flags, 0, token),
            change(descriptor, EVFILT_WRITE, flags, 0, token)};
  }
  // With EV_RECEIPT the kernel answers each change and returns no event.
  Pair make_now(Pair pair) noexcept {
    const timespec at_once{};
    for (struct kevent& each : pair) each.flags |= EV_RECEIPT;
    Pair receipts{};
    sys::kevent(kqueue_, pair.data(), 2, receipts.data(), 2, &at_once);
    return receipts;
  }

  // EV_ADD also registers a descriptor anew: the kernel reports again what it is ready for.
  long watch(int descriptor, std::uint64_t token, bool) noexcept override {
    const Pair pair = both(descriptor, EV_ADD | EV_CLEAR, token);
    if (waiting_ + pair.size() > changes_.size()) {
      for (const struct kevent& receipt : make_now(pair)) {
        if (const long error = verdict(receipt)) return error;
      }
      return 0;
    }
    std::copy(pair.begin(), pair.end(), changes_.begin() + static_cast<std::ptrdiff_t>(waiting_));
    waiting_ += pair.size();
    return 0;
  }
  // Drops the changes that still wait, because the descriptor's number may soon be another one's.
  // close(2) removes what the kernel has registered.
  void unwatch(int descriptor, bool lives_on) noexcept override {
    const auto end = changes_.begin() + static_cast<std::ptrdiff_t>(waiting_);
    const auto kept = std::remove_if(changes_.begin(), end, [&](const struct kevent& each) {
      return each.ident == static_cast<std::uintptr_t>(descriptor);
    });
    waiting_ = static_cast<std::size_t>(kept - changes_.begin());
    if (lives_on && !process_.inherited()) make_now(both(descriptor, EV_DELETE, 0));
  }

  bool silent_on_misuse() const noexcept override { return true; }

  int kqueue_ = -1;
  std::array<struct kevent, 256> events_{};
  std::array<struct kevent, 256> changes_;
  std::size_t waiting_ = 0;
  std::array<SignalCounter*, sys::signal_count> counted_{};
  std::atomic<bool> woken_{false};
};

}  // namespace

BackendInfo kqueue_backend() noexcept {
  return {KqueueBackend::name, nullptr, KqueueBackend::create};
}

}  // namespace v0
}  // namespace proa
