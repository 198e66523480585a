#pragma once

#include <uv.h>

#include <new>
#include <proa/embed/poll.hpp>

namespace proa::embed {

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
    uv_timer_init(loop, &handles_->due);  // cannot fail
    handles_->due.data = handles_;
    if (uv_poll_init(loop, &handles_->readable, handles_->loop.entry().fd) == 0) {
      handles_->readable.data = handles_;
      handles_->polls = true;
      attached_ = uv_poll_start(&handles_->readable, UV_READABLE, readable) == 0;
    }
    if (attached_) wait(*handles_);
  }
  ~LibuvAdapter() {
    if (!handles_) return;
    uv_timer_stop(&handles_->due);
    if (handles_->polls) {
      uv_close(reinterpret_cast<uv_handle_t*>(&handles_->readable), close_the_other);
    } else {
      uv_close(reinterpret_cast<uv_handle_t*>(&handles_->due), let_go);
    }
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
    bool polls = false;
  };

  static void readable(uv_poll_t* handle, int, int) { turn(*static_cast<Handles*>(handle->data)); }
  static void due(uv_timer_t* handle) { turn(*static_cast<Handles*>(handle->data)); }
  static void turn(Handles& handles) {
    handles.loop.turn(true);
    wait(handles);
  }
  // What is begun after this, and is due earlier, makes the descriptor readable.
  static void wait(Handles& handles) noexcept {
    const int timeout = handles.loop.timeout();
    if (timeout < 0) {
      uv_timer_stop(&handles.due);
      return;
    }
    uv_update_time(handles.due.loop);  // the timer counts from what the loop remembers as now
    uv_timer_start(&handles.due, due, static_cast<std::uint64_t>(timeout), 0);
  }
  static void close_the_other(uv_handle_t* handle) noexcept {
    auto* const handles = static_cast<Handles*>(handle->data);
    uv_close(reinterpret_cast<uv_handle_t*>(&handles->due), let_go);
  }
  static void let_go(uv_handle_t* handle) noexcept { delete static_cast<Handles*>(handle->data); }

  Handles* handles_;
  bool attached_ = false;
};

}  // namespace proa::embed
