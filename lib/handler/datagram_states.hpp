#pragma once

#include <proa/datagram_handler.hpp>

// The states of a datagram handler's receiving, and how they change.

namespace proa {
inline namespace v0 {
namespace detail {

enum class Receiving : std::uint8_t {
  off,
  on,
  stopping,    // stop_receiving() was called, and the receive at the backend has not ended yet
  restarting,  // the same, and start_receiving() was called after that
  failed,      // an error has ended the receive for good: start_receiving() tries again
  draining,    // drain() was called: the handler gets what had come, then on_drain()
};

constexpr bool receives(Receiving state) noexcept {
  return state == Receiving::on || state == Receiving::restarting || state == Receiving::draining;
}
constexpr Receiving after_start(Receiving state) noexcept {
  return state == Receiving::stopping ? Receiving::restarting
         : receives(state)            ? state
                                      : Receiving::on;
}
/// `pending`: a receive is at the backend.
constexpr Receiving after_stop(bool pending) noexcept {
  return pending ? Receiving::stopping : Receiving::off;
}
/// The receive at the backend has ended.
constexpr Receiving after_end(Receiving state) noexcept {
  return state == Receiving::restarting ? Receiving::on : receives(state) ? state : Receiving::off;
}
/// Whether on_receive() is called with what the receive brings. It is kept otherwise.
constexpr bool tells(Receiving state) noexcept {
  return state == Receiving::on || state == Receiving::draining;
}

}  // namespace detail
}  // namespace v0
}  // namespace proa
