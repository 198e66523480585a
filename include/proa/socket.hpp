#pragma once

#include <proa/address.hpp>
#include <proa/descriptor.hpp>
#include <proa/system.hpp>
#include <system_error>
#include <utility>

namespace proa {

class Proactor;

/// Owns one open descriptor of a System: closes it when destroyed. Move-only. It must not outlive
/// its proactor, and no operation may be in flight on it when it is closed; a handler that was
/// given a socket sees to both.
class Socket {
 public:
  Socket() noexcept = default;
  Socket(System& system, Descriptor descriptor) noexcept
      : system_(&system), descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept
      : system_(other.system_),
        descriptor_(std::exchange(other.descriptor_, Descriptor())),
        borrowed_(other.borrowed_) {}
  Socket& operator=(Socket&& other) noexcept {
    if (this != &other) {
      close();
      system_ = other.system_;
      descriptor_ = std::exchange(other.descriptor_, Descriptor());
      borrowed_ = other.borrowed_;
    }
    return *this;
  }
  ~Socket() { close(); }

  /// A new socket of the proactor's system, unbound; invalid and `error` set when there is none to
  /// be had (EMFILE, ...).
  static Socket open(Proactor& proactor, Address::Family family, Transport transport,
                     std::error_code& error) noexcept;

  /// A descriptor of the program's that stays open and keeps its mode: standard input, an inherited
  /// pipe. A tty is reopened, so that only the library's own copy becomes non-blocking (the mode
  /// belongs to the open file description and would reach the parent shell, open(2)).
  /// errc::bad_file_descriptor if it is not open.
  static Socket borrow(Proactor& proactor, int number, std::error_code& error) noexcept;

  bool valid() const noexcept { return descriptor_.valid(); }
  Descriptor descriptor() const noexcept { return descriptor_; }

  std::error_code bind(const Address& address) noexcept;
  /// `backlog` of 0 asks for the system's maximum (listen(2)).
  std::error_code listen(int backlog = 0) noexcept;
  std::error_code shutdown(ShutdownSide side) noexcept;
  std::error_code set_option(SocketOption option, int value) noexcept;
  std::error_code get_option(SocketOption option, int& value) const noexcept;
  /// Unset where the system knows none (a peer that is gone).
  Address local_address() const noexcept;
  Address peer_address() const noexcept;

  /// Closes now; the descriptor of a borrowed socket is only forgotten.
  void close() noexcept;

 private:
  System* system_ = nullptr;
  Descriptor descriptor_;
  bool borrowed_ = false;
};

}  // namespace proa
