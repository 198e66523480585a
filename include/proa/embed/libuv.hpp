#pragma once

#include <uv.h>

#include <new>
#include <proa/embed/poll.hpp>

namespace proa {
inline namespace v0 {
namespace embed {

/// Lets a proactor live inside a uv_loop_t of libuv.
///
///     proa::embed::LibuvAdapter adapter(proactor, loop);
///     if (!adapter) ...  // uv_poll_init(3) failed, or there was no memory
///     uv_run(loop, UV_RUN_DEFAULT);
///
/// What all adapters have in common is in embed/poll.hpp. The adapter's handles keep uv_run() going
/// until the adapter is destroyed; libuv lets go of them in the next turn of uv_run(), which has to
/// come before uv_loop_close(). libuv counts in milliseconds: a timer of the proactor may be one
/// later than in a loop of its own.
class LibuvAdapter {
 public:
  LibuvAdapter(Proactor& proactor, uv_loop_t* loop) noexcept
      : handles_(new (std::nothrow) Handles(proactor)) {
    if (!handles_) return;
    uv_timer_init(loop, &handles_->due);  // this one and the next cannot fail
    uv_idle_init(loop, &handles_->at_once);
    handles_->due.data = handles_->at_once.data = handles_->readable.data = handles_;
    handles_->polls = uv_poll_init(loop, &handles_->readable, handles_->loop.entry().fd) == 0;
    attached_ = handles_->polls && uv_poll_start(&handles_->readable, UV_READABLE, readable) == 0;
    if (attached_) wait(*handles_);
  }
  ~LibuvAdapter() {
    if (!handles_) return;
    handles_->open = handles_->polls ? 3 : 2;
    close(&handles_->due);
    close(&handles_->at_once);
    if (handles_->polls) close(&handles_->readable);
  }
  LibuvAdapter(const LibuvAdapter&) = delete;
  LibuvAdapter& operator=(const LibuvAdapter&) = delete;

  /// Whether libuv has taken the proactor on.
  explicit operator bool() const noexcept { return attached_; }

 private:
  // libuv uses them until it has called back from uv_close().
  struct Handles {
    explicit Handles(Proactor& proactor) noexcept : loop(proactor) {}
    PollAdapter loop;
    uv_poll_t readable;
    uv_timer_t due;
    uv_idle_t at_once;
    bool polls = false;
    int open = 0;  // how many of them libuv has still to let go of
  };

  static void readable(uv_poll_t* handle, int, int) { turn(*static_cast<Handles*>(handle->data)); }
  static void due(uv_timer_t* handle) { turn(*static_cast<Handles*>(handle->data)); }
  static void at_once(uv_idle_t* handle) { turn(*static_cast<Handles*>(handle->data)); }
  static void turn(Handles& handles) {
    handles.loop.turn(true);
    wait(handles);
  }
  // What is begun after this, and is due earlier, makes the descriptor readable. libuv calls timers
  // that are due until none is, and nothing else meanwhile, so a proactor that has more to do takes
  // its turns as an idle handle, one in each turn of libuv.
  static void wait(Handles& handles) noexcept {
    const int timeout = handles.loop.timeout();
    if (timeout > 0) {
      uv_update_time(handles.due.loop);  // the timer counts from what the loop remembers as now
      uv_timer_start(&handles.due, due, static_cast<std::uint64_t>(timeout), 0);
    } else {
      uv_timer_stop(&handles.due);
    }
    if (timeout == 0) {
      uv_idle_start(&handles.at_once, at_once);
    } else {
      uv_idle_stop(&handles.at_once);
    }
  }
  template <class Handle>
  static void close(Handle* handle) noexcept {
    uv_close(reinterpret_cast<uv_handle_t*>(handle), [](uv_handle_t* closed) {
      auto* const handles = static_cast<Handles*>(closed->data);
      if (--handles->open == 0) delete handles;
    });
  }

  Handles* handles_;
  bool attached_ = false;
};

}  // namespace embed
}  // namespace v0
}  // namespace proa
