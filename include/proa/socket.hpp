#pragma once

#include <proa/address.hpp>
#include <proa/detail/api.hpp>
#include <proa/owned_descriptor.hpp>
#include <proa/system.hpp>
#include <system_error>

namespace proa {
inline namespace v0 {

class Proactor;

/// Owns one open socket, or another descriptor that is used like one. Move-only. It must not
/// outlive its proactor, and no operation may be in flight on it when it is closed; a handler that
/// was given a socket sees to both.
class PROA_API Socket : public OwnedDescriptor {
 public:
  using OwnedDescriptor::OwnedDescriptor;
  /// Takes over a descriptor of another kind, for a handler to keep.
  explicit Socket(OwnedDescriptor&& other) noexcept : OwnedDescriptor(std::move(other)) {}

  /// Makes a new socket, unbound. Returns an invalid Socket and sets `error` if the system has none
  /// (EMFILE, ...).
  static Socket open(Proactor& proactor, Address::Family family, Transport transport,
                     std::error_code& error) noexcept;

  /// Takes over a descriptor that the program has opened or inherited (socket activation, accept(2)
  /// of another library): the descriptor is non-blocking from here on, and closed with the Socket.
  /// release() gives it back in its former mode. Errors are those of fstat(2) and fcntl(2); the
  /// descriptor still belongs to the program then.
  static Socket adopt(Proactor& proactor, int number, std::error_code& error) noexcept;

  /// Uses a descriptor of the program, which stays open and keeps its mode: standard input, a
  /// socket of inetd(8), an eventfd, a tun interface, a device. This asks the kernel whether the
  /// descriptor can be polled: what cannot is always ready. The mode belongs to the open file
  /// description, which other processes may share (open(2)), so the library does not change it,
  /// but uses calls that do not wait (docs/BACKENDS.md has the few that may). A tty is reopened,
  /// and only the library's copy is non-blocking; and a stream socket in blocking mode is
  /// non-blocking for the length of a connect(2). What is written to a stream in one callback
  /// leaves in one call: for a descriptor that takes messages (tun, eventfd) use a Send for each.
  /// Errors: errc::bad_file_descriptor if the descriptor is not open, those of epoll_create1(2).
  static Socket borrow(Proactor& proactor, int number, std::error_code& error) noexcept;

  /// bind(2).
  [[nodiscard]] std::error_code bind(const Address& address) noexcept;
  /// `backlog` of 0 asks for the system's maximum (listen(2)).
  [[nodiscard]] std::error_code listen(int backlog = 0) noexcept;
  std::error_code shutdown(ShutdownSide side) noexcept;
  std::error_code set_option(SocketOption option, int value) noexcept;
  std::error_code get_option(SocketOption option, int& value) const noexcept;
  /// Unset if the system knows no address (of a peer that is gone).
  Address local_address() const noexcept;
  Address peer_address() const noexcept;
};

}  // namespace v0
}  // namespace proa
