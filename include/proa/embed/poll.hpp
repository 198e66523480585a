#pragma once

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <proa/misuse.hpp>
#include <proa/proactor.hpp>

/// @namespace proa::embed
/// Each header of this folder lets a proactor live inside the event loop of one other library, and
/// needs that library's headers. No other header of proa includes one of them.
///
/// What all adapters have in common: the proactor is made with Options::embedded. The adapter, the
/// proactor and the other loop belong to one thread. The adapter is destroyed before the proactor
/// and before the other loop, and not in a callback of the proactor. libevent, libuv and Asio share
/// an epoll set with a child of fork(2), and what the child's adapter takes from it is gone for the
/// parent: there event_reinit(), uv_loop_fork() or notify_fork() come first. The proactor's
/// callbacks come from the other loop; the program never calls run() or poll(). It may call verbs
/// at any time: the other loop hears of what they begin (R13). A loop that a callback of the
/// proactor runs (a modal dialog) goes on without the proactor until the callback returns. An
/// exception that leaves a callback passes through the other library: GLib, libevent, libuv and Qt
/// are not made for that.

namespace proa {
inline namespace v0 {
namespace embed {

/// For a loop around poll(2), ppoll(2), select(2) or epoll_wait(2) that is the program's own:
///
///     proa::embed::PollAdapter adapter(proactor);
///     for (;;) {
///       pollfd waiting[] = {adapter.entry(), {others_descriptor, POLLIN, 0}};
///       if (::poll(waiting, 2, adapter.timeout(others_timeout)) < 0) continue;  // EINTR
///       adapter.turn(waiting[0].revents != 0);
///       ...
///     }
///
/// A loop of epoll_wait(2) registers `entry().fd` once, for EPOLLIN, level- or edge-triggered. With
/// uring its epoll_wait(2) may fail with EINTR without a signal (Proactor::native_handle()).
class PollAdapter {
 public:
  explicit PollAdapter(Proactor& proactor) noexcept : proactor_(proactor) {}
  ~PollAdapter() {
    if (turning_) report_misuse("an adapter was destroyed in a callback of its own proactor");
  }
  PollAdapter(const PollAdapter&) = delete;
  PollAdapter& operator=(const PollAdapter&) = delete;

  /// What to wait for; it stays the same, but for a child of fork(2) that takes the proactor over:
  /// make the adapter there. The descriptor still belongs to the proactor.
  pollfd entry() const noexcept { return {proactor_.native_handle(), POLLIN, 0}; }

  /// When the proactor has something to do, whatever becomes readable; `never` if nothing is due.
  TimePoint due() const noexcept { return proactor_.next_deadline(); }

  /// How long the next wait may take at most, in milliseconds: `others`, or less if the proactor
  /// has something to do before. -1 means without end, both ways. To be asked before each wait.
  int timeout(int others = -1) const noexcept {
    const TimePoint when = due();
    if (when == never) return others;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(when - proactor_.system().now()).count();
    const int own =
        static_cast<int>(std::clamp<long long>(left, 0, std::numeric_limits<int>::max()));
    return others < 0 ? own : std::min(own, others);
  }

  /// After each wait: lets the proactor call back what is due, and flushes what was begun. `ready`
  /// says whether the wait has found the descriptor readable. Returns how many callbacks ran. No
  /// effect while it runs already, further up the stack.
  std::size_t turn(bool ready) {
    if (turning_ || !(ready || timeout() == 0)) return 0;
    const Turn turn(*this);
    return proactor_.poll();
  }
  /// Inside turn(), and so in the callbacks of the proactor.
  bool turning() const noexcept { return turning_; }

 private:
  // Also if a callback throws.
  struct Turn {
    explicit Turn(PollAdapter& running) noexcept : adapter(running) { adapter.turning_ = true; }
    ~Turn() { adapter.turning_ = false; }
    PollAdapter& adapter;
  };

  Proactor& proactor_;
  bool turning_ = false;
};

}  // namespace embed
}  // namespace v0
}  // namespace proa
