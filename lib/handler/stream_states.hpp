#pragma once

#include <proa/stream_handler.hpp>

// A stream has five small state machines besides the three states of every handler, and is in one
// state of each. Each enum stands beside the functions that change it.

namespace proa {
inline namespace v0 {
namespace detail {

/// The input from the peer.
enum class Input : std::uint8_t {
  flows,    // more input may come
  passing,  // the kernel reported the end or an error, and the filter has not passed it on yet
  ended,    // the kernel reported the end or an error, and the handler was not told yet
  closed,   // the filter has ended the input before the kernel; the handler was not told yet
  told,     // the same, and the handler was told: the kernel's end is still to come
  dropped,  // finish() was called: the stream drops all input until the end
  rest,  // after on_error() while reading was off: start_reading() gives the input from before it
  over,  // no input comes any more, and the handler is told nothing
};

enum class InputEvent : std::uint8_t {
  end,     // the kernel reports the end or an error, or the filter passes the end on
  close,   // the filter ends the input
  filter,  // the kernel reports the end or an error, and a filter is to pass it on
  tell,    // on_end() or on_error() tells the handler
  finish,  // finish() is called
  fail,    // on_error() tells of the connection's error
  keep,    // the same, while reading is off and the stream has kept input
};

constexpr Input after(Input state, InputEvent event) noexcept {
  using S = Input;
  constexpr S next[][7] = {
      // end, close, filter, tell, finish, fail, keep
      /* flows */
      {S::ended, S::closed, S::passing, S::over, S::dropped, S::over, S::rest},
      /* passing */ {S::ended, S::ended, S::passing, S::over, S::over, S::over, S::rest},
      /* ended */ {S::ended, S::ended, S::ended, S::over, S::over, S::over, S::rest},
      /* closed */ {S::ended, S::closed, S::ended, S::told, S::dropped, S::over, S::rest},
      /* told */ {S::over, S::told, S::over, S::told, S::dropped, S::over, S::over},
      /* dropped */ {S::over, S::dropped, S::over, S::over, S::dropped, S::over, S::over},
      /* rest */ {S::rest, S::rest, S::rest, S::over, S::over, S::over, S::rest},
      /* over */ {S::over, S::over, S::over, S::over, S::over, S::over, S::over},
  };
  return next[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

/// Whether the handler is to be told the end behind what the stream has kept.
constexpr bool is_ended(Input state) noexcept {
  return state == Input::ended || state == Input::closed;
}
/// Whether on_read() may still come.
constexpr bool gives(Input state) noexcept {
  return state == Input::flows || state == Input::passing || is_ended(state) ||
         state == Input::rest;
}

/// The output to the peer.
enum class Output : std::uint8_t {
  open,       // the stream sends what is written
  ending,     // half_close() was called: the stream ends its output behind the queue
  ended,      // the sending side is shut down, reading goes on
  finishing,  // finish() was called: the stream ends its output behind the queue
  lingering,  // the sending side is shut down, and the stream waits for the peer's end
  cut,        // a write was refused: the stream sends what was queued before, and nothing behind it
  failed,     // a send failed, and on_error() waits until the handler has got the input from before
  broken,     // on_error() was told of the connection's error
  done,       // finish() waits for nothing any more, except for errors that are due
};

enum class OutputEvent : std::uint8_t {
  half_close,  // half_close() is called
  finish,      // finish() is called
  sent,        // the kernel has taken the last of the queue
  cut,         // a write is refused
  fail,        // a send fails
  tell,        // on_error() tells of the connection's error
  done,        // nothing is left for finish() to wait for
  reopen,      // the handler was told of the refused write before it had a connection
};

constexpr Output after(Output state, OutputEvent event) noexcept {
  using S = Output;
  constexpr S next[][8] = {
      // half_close, finish, sent, cut, fail, tell, done, reopen
      /* open */ {S::ending, S::finishing, S::open, S::cut, S::failed, S::broken, S::open, S::open},
      /* ending */
      {S::ending, S::finishing, S::ended, S::ending, S::failed, S::broken, S::ending, S::ending},
      /* ended */
      {S::ended, S::lingering, S::ended, S::ended, S::failed, S::broken, S::ended, S::ended},
      /* finishing */
      {S::finishing, S::finishing, S::lingering, S::finishing, S::failed, S::broken, S::done,
       S::finishing},
      /* lingering */
      {S::lingering, S::lingering, S::lingering, S::lingering, S::failed, S::broken, S::done,
       S::lingering},
      /* cut */ {S::ending, S::finishing, S::cut, S::cut, S::failed, S::broken, S::cut, S::open},
      /* failed */
      {S::failed, S::failed, S::failed, S::failed, S::failed, S::broken, S::failed, S::failed},
      /* broken */
      {S::broken, S::broken, S::broken, S::broken, S::broken, S::broken, S::broken, S::broken},
      /* done */ {S::done, S::done, S::done, S::done, S::done, S::done, S::done, S::done},
  };
  return next[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

/// Whether the stream sends what is queued.
constexpr bool sends(Output state) noexcept {
  return state == Output::open || state == Output::ending || state == Output::finishing ||
         state == Output::cut;
}
/// Whether the stream ends its output behind the queue.
constexpr bool ends(Output state) noexcept {
  return state == Output::ending || state == Output::finishing;
}

/// Whether a stream's own output holds its input back. Between two falls of the queue the handler
/// gets at least one on_read(), so that a handler that fills its queue again in on_drained() still
/// hears its peer.
enum class Hold : std::uint8_t {
  clear,   // the queue has not been above the high mark since it last fell to the low one
  heard,   // the same, and the handler got an on_read() since
  filled,  // the queue is above the high mark, and no on_read() came since it last fell
  held,    // the queue is above the high mark, and an on_read() came since it last fell
};

constexpr bool is_filled(Hold hold) noexcept { return hold >= Hold::filled; }
constexpr Hold after_filling(Hold hold) noexcept {
  return hold == Hold::clear ? Hold::filled : Hold::held;
}
constexpr Hold after_reading(Hold hold) noexcept {
  return is_filled(hold) ? Hold::held : Hold::heard;
}

/// What the handler is told when it has got all input that had come. While a verdict is open, no
/// receive is at the backend.
enum class Verdict : std::uint8_t {
  none,
  timeout,          // a read or idle timeout is due: told unless something came meanwhile
  drain,            // on_drain() is due behind the on_read()s
  overdue,          // the deadline of the drain has passed: the stream ends behind the on_read()s
  error,            // a send failed: on_error() is due behind the on_read()s
  error_and_drain,  // both: the error comes first
};

constexpr bool is_error(Verdict verdict) noexcept { return verdict >= Verdict::error; }
constexpr bool is_drain(Verdict verdict) noexcept {
  return verdict == Verdict::drain || verdict == Verdict::overdue;
}

}  // namespace detail
}  // namespace v0
}  // namespace proa

namespace proa {
inline namespace v0 {

using detail::Hold;
using detail::Input;
using detail::InputEvent;
using detail::Output;
using detail::OutputEvent;
using detail::Verdict;

// Whether the stream's own output holds its input back. A stream that opened its connection never
// does: if both ends held back, each could wait for the other to read.
inline bool StreamHandler::held_back_() const noexcept {
  return hold_ == Hold::held && connection_ != StreamConnection::opened &&
         watermarks().pause_reading;
}

// Whether on_read() may be called now.
inline bool StreamHandler::reads_() const noexcept {
  return wants_input_ && gives(input_) && (is_drain(verdict_) || !held_back_());
}

}  // namespace v0
}  // namespace proa
