#pragma once

// The core and the handlers above it: which are open, what the loop has to tell them, whose output
// is to be flushed, and who waits for a block of the pool. Handlers reach it by Proactor::core().

#include <chrono>
#include <proa/file_handler.hpp>
#include <proa/handler.hpp>
#include <proa/notifier.hpp>
#include <proa/proactor.hpp>
#include <vector>

#include "handler/stream_send.hpp"
#include "proactor/core.hpp"

namespace proa {
inline namespace v0 {

/// After this time a handler looks again at what the kernel has, or has room for.
constexpr Duration next_look = std::chrono::milliseconds(10);

struct OpenHook {
  static ListHook& hook(Handler& handler) noexcept { return handler.open_hook_; }
  static Handler& from_hook(ListHook& hook) noexcept;
};
struct NoticeHook {
  static ListHook& hook(Handler& handler) noexcept { return handler.notice_hook_; }
  static Handler& from_hook(ListHook& hook) noexcept;
};
struct UnflushedHook {
  static ListHook& hook(Handler& handler) noexcept { return handler.unflushed_hook_; }
  static Handler& from_hook(ListHook& hook) noexcept;
};
struct StarvedHook {
  static ListHook& hook(FileHandler& handler) noexcept;
  static FileHandler& from_hook(ListHook& hook) noexcept;
};

class HandlerLoop final : public Core {
 public:
  /// So many callbacks at most tell in one turn of what has completed together (R8).
  static constexpr std::size_t most_told = 32;

  /// Whether loop_flush() may tell what the kernel has taken at once; that counts for one of those
  /// that this flush may tell. False: a notice tells.
  bool tells_at_once() noexcept {
    if (tells_left_ == 0 || !may_tell()) return false;
    --tells_left_;
    count_callback();
    return true;
  }

  /// One turn has told so many callbacks: the round is charged for all of them (R8).
  void told(std::size_t callbacks) noexcept {
    if (callbacks > 1) charge(callbacks - 1);
  }

  static std::unique_ptr<HandlerLoop> create(const Options& options, std::error_code& error,
                                             std::string* detail);
  ~HandlerLoop() override;

  void opened(Handler& handler) noexcept;
  /// The open handler has a descriptor now. It is misuse if another handler has the same.
  void claim(Handler& handler) noexcept;
  void disclaim(Handler& handler) noexcept;
  void notify_later(Handler& handler) noexcept;
  /// The same for a handler that is idle, and may be destroyed before.
  void notify_idle(Handler& handler) noexcept {
    noticed_.push_back(handler);
    hurry();
  }
  void flush_later(Handler& handler) noexcept;
  /// The same, but when nothing more is to be delivered: what many callbacks send leaves together.
  void flush_when_idle(Handler& handler) noexcept;
  /// Cancels what is in flight on the handler's descriptor; notice_closed follows the last
  /// completion.
  void close(Handler& handler) noexcept;
  void closed(Handler& handler) noexcept;
  bool has_requests(const Handler& handler) noexcept {
    return in_flight(handler.descriptor().number);
  }
  /// Cancels what is in flight on the open handler's descriptor, and refuses more; notice_reopen
  /// follows the last completion.
  void end_requests(Handler& handler) noexcept;
  /// An operation that a handler has in flight on no descriptor, or on another's, has ended.
  void ended_elsewhere(Handler& handler) noexcept;
  /// The handler is lent() a block of the pool when those before it have theirs (R8, R11).
  void await_buffer(FileHandler& handler, const Pool& from) noexcept;
  /// Whether another handler waits for one.
  bool awaited(const Pool& from) const noexcept { return !line_of(from).empty(); }
  /// Keeps an error that is due behind others of the handler, unless it is among those that are
  /// kept. False if there is no memory.
  bool keep_error(const Handler& handler, std::int16_t error) noexcept;
  /// Takes the handler's first one; 0 if none is kept.
  std::int16_t next_error(const Handler& handler) noexcept;
  /// Keeps what next_error() gave as the handler's first one again; nothing was kept meanwhile.
  void put_error_back(const Handler& handler, std::int16_t error) noexcept;
  void forget_errors(const Handler& handler) noexcept;
  template <class Visit>
  void each_open(Visit visit) {
    for (Handler* h = open_.front(); h; h = open_.after(*h)) visit(*h);
  }
  StreamSends& stream_sends() noexcept { return stream_sends_; }
  /// From any thread or signal handler; the notifier is not in the stack yet.
  void notified(Notifier& notifier) noexcept;
  /// Moves what notified() collected to the notices.
  void collect_notified() noexcept;

 private:
  explicit HandlerLoop(const Options& options) : Core(options) {}

  // What the core asks of those above it.
  void before_wait() noexcept override;
  bool has_turn() const noexcept override;
  bool wants_flush() const noexcept override { return !unflushed_.empty() || !gathering_.empty(); }
  void flush() override;
  bool flush_gathered() override;
  void take_turn(Done& done) override;
  void close_all() noexcept override;
  void settled(void* owner) noexcept override;
  [[noreturn]] void closed_under(const void* owner, const Operation& pending) noexcept override;
  bool keeps_running() const noexcept override { return keeping_count_ > 0; }
  std::size_t residents() const noexcept override { return open_count_; }

  using Line = List<FileHandler, StarvedHook>;
  const Line& line_of(const Pool& from) const noexcept {
    return &from == &pool() ? starved_ : starved_paged_;
  }
  static bool lend(Pool& from, Line& line) noexcept;
  void close_when_settled(Handler& handler) noexcept;
  /// False if there was nothing to tell.
  bool dispatch(Handler& handler);

  List<Handler, OpenHook> open_;
  List<Handler, NoticeHook> noticed_;
  List<Handler, UnflushedHook> unflushed_;
  List<Handler, UnflushedHook> unflushed_next_;  // those that flush() has made write
  List<Handler, UnflushedHook> gathering_;
  Line starved_;  // wait for a block of the pool, which receives take blocks of too
  Line starved_paged_;
  // Of all handlers, each handler's in their order: few, and mostly none.
  struct DueError {
    const Handler* handler;
    std::int16_t code;
  };
  std::vector<DueError> due_errors_;
  StreamSends stream_sends_;
  bool flushing_ = false;  // flush() is in its first pass
  std::size_t tells_left_ = 0;
  bool lends_next_ = false;  // the next round lends blocks to starved_ first
  std::size_t open_count_ = 0;
  std::size_t keeping_count_ = 0;  // open handlers that keep run() going
  std::atomic<Notifier*> notified_{nullptr};
};

inline bool Handler::goes_on_() const noexcept {
  return !closing() && !proactor_.core().inherited();
}

}  // namespace v0
}  // namespace proa
