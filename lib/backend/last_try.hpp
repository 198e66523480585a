#pragma once

#include <proa/backend.hpp>

namespace proa {
inline namespace v0 {

/// Whether this is a send that can be tried at any time, because the system makes nobody wait.
bool sends_to_socket(const Operation& operation) noexcept;
/// Whether the system reports data, room, an end or an error for the operation's direction. False
/// if the system cannot ask the descriptor.
bool may_go_on(const Operation& operation, System& system) noexcept;

enum class LastTry : std::uint8_t {
  nothing,   ///< the kernel has nothing for the operation; it may have moved bytes all the same
  no_block,  ///< the kernel has bytes for the operation, and the pool has no block for them
  result,    ///< the operation has a result now (BackendSide::finish())
};
/// Tries an operation once more without waiting. Its deadline has come, and the backend has given
/// the operation back without a result. A result is a success, or an error that the socket reports
/// only once. `first`: the operation has had no result by this yet.
LastTry last_try(Operation& operation, System& system, BufferSource& buffers, bool first) noexcept;

}  // namespace v0
}  // namespace proa
