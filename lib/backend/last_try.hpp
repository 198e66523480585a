#pragma once

#include <proa/backend.hpp>

namespace proa {

/// Whether the system says that the descriptor has something for the operation's direction: data,
/// room, an end or an error. One that cannot be asked says no.
bool may_go_on(const Operation& operation, System& system) noexcept;

/// Tries an operation once more, without waiting, whose deadline has come and which the backend has
/// given back undone. True if that brought a result, which is set then (BackendSide::finish()): a
/// success, or an error that the socket tells only once. A Send may have moved further without one.
bool last_try(Operation& operation, System& system, BufferSource& buffers) noexcept;

}  // namespace proa
