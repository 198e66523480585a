// An owned descriptor. Every call goes to the System that made it.
#include <poll.h>

#include <cerrno>
#include <proa/proactor.hpp>
#include <proa/socket.hpp>

#include "base/error_code.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace {

std::error_code told(long result) noexcept { return to_error_code(static_cast<int>(result)); }

// A number that the operating system does not know has nothing to tell.
bool polls(Descriptor descriptor, short events) noexcept {
  const short found = sys::poll_now(descriptor.number, events);
  return found != 0 && (found & POLLNVAL) == 0;
}

}  // namespace

// Defaults for a program's own System that lacks these calls.
long System::multicast(Descriptor, bool, const Address&, std::uint32_t, const Address&) noexcept {
  return -EOPNOTSUPP;
}
bool System::readable(Descriptor from) noexcept { return polls(from, POLLIN); }
bool System::writable(Descriptor to) noexcept { return polls(to, POLLOUT); }
long System::abandon_connect(Descriptor) noexcept { return -EOPNOTSUPP; }
long System::unread(Descriptor from) noexcept { return sys::unread(from.number); }
long System::take_notice(Descriptor, SendNotice&) noexcept { return -EAGAIN; }
long System::adopt(int, Descriptor&, bool&) noexcept { return -EOPNOTSUPP; }
long System::set_blocking(Descriptor) noexcept { return -EOPNOTSUPP; }

Socket Socket::open(Proactor& proactor, Address::Family family, Transport transport,
                    std::error_code& error) noexcept {
  proactor.check_thread("Socket::open");
  Descriptor descriptor;
  System& system = proactor.system();
  const long result = system.open_socket(family, transport, descriptor);
  error = to_error_code(static_cast<int>(result));
  return result < 0 ? Socket() : Socket(system, descriptor);
}

Socket Socket::adopt(Proactor& proactor, int number, std::error_code& error) noexcept {
  proactor.check_thread("Socket::adopt");
  Descriptor descriptor;
  bool was_blocking = false;
  System& system = proactor.system();
  error = told(system.adopt(number, descriptor, was_blocking));
  if (error) return {};
  Socket adopted(system, descriptor);
  adopted.was_blocking_ = was_blocking;
  return adopted;
}

Socket Socket::borrow(Proactor& proactor, int number, std::error_code& error) noexcept {
  proactor.check_thread("Socket::borrow");
  Descriptor descriptor;
  bool reopened = false;
  System& system = proactor.system();
  const long result = system.borrow(number, descriptor, reopened);
  error = to_error_code(static_cast<int>(result));
  if (result < 0) return {};
  return Socket(system, descriptor, !reopened);
}

std::error_code Socket::bind(const Address& address) noexcept {
  return told(valid() ? system_->bind(descriptor(), address) : -EBADF);
}

std::error_code Socket::listen(int backlog) noexcept {
  return told(valid() ? system_->listen(descriptor(), backlog) : -EBADF);
}

std::error_code Socket::shutdown(ShutdownSide side) noexcept {
  return told(valid() ? system_->shutdown(descriptor(), side) : -EBADF);
}

std::error_code Socket::set_option(SocketOption option, int value) noexcept {
  return told(valid() ? system_->set_option(descriptor(), option, value) : -EBADF);
}

std::error_code Socket::get_option(SocketOption option, int& value) const noexcept {
  return told(valid() ? system_->get_option(descriptor(), option, value) : -EBADF);
}

Address Socket::local_address() const noexcept {
  Address address;
  if (valid()) system_->local_address(descriptor(), address);
  return address;
}

Address Socket::peer_address() const noexcept {
  Address address;
  if (valid()) system_->peer_address(descriptor(), address);
  return address;
}

}  // namespace proa
