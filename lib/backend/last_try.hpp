#pragma once

#include <proa/backend.hpp>

namespace proa {

/// Whether the system reports data, room, an end or an error for the operation's direction. False
/// if the system cannot ask the descriptor.
bool may_go_on(const Operation& operation, System& system) noexcept;

/// Tries an operation once more without waiting. Its deadline has come, and the backend has given
/// the operation back without a result. Returns true if the operation has a result now
/// (BackendSide::finish()): a success, or an error that the socket reports only once. A Send may
/// have moved bytes even if this returns false.
bool last_try(Operation& operation, System& system, BufferSource& buffers) noexcept;

}  // namespace proa
