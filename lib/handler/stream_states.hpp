#pragma once

#include <proa/stream_handler.hpp>

// The states of a stream that are not those of every handler, and how they follow one another.

namespace proa::detail {

/// How far a stream's own output holds its input back. Between two falls of the queue at least one
/// on_read() is told, so that a handler that fills its queue again in on_drained() hears its peer
/// all the same.
enum class Hold : std::uint8_t {
  clear,   // the queue has not been above the high mark since it last fell to the low one
  heard,   // the same, and an on_read() was told since
  filled,  // the queue is above the high mark, and no on_read() was told since it last fell
  held,    // the queue is above the high mark, and an on_read() was told since it last fell
};

constexpr bool is_filled(Hold hold) noexcept { return hold >= Hold::filled; }
constexpr Hold after_filling(Hold hold) noexcept {
  return hold == Hold::clear ? Hold::filled : Hold::held;
}
constexpr Hold after_reading(Hold hold) noexcept {
  return is_filled(hold) ? Hold::held : Hold::heard;
}

}  // namespace proa::detail

namespace proa {

// Whether the stream's own output holds its input back. A stream that opened its connection is
// never held: if both ends of a connection were, each could wait for the other one to read.
inline bool StreamHandler::held_back() const noexcept {
  return hold_ == Hold::held && connection_ != Connection::opened && watermarks().pause_reading;
}

inline bool StreamHandler::reads() const noexcept {
  return wants_input_ && !finishing_ && !held_back();
}

}  // namespace proa
