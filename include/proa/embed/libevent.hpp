#pragma once

#include <event2/event.h>

#include <proa/embed/poll.hpp>

namespace proa {
inline namespace v0 {
namespace embed {

/// Lets a proactor live inside an event_base of libevent.
///
///     proa::embed::LibeventAdapter adapter(proactor, base);
///     if (!adapter) ...  // no memory
///     event_base_dispatch(base);
///
/// What all adapters have in common is in embed/poll.hpp. The adapter's events keep
/// event_base_dispatch() going until the adapter is destroyed, or until event_base_loopbreak().
/// A base that was made without EVENT_BASE_FLAG_PRECISE_TIMER looks at a coarse clock: a timer of
/// the proactor is some milliseconds later in it than in a loop of its own.
class LibeventAdapter {
 public:
  LibeventAdapter(Proactor& proactor, event_base* base) noexcept
      : loop_(proactor),
        readable_(event_new(base, loop_.entry().fd, EV_READ | EV_PERSIST, came, this)),
        due_(event_new(base, -1, 0, came, this)) {
    attached_ = readable_ && due_ && event_add(readable_, nullptr) == 0;
    if (attached_) wait();
  }
  ~LibeventAdapter() {
    if (readable_) event_free(readable_);
    if (due_) event_free(due_);
  }
  LibeventAdapter(const LibeventAdapter&) = delete;
  LibeventAdapter& operator=(const LibeventAdapter&) = delete;

  /// Whether libevent has taken the proactor on.
  explicit operator bool() const noexcept { return attached_; }

 private:
  static void came(evutil_socket_t, short, void* self) {
    static_cast<LibeventAdapter*>(self)->turn();
  }
  void turn() {
    loop_.turn(true);
    wait();
  }
  // What is begun after this, and is due earlier, makes the descriptor readable.
  void wait() noexcept {
    const int timeout = loop_.timeout();
    if (timeout < 0) {
      event_del(due_);
      return;
    }
    const timeval left = {timeout / 1000, timeout % 1000 * 1000};
    event_add(due_, &left);
  }

  PollAdapter loop_;
  event* readable_;
  event* due_;
  bool attached_ = false;
};

}  // namespace embed
}  // namespace v0
}  // namespace proa
