#pragma once

#include <cstdint>

namespace proa {
inline namespace v0 {

/// The kind of object that a descriptor refers to, as far as I/O differs by kind.
enum class DescriptorKind : std::uint8_t {
  none,
  tcp,       ///< a TCP socket: after a short read the kernel reports when more comes
  socket,    ///< any other socket
  pipe,      ///< a pipe, tty or other pollable descriptor in non-blocking mode
  borrowed,  ///< a pipe or another pollable descriptor that the program lends in the mode that it
             ///< has
  file,      ///< always ready, never pollable: a regular file, /dev/null (epoll_ctl(2), EPERM)
};

/// The number by which a System knows an open socket, pipe or file, and its kind. A plain value: it
/// owns nothing.
struct Descriptor {
  int number = -1;
  DescriptorKind kind = DescriptorKind::none;

  /// Whether it is one at all, and whether it is that of a socket.
  constexpr bool valid() const noexcept { return number >= 0; }
  constexpr bool is_socket() const noexcept {
    return kind == DescriptorKind::tcp || kind == DescriptorKind::socket;
  }
  friend constexpr bool operator==(Descriptor a, Descriptor b) noexcept {
    return a.number == b.number && a.kind == b.kind;
  }
  friend constexpr bool operator!=(Descriptor a, Descriptor b) noexcept { return !(a == b); }
};

}  // namespace v0
}  // namespace proa
