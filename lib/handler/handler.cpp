// The life of a handler: idle, open, closing, and idle again. Upholds R6.
#include <cstdio>
#include <proa/error.hpp>
#include <proa/handler.hpp>

#include "base/error_code.hpp"
#include "base/misuse.hpp"
#include "handler/handler_loop.hpp"
#include "handler/server_core.hpp"

namespace proa {

namespace {

const char* const kind_names[] = {"StreamHandler", "AcceptHandler",  "TimerHandler",
                                  "Notifier",      "SignalHandler",  "Server",
                                  "FileHandler",   "DatagramHandler"};

}  // namespace

Handler::Handler(Proactor& proactor, Kind kind) noexcept : Handler(proactor, kind, Socket()) {}
Handler::Handler(Proactor& proactor, Kind kind, Socket socket) noexcept
    : proactor_(proactor),
      socket_(std::move(socket)),
      kind_(kind),
      told_last_(0),
      keeps_running_(true),
      in_on_closed_(false) {}

Handler::~Handler() {
  if (state_ != State::idle) destroyed();
  // A handler at rest is in its server's list, and after on_closed() notices may still wait for an
  // idle handler. Both lists belong to the thread of the proactor, until that has shut down.
  const bool noticed = NoticeHook::hook(*this).linked();
  if (server_ || noticed) {
    const HandlerLoop& core = proactor_.core();
    if (!core.inherited() && !core.shutting_down()) check("~Handler");
  }
  if (server_) ServerCore::forget_resting(*this);
  if (noticed) List<Handler, NoticeHook>::remove(*this);
}

void Handler::destroyed(const char* how) noexcept {
  if (!proactor_.core().inherited()) misused(how);
  disown();
}

void Handler::disown() noexcept {
  if (state_ == State::idle) return;
  loop_leave_process();
  ServerCore* const server = std::exchange(server_, nullptr);
  rest();
  socket_.close();
  if (server) server->gone();
}

// A handler need not be the first base of the program's class.
Handler::Known Handler::loop_known_as() const noexcept {
  return {kind_names[static_cast<std::size_t>(kind_)], dynamic_cast<const void*>(this)};
}

void Handler::misused(const char* how) const noexcept {
  const Address peer = socket_.peer_address();
  const Known known = loop_known_as();
  misuse("%s %p (descriptor %d%s%s): %s", known.kind, known.object, socket_.descriptor().number,
         peer.is_set() ? ", " : "", peer.is_set() ? peer.to_string().c_str() : "", how);
}

void Handler::clashes(const Handler& other) const noexcept {
  const Known known = loop_known_as();
  const Known too = other.loop_known_as();
  misuse("%s %p and %s %p have the same descriptor, %d", known.kind, known.object, too.kind,
         too.object, socket_.descriptor().number);
}

void Handler::take(Socket socket) noexcept {
  proactor_.core().disclaim(*this);
  socket_ = std::move(socket);
  if (is_open()) proactor_.core().claim(*this);
}

void Handler::check(const char* verb) const noexcept {
  const char* const why = proactor_.core().stray();
  if (!why) return;
  char how[128];
  std::snprintf(how, sizeof how, "%s() %s", verb, why);
  misused(how);
}

bool Handler::start(const char* verb) noexcept {
  check(verb);
  return state_ == State::open || open_up();
}

bool Handler::open_up() noexcept {
  if (state_ == State::idle && !proactor_.core().shutting_down()) {
    if (server_) server_->wakes(*this);
    state_ = State::open;
    proactor_.core().opened(*this);
    // notices that were set before the handler was open
    if (notices_ != 0) proactor_.core().notify_later(*this);
  }
  return state_ == State::open;
}

void Handler::close() noexcept {
  // The kernel hears nothing of what a child of fork(2) has inherited, so the handler is only let
  // go.
  if (proactor_.core().lost()) return disown();
  if (!proactor_.core().inherited()) check("close");
  if (is_over()) return forget();
  notices_ = static_cast<std::uint16_t>(notices_ & ~notice_reopen);
  open_up();
  if (state_ != State::open) return;
  state_ = State::closing;
  loop_closing_down();
  proactor_.core().close(*this);
}

void Handler::notify_later(std::uint16_t notices) noexcept {
  if (state_ == State::idle) return;
  notices_ = static_cast<std::uint16_t>(notices_ | notices);
  proactor_.core().notify_later(*this);
}

void Handler::fail(std::int32_t error) noexcept {
  if (state_ != State::open) return;
  const auto told = static_cast<std::int16_t>(error);
  if (error_ == 0) {
    error_ = told;
  } else if (told != error_ && (later_error_ == 0 || later_error_ == code_of(Error::closing))) {
    later_error_ = told;
  }
  notify_later(notice_error);
}

void Handler::refuse(const char* verb, std::int32_t error) noexcept {
  if (start(verb)) fail(error);
}

void Handler::on_error(std::error_code error) {
  if (error != Error::closing) close();
}

void Handler::loop_tell_error(std::int32_t error) { on_error(to_error_code(error)); }

void Handler::rest() noexcept {
  proactor_.core().closed(*this);
  state_ = State::idle;
  notices_ = 0;
  told_last_ = 0;
  error_ = later_error_ = 0;
  if (server_) server_->rests(*this);
}

void Handler::forget() noexcept {
  const bool remembers = (notices_ & notice_reopen) != 0;
  notices_ = static_cast<std::uint16_t>(notices_ & ~notice_reopen);
  if (is_open()) loop_closing_down();
  if (is_open() || remembers) loop_release_resources();
  if (is_open()) rest();
}

void Handler::reopen_later() noexcept {
  notices_ = static_cast<std::uint16_t>(notices_ | notice_reopen);
}

// on_closed() may destroy the handler: the destructor takes it out of the list `still_there` then.
void Handler::became_closed() {
  loop_release_resources();
  ServerCore* const server = std::exchange(server_, nullptr);
  const unsigned reopens = notices_ & notice_reopen;
  rest();
  notices_ = static_cast<std::uint16_t>(reopens);
  socket_.close();
  if (server) server->gone();
  List<Handler, NoticeHook> still_there;
  struct GoOn {
    List<Handler, NoticeHook>& those;
    const bool served;
    ~GoOn() {
      if (Handler* const handler = those.pop_front()) handler->go_on(served);
    }
  } const go_on{still_there, server != nullptr};  // also if on_closed() throws
  still_there.push_back(*this);
  in_on_closed_ = true;
  on_closed();
}

// What on_closed() has closed again reopens behind the next on_closed().
void Handler::go_on(bool served) noexcept {
  in_on_closed_ = false;
  if ((notices_ & notice_reopen) != 0 && !closing()) {
    notices_ = static_cast<std::uint16_t>(notices_ & ~notice_reopen);
    loop_dispatch(notice_reopen);
  }
  if (state_ == State::idle && served) {
    notices_ |= notice_left;
    proactor_.core().notify_idle(*this);
  } else if (notices_ != 0) {
    proactor_.core().notify_later(*this);  // notices of what on_closed() has begun
  }
}

void Handler::unanswered() noexcept {
  if (state_ == State::open) ++proactor_.core().counters().errors_unanswered;
}

// A later call may still destroy the handler, but mostly this is a leak.
void Handler::left_behind() noexcept {
  if (state_ != State::idle) return;
  [[maybe_unused]] const bool first = ++proactor_.core().counters().left_behind == 1;
#ifndef NDEBUG
  if (first) {
    const Known known = loop_known_as();
    std::fprintf(stderr, "proa: %s %p, made for a server, was not destroyed behind on_closed()\n",
                 known.kind, known.object);
  }
#endif
}

}  // namespace proa
