// One repeating Accept, armed again whenever it ended and nobody asked for that. Upholds R11: out
// of descriptors or memory it waits for a timer, since the connection that could not be accepted
// stays in the backlog and would end every attempt at once. Whatever is to be settled is settled
// before a callback, which may close the handler.
#include <algorithm>
#include <cerrno>
#include <new>
#include <proa/accept_handler.hpp>
#include <utility>

#include "base/error_code.hpp"
#include "proactor/core.hpp"

namespace proa {

namespace {

constexpr Duration first_delay = std::chrono::milliseconds(10);
constexpr Duration longest_delay = std::chrono::milliseconds(80);

/// Errors that pass, but not at once. (EPERM: a firewall, accept(2).)
bool worth_waiting(const std::error_code& error) noexcept {
  return error == std::errc::too_many_files_open ||
         error == std::errc::too_many_files_open_in_system || error == std::errc::no_buffer_space ||
         error == std::errc::not_enough_memory || error == std::errc::operation_not_permitted;
}

void describe(std::string* detail, const Address& address, const std::error_code& error) noexcept {
  if (!detail) return;
  detail->clear();
  if (!error) return;
  try {
    *detail = "cannot listen on " + address.to_string() + ": " + error.message();
  } catch (const std::bad_alloc&) {  // then without a sentence
  }
}

}  // namespace

AcceptHandler::~AcceptHandler() {
  if (open()) misused("destroyed before on_closed()");
}

std::error_code AcceptHandler::listen(const Address& address, const ListenOptions& options,
                                      std::string* detail) {
  proactor().core().check_thread("listen");
  std::error_code error;
  if (closing()) {
    error = Error::closing;
  } else if (open()) {
    error = std::make_error_code(std::errc::device_or_resource_busy);
  } else if (!address.is_set()) {
    error = Error::bad_address;
  } else {
    socket_ = make(address, options, error);
    if (!error) {
      accept_.prepare(descriptor());
      error = proactor().submit(accept_);
    }
    if (error) {
      socket_.close();
    } else {
      paused_ = false;
      delay_ = {};
      start();
    }
  }
  describe(detail, address, error);
  return error;
}

Socket AcceptHandler::make(const Address& address, const ListenOptions& options,
                           std::error_code& error) {
  const Address::Family family = address.family();
  Socket socket = Socket::open(proactor(), family, Transport::stream, error);
  const auto set = [&](SocketOption option, bool value) {
    if (!error) error = socket.set_option(option, value);
  };
  if (family != Address::Family::local) {
    set(SocketOption::reuse_address, options.reuse_address);
    // Accepted sockets inherit it, which saves a system call for each.
    set(SocketOption::no_delay, options.no_delay);
  }
  if (family == Address::Family::ipv6) set(SocketOption::v6_only, options.v6_only);
  if (options.reuse_port) set(SocketOption::reuse_port, true);
  if (!error) error = socket.bind(address);
  if (!error) error = socket.listen(options.backlog);
  return socket;
}

void AcceptHandler::pause() noexcept {
  if (!open() || closing() || paused_) return;
  paused_ = true;
  proactor().cancel(accept_);
}

void AcceptHandler::resume() noexcept {
  if (!open() || closing() || !paused_) return;
  paused_ = false;
  arm();
}

// If the last attempt is still being cancelled, its end leads here again; if one is due, too.
void AcceptHandler::arm() noexcept {
  if (paused_ || accept_.pending() || backoff_.pending()) return;
  accept_.prepare(descriptor());
  if (proactor().submit(accept_)) fail(-ENOMEM);
}

void AcceptHandler::accepted(Accept& request, const Result& result) {
  Socket socket = std::move(request.socket());
  if (closing()) return;
  if (!result.error) {
    delay_ = {};
    arm();
    const Address peer = socket.peer_address();
    on_accept(std::move(socket), peer);
  } else if (worth_waiting(result.error)) {
    back_off(result.error);
  } else if (result.error == std::errc::operation_canceled) {
    arm();
  } else {
    on_error(result.error);
  }
}

void AcceptHandler::back_off(std::error_code error) {
  const bool first = delay_ == Duration::zero();
  delay_ = first ? first_delay : std::min(delay_ * 2, longest_delay);
  Core& core = proactor().core();
  if (!core.arm(backoff_, after(core.system().now(), delay_))) fail(-ENOMEM);
  if (!first) return;
  ++core.counters().accept_pauses;
  on_paused(error);
}

void AcceptHandler::retry(const Result&) { arm(); }

void AcceptHandler::closing_down() noexcept { proactor().core().disarm(backoff_); }

}  // namespace proa
