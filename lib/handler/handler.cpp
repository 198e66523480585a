// The life of a handler: idle, open, closing, and idle again. Upholds R6.
#include <cerrno>
#include <cstdio>
#include <exception>
#include <proa/error.hpp>
#include <proa/handler.hpp>

#include "base/error_code.hpp"
#include "base/misuse.hpp"
#include "handler/handler_loop.hpp"
#include "handler/server_core.hpp"

namespace proa {

namespace {

const char* const kind_names[] = {
    "StreamHandler", "AcceptHandler", "TimerHandler",    "Notifier",    "SignalHandler",
    "Server",        "FileHandler",   "DatagramHandler", "PollHandler", "Reconnector"};

}  // namespace

Handler::Handler(Proactor& proactor, HandlerKind kind) noexcept
    : Handler(proactor, kind, Socket()) {}
Handler::Handler(Proactor& proactor, HandlerKind kind, Socket socket) noexcept
    : proactor_(proactor),
      socket_(std::move(socket)),
      elsewhere_(0),
      more_errors_(0),
      kind_(kind),
      told_last_(0),
      state_(HandlerState::idle),
      keeps_running_(true),
      in_on_closed_(false) {}

Handler::~Handler() {
  if (state_ != HandlerState::idle) destroyed_();
  // A handler at rest is in its server's list, and after on_closed() notices may still wait for an
  // idle handler. Both lists belong to the thread of the proactor, until that has shut down.
  const bool noticed = NoticeHook::hook(*this).linked();
  if (server_ || noticed) {
    const HandlerLoop& core = proactor_.core();
    if (!core.inherited() && !core.shutting_down()) check_("~Handler");
  }
  if (server_) ServerCore::forget_resting(*this);
  if (noticed) List<Handler, NoticeHook>::remove(*this);
}

// A handler need not be the first base of the program's class.
Handler::HandlerName Handler::loop_known_as() const noexcept {
  return {kind_names[static_cast<std::size_t>(kind_)], dynamic_cast<const void*>(this)};
}

void Handler::misused_(const char* how) const noexcept {
  const Address peer = socket_.peer_address();
  const HandlerName known = loop_known_as();
  if (!socket_.descriptor().valid()) misuse("%s %p: %s", known.kind, known.object, how);
  misuse("%s %p (descriptor %d%s%s): %s", known.kind, known.object, socket_.descriptor().number,
         peer.is_set() ? ", " : "", peer.is_set() ? peer.to_string().c_str() : "", how);
}

void Handler::clashes_(const Handler& other) const noexcept {
  const HandlerName known = loop_known_as();
  const HandlerName too = other.loop_known_as();
  misuse("%s %p and %s %p have the same descriptor, %d", known.kind, known.object, too.kind,
         too.object, socket_.descriptor().number);
}

void Handler::take_(Socket socket) noexcept {
  proactor_.core().disclaim(*this);
  socket_ = std::move(socket);
  if (is_open()) proactor_.core().claim(*this);
}

std::error_code Handler::set_option(SocketOption option, int value) noexcept {
  check_("set_option");
  return socket_.set_option(option, value);
}

void Handler::check_(const char* verb) const noexcept {
  const char* const why = proactor_.core().stray();
  if (!why) return;
  char how[128];
  std::snprintf(how, sizeof how, "%s() %s", verb, why);
  misused_(how);
}

bool Handler::start_(const char* verb) noexcept {
  check_(verb);
  return state_ == HandlerState::open || open_up_();
}

bool Handler::open_up_() noexcept {
  if (state_ == HandlerState::idle && !proactor_.core().shutting_down()) {
    if (server_) server_->wakes(*this);
    state_ = HandlerState::open;
    proactor_.core().opened(*this);
    // notices that were set before the handler was open
    if (notices_ != 0) proactor_.core().notify_later(*this);
  }
  return state_ == HandlerState::open;
}

void Handler::notify_later_(std::uint16_t notices) noexcept {
  if (state_ == HandlerState::idle) return;
  notices_ = static_cast<std::uint16_t>(notices_ | notices);
  proactor_.core().notify_later(*this);
}

void Handler::fail_(std::int32_t error) noexcept {
  if (state_ != HandlerState::open) return;
  notify_later_(notice_error);
  const auto told = static_cast<std::int16_t>(error);
  if (error_ == 0) error_ = told;
  if (error_ == told) return;
  more_errors_ = 1;
  if (!proactor_.core().keep_error(*this, told)) error_ = -ENOMEM;
}

std::int32_t Handler::take_error_() noexcept {
  const std::int16_t next = more_errors_ ? proactor_.core().next_error(*this) : std::int16_t{0};
  more_errors_ = next != 0;
  if (more_errors_) notify_later_(notice_error);
  return std::exchange(error_, next);
}

void Handler::put_error_back_(std::int32_t error) noexcept {
  if (more_errors_) proactor_.core().put_error_back(*this, error_);
  error_ = static_cast<std::int16_t>(error);
  notify_later_(notice_error);
}

void Handler::refuse_(const char* verb, std::int32_t error) noexcept {
  if (start_(verb)) fail_(error);
}

void Handler::on_error(std::error_code error) {
  if (error != Error::closing) close();
}

void Handler::loop_tell_error(std::int32_t error) { on_error(to_error_code(error)); }

void Handler::unanswered_() noexcept {
  if (state_ == HandlerState::open) ++proactor_.core().counters().errors_unanswered;
}

// A later call may still destroy the handler, but mostly this is a leak.
void Handler::left_behind_() noexcept {
  if (state_ != HandlerState::idle) return;
  [[maybe_unused]] const bool first = ++proactor_.core().counters().left_behind == 1;
#ifndef NDEBUG
  if (first) {
    const HandlerName known = loop_known_as();
    std::fprintf(
        stderr, "proa: %s %p, made for a server, was not destroyed when on_closed() had returned\n",
        known.kind, known.object);
  }
#endif
}

}  // namespace proa
