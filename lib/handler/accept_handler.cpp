// The handler keeps one repeating Accept at the backend, and submits it again whenever it ends
// without the program having asked for that. Upholds R11: when descriptors or memory run out, the
// handler waits for a timer, because the connection that could not be accepted stays in the backlog
// and would end every attempt at once. After finish() the handler calls accept(2) itself, because
// no request tells that the backlog is empty. The handler settles its own state before each
// callback, because the callback may close the handler.
#include <algorithm>
#include <cerrno>
#include <proa/accept_handler.hpp>
#include <utility>

#include "backend/perform.hpp"
#include "base/error_code.hpp"
#include "base/memory.hpp"
#include "handler/handler_loop.hpp"

namespace proa {

namespace {

constexpr Duration first_delay = std::chrono::milliseconds(10);
constexpr Duration longest_delay = std::chrono::milliseconds(80);

/// Errors that pass after some time. (EPERM: a firewall, accept(2).)
bool worth_waiting(const std::error_code& error) noexcept {
  return error == std::errc::too_many_files_open ||
         error == std::errc::too_many_files_open_in_system || error == std::errc::no_buffer_space ||
         error == std::errc::not_enough_memory || error == std::errc::operation_not_permitted;
}

void describe(std::string* detail, const Address& address, const std::error_code& error) noexcept {
  if (!detail) return;
  detail->clear();
  if (!error) return;
  // Without memory the error is told without a sentence.
  with_memory(
      [&] { *detail = "cannot listen on " + address.to_string() + ": " + error.message(); });
}

}  // namespace

AcceptHandler::~AcceptHandler() {
  if (is_open()) destroyed_();
}

std::error_code AcceptHandler::cannot_listen_() const noexcept {
  if (closing() || proactor().shutting_down()) return Error::closing;
  return is_open() ? std::make_error_code(std::errc::device_or_resource_busy) : std::error_code();
}

std::error_code AcceptHandler::listen(const Address& address, const ListenOptions& options,
                                      std::string* detail) {
  check_("listen");
  std::error_code error = cannot_listen_();
  if (!error && !address.is_set()) error = Error::bad_address;
  if (!error) {
    Socket made = make_(address, options, error);
    if (!error) error = begin_(std::move(made));
  }
  describe(detail, address, error);
  return error;
}

std::error_code AcceptHandler::listen(Socket listening) noexcept {
  check_("listen");
  if (const std::error_code error = cannot_listen_()) return error;
  if (!listening.valid()) return std::make_error_code(std::errc::bad_file_descriptor);
  return begin_(std::move(listening));
}

std::error_code AcceptHandler::begin_(Socket listening) noexcept {
  socket_ = std::move(listening);
  accept_.prepare(descriptor());
  if (const std::error_code error = proactor().submit(accept_)) {
    socket_.close();
    return error;
  }
  mode_ = AcceptMode::accepting;
  delay_ = {};
  pause_told_ = false;
  taken_ = 0;
  start_("listen");
  return {};
}

Socket AcceptHandler::make_(const Address& address, const ListenOptions& options,
                            std::error_code& error) {
  const Address::Family family = address.family();
  Socket socket = Socket::open(proactor(), family, Transport::stream, error);
  const auto set = [&](SocketOption option, bool value) {
    if (!error) error = socket.set_option(option, value);
  };
  if (family != Address::Family::local) {
    set(SocketOption::reuse_address, options.reuse_address);
    // Accepted sockets inherit this option, which saves a system call for each.
    set(SocketOption::no_delay, options.no_delay);
  }
  if (family == Address::Family::ipv6) set(SocketOption::v6_only, options.v6_only);
  if (options.reuse_port) set(SocketOption::reuse_port, true);
  if (!error) error = socket.bind(address);
  if (!error) error = socket.listen(options.backlog);
  return socket;
}

void AcceptHandler::pause() noexcept {
  check_("pause");
  if (!is_open() || closing() || mode_ != AcceptMode::accepting) return;
  mode_ = AcceptMode::paused;
  proactor().cancel(accept_);
}

void AcceptHandler::resume() noexcept {
  check_("resume");
  if (!is_open() || closing() || mode_ != AcceptMode::paused) return;
  mode_ = AcceptMode::accepting;
  arm_();
}

void AcceptHandler::finish() noexcept {
  check_("finish");
  if (is_over_() || !open_up_() || finishes_()) return;
  if (!descriptor().valid() || mode_ == AcceptMode::failed) return close();
  mode_ = AcceptMode::finishing;
  proactor().core().disarm(backoff_);
  proactor().cancel(accept_);
  arm_();
}

// The deadline of a server's drain has passed: takes what waits in the backlog as finish() does,
// but does not wait for descriptors or memory.
void AcceptHandler::hurry_() noexcept {
  if (!finishes_() || backoff_.pending()) return close();
  mode_ = AcceptMode::hurrying;
}

// Submits the Accept, or, after finish(), asks for take_waiting_(). While the last Accept is still
// being cancelled or a timer runs, this does nothing: the end of either calls arm() again.
void AcceptHandler::arm_() noexcept {
  if (mode_ == AcceptMode::paused || accept_.pending() || backoff_.pending()) return;
  if (finishes_()) return notify_later_(notice_read);
  accept_.prepare(descriptor());
  if (proactor().submit(accept_)) fail_(-ENOMEM);
}

void AcceptHandler::accepted_(Accept& request, const Result& result) {
  Socket socket = std::move(request.socket());
  const Address told = request.peer();
  if (closing()) return;
  if (!result.error) {
    delay_ = {};
    pause_told_ = false;
    arm_();
    const Address peer = told.is_set() ? told : socket.peer_address();
    on_accept(std::move(socket), peer);
  } else if (worth_waiting(result.error)) {
    back_off_(result.error);
  } else if (result.error == std::errc::operation_canceled) {
    arm_();
  } else {
    failed_(result.error);
  }
}

void AcceptHandler::failed_(std::error_code error) {
  const bool finishing = finishes_();
  mode_ = AcceptMode::failed;
  on_error(error);
  finishing ? close() : unanswered_();
}

// After finish(): accepts what waits in the backlog until it is empty, but no more connections than
// a backlog can hold: new ones that keep coming would put the end off for ever.
void AcceptHandler::take_waiting_() {
  constexpr unsigned longest_backlog = 65535;
  System& system = proactor().system();
  for (std::size_t budget = proactor().options().round_budget; budget > 0; --budget) {
    if (taken_ == longest_backlog) return close();
    Descriptor accepted;
    Address peer;
    const long result = system.accept(descriptor(), accepted, &peer);
    if (result == -EAGAIN) return close();
    if (died_in_queue(descriptor(), result)) {
      notify_later_(notice_read);
      continue;
    }
    if (result < 0) {
      const std::error_code error = to_error_code(static_cast<int>(result));
      if (!worth_waiting(error)) return failed_(error);
      // accept(2) fails without a free descriptor also when no connection waits.
      return system.readable(descriptor()) ? back_off_(error) : close();
    }
    ++taken_;
    delay_ = {};
    pause_told_ = false;
    notify_later_(notice_read);  // before on_accept(), which may throw
    Socket socket(system, accepted);
    if (!peer.is_set()) peer = socket.peer_address();
    on_accept(std::move(socket), peer);
    if (!goes_on_()) return;
  }
}

void AcceptHandler::loop_dispatch(HandlerNotice) { take_waiting_(); }

void AcceptHandler::back_off_(std::error_code error) {
  if (mode_ == AcceptMode::hurrying) return close();
  delay_ = delay_ == Duration::zero() ? first_delay : std::min(delay_ * 2, longest_delay);
  Core& core = proactor().core();
  if (!core.arm(backoff_, after(core.system().now(), delay_))) fail_(-ENOMEM);
  // accept(2) fails without a free descriptor even if no connection waits; the program is told only
  // if one does.
  if (pause_told_ || !core.system().readable(descriptor())) return;
  pause_told_ = true;
  ++core.counters().accept_pauses;
  on_paused(error);
}

void AcceptHandler::retry_(const Result&) { arm_(); }

void AcceptHandler::loop_closing_down() noexcept { proactor().core().disarm(backoff_); }

}  // namespace proa
