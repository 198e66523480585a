#pragma once

// What the core asks of a request that only its type knows; what the kind of operation tells is in
// base/operation_table.hpp.

#include <proa/file_requests.hpp>
#include <proa/operation.hpp>
#include <proa/requests.hpp>
#include <proa/system.hpp>

namespace proa {
inline namespace v0 {

/// What the request itself says against being taken on: 0, -errno, or the code of an Error.
int refusal_of(Operation& operation) noexcept;
/// It asks for nothing, and completes at once.
bool asks_for_nothing(Operation& operation) noexcept;
inline bool is_call(const Operation& operation, FileVerb verb) noexcept {
  return operation.opcode() == Opcode::file_call &&
         static_cast<const FileCall&>(operation).verb() == verb;
}
/// An Open, and a CloseFile.
inline bool opens(const Operation& operation) noexcept {
  return is_call(operation, FileVerb::open);
}
inline bool closes(const Operation& operation) noexcept {
  return is_call(operation, FileVerb::close);
}
/// How many pieces of memory the request names.
inline std::size_t pieces_of(const Operation& operation) noexcept {
  switch (operation.opcode()) {
    case Opcode::send:
      return static_cast<const Send&>(operation).count();
    case Opcode::read_at:
      return static_cast<const ReadAt&>(operation).pieces().count();
    case Opcode::write_at:
      return static_cast<const WriteAt&>(operation).pieces().count();
    default:
      return 1;
  }
}
/// It means nothing without a connection.
bool needs_connection(Operation& operation) noexcept;
/// Whether this is a socket whose bytes have no bounds (SOCK_STREAM), as far as the operating
/// system knows its number.
bool has_no_bounds(Descriptor socket) noexcept;
/// The same, or SOCK_SEQPACKET.
bool is_stream(Descriptor socket) noexcept;
bool is_connected(Descriptor socket, System& system) noexcept;
/// The same, or that there is something to read from a connection that is over.
bool had_connection(Descriptor socket, System& system) noexcept;
/// Whether this is a stream socket that is not connected.
bool lacks_connection(Descriptor socket, System& system) noexcept;
/// Whether the connection can neither send nor receive any more.
bool is_over_both_ways(Descriptor socket) noexcept;
/// A cancel got there first, or the kernel had turned the operation away, or was still at it when
/// the cancel came.
bool not_done(int error) noexcept;
/// Lets go of what a result brought, which nobody is there to take.
void discard(Operation& operation) noexcept;

}  // namespace v0
}  // namespace proa
