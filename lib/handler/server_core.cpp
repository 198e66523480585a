// Listeners, the live handlers and the limit on them. Listeners and handlers own themselves; the
// server holds pointers to its listeners, and its handlers point back to it, so that either side
// may go first: those that are open are in the core's list, those that rest are in the server's.
// Upholds R1: what a closing handler makes room for is started from the loop, not from inside its
// end, where an exception of the factory would cost it its on_closed().
#include "handler/server_core.hpp"

#include <algorithm>
#include <proa/error.hpp>
#include <utility>

#include "base/memory.hpp"
#include "base/misuse.hpp"
#include "base/refuse.hpp"
#include "handler/handler_loop.hpp"

namespace proa {

class ServerCore::Listener final : public AcceptHandler {
 public:
  explicit Listener(ServerCore& server) noexcept
      : AcceptHandler(server.proactor()), core_(&server) {}
  ~Listener() override = default;

  /// The server is gone.
  void leave() noexcept {
    core_ = nullptr;
    close();
  }

 private:
  // Never called after close(), hence never without a server.
  void on_accept(Socket socket, const Address& peer) override {
    core_->accepted(std::move(socket), peer);
  }
  void on_paused(std::error_code error) override { core_->trouble(address(), error); }
  void on_error(std::error_code error) override {
    const Address where = address();
    close();
    core_->trouble(where, error);
  }
  void on_closed() override {
    if (core_) core_->forget(*this);
    delete this;
  }

  // The server may be gone.
  HandlerName loop_known_as() const noexcept override {
    return core_ ? core_->loop_known_as() : AcceptHandler::loop_known_as();
  }

  ServerCore* core_;
};

ServerCore::ServerCore(Proactor& proactor, Make make, const ServerBase& server)
    : Handler(proactor, HandlerKind::server), server_object_(server), make_(std::move(make)) {
  if (!make_) misuse("Server %p made with an empty factory", static_cast<const void*>(&server));
  keeps_running_ = false;
}

// Touches the proactor only if something is left there: it may be gone if nothing is.
ServerCore::~ServerCore() {
  if (in_factory_) misused_("destroyed in its own factory");
  const bool listens = std::any_of(listeners_.begin(), listeners_.end(),
                                   [](const Listener* listener) { return listener->is_open(); });
  const bool busy = is_open() || listens || live_ > 0;
  if (busy && !proactor().core().inherited()) check_("~Server");
  if (is_open()) {
    proactor().core().disarm(deadline_);
    rest_();
  }
  // In a child of fork(2) they may have been closed already, without on_closed().
  for (Listener* const listener : listeners_) {
    const bool told = listener->is_open() && !proactor().core().lost();
    told ? listener->leave() : delete listener;
  }
  leave_resting();
  if (live_ == 0) return;
  proactor().core().each_open([this](Handler& handler) {
    if (handler.server_ == this) handler.server_ = nullptr;
  });
}

std::error_code ServerCore::listen(std::string_view text, std::string* detail,
                                   const ListenOptions& options) {
  check_("listen");
  std::error_code error;
  const Address address = Address::parse(text, error, detail);
  if (error) return error;
  error =
      add_listener([&](Listener& listener) { return listener.listen(address, options, detail); });
  if (detail && (serving_ != Serving::all || closing())) {
    *detail = "cannot listen on " + address.to_string() + ": the server has drained";
  }
  return error;
}

std::error_code ServerCore::listen(Socket listening) {
  return add_listener([&](Listener& listener) { return listener.listen(std::move(listening)); });
}

template <class Listen>
std::error_code ServerCore::add_listener(Listen listen) {
  start_("listen");
  if (serving_ != Serving::all || closing()) return Error::closing;
  listeners_.reserve(listeners_.size() + 1);
  auto* const listener = new Listener(*this);
  if (const std::error_code error = listen(*listener)) {
    delete listener;
    return error;
  }
  listeners_.push_back(listener);
  if (paused_) listener->pause();
  return {};
}

std::vector<Address> ServerCore::addresses() const {
  check_("addresses");
  std::vector<Address> addresses;
  if (serving_ != Serving::all) return addresses;
  for (const Listener* const listener : listeners_) {
    if (!listener->closing()) addresses.push_back(listener->address());
  }
  return addresses;
}

void ServerCore::accepted(Socket socket, const Address& peer) {
  if (live_ < limit_ && held_.empty()) {
    start_one({std::move(socket), peer});
    return;
  }
  if (!with_memory([&] { held_.push_back({std::move(socket), peer}); })) ++refused_;
  if (serving_ == Serving::overdue) drop_beyond_limit();
  pause_or_resume();
}

void ServerCore::drop_beyond_limit() noexcept {
  const std::size_t room = limit_ - std::min(live_, limit_);
  while (held_.size() > room) held_.pop_back();
}

void ServerCore::start_one(Connection connection) {
  struct Settle {
    ServerCore& server;
    ~Settle() {
      server.in_factory_ = false;
      if (server.proactor().core().inherited()) return;  // the factory has called fork(2)
      server.pause_or_resume();
      server.tell_if_drained();
    }
  } const settle{*this};  // also if the factory throws
  in_factory_ = true;
  Handler* const handler = make_(std::move(connection.socket), connection.peer);
  if (!handler) {
    ++refused_;
    return;
  }
  if (handler->server_) handler->misused_("returned by a factory twice");
  if (&handler->proactor() != &proactor()) {
    handler->misused_("returned by the factory of a server of another proactor");
  }
  handler->server_ = this;
  if (!handler->is_open()) return resting_.push_back(*handler);
  ++live_;
  if (const std::uint16_t due = end_notices()) handler->notify_later_(due);
}

void ServerCore::gone() noexcept {
  --live_;
  if (paused_ && is_open()) notify_later_(notice_room);
  tell_if_drained();
}

void ServerCore::rests(Handler& handler) noexcept {
  is_open() && !closing() ? resting_.push_back(handler) : void(handler.server_ = nullptr);
  gone();
}

void ServerCore::leave_resting() noexcept {
  while (Handler* const resting = resting_.pop_front()) resting->server_ = nullptr;
}

void ServerCore::wakes(Handler& handler) noexcept {
  List<Handler, OpenHook>::remove(handler);
  ++live_;
  handler.notices_ = static_cast<std::uint16_t>(handler.notices_ | end_notices());
  pause_or_resume();
}

void ServerCore::set_limit(std::size_t limit) noexcept {
  check_("set_limit");
  limit_ = limit;
  pause_or_resume();
  if (!held_.empty()) notify_later_(notice_room);
}

void ServerCore::pause_or_resume() noexcept {
  const bool full = live_ >= limit_ || !held_.empty();
  if (full == paused_) return;
  paused_ = full;
  for (Listener* const listener : listeners_) full ? listener->pause() : listener->resume();
}

void ServerCore::drain(Duration deadline, std::function<void()> drained) {
  start_("drain");
  if (!is_open() || closing()) return;
  if (drained) on_drained_ = std::move(drained);
  HandlerLoop& core = proactor().core();
  const bool armed = core.arm(deadline_, after(proactor().system().now(), deadline));
  if (serving_ == Serving::all) {
    serving_ = Serving::drains;
    for (Listener* const listener : listeners_) listener->finish();
    core.each_open([this](Handler& handler) {
      if (handler.server_ == this) handler.notify_later_(notice_drain);
    });
  }
  if (!armed) deadline_passed({});
  tell_if_drained();
}

// What the loop has to tell a handler that opens now.
std::uint16_t ServerCore::end_notices() const noexcept {
  switch (serving_) {
    case Serving::all:
      return 0;
    case Serving::drains:
      return notice_drain;
    default:
      return notice_drain | notice_overdue;
  }
}

// What had come by the deadline is served first (R7): connections for which there is room, and, by
// each handler itself, its input.
void ServerCore::deadline_passed(const Result&) {
  serving_ = Serving::overdue;
  drop_beyond_limit();
  for (Listener* const listener : listeners_) listener->hurry_();
  proactor().core().each_open([this](Handler& handler) {
    if (handler.server_ == this) handler.notify_later_(notice_overdue);
  });
  tell_if_drained();
}

bool ServerCore::has_drained() const noexcept {
  return serving_ != Serving::all && live_ == 0 && held_.empty() && listeners_.empty();
}

void ServerCore::tell_if_drained() noexcept {
  if (has_drained() && is_open()) notify_later_(notice_empty);
}

void ServerCore::loop_dispatch(HandlerNotice notice) {
  if (notice == notice_empty) {
    if (!has_drained()) return;  // one that rested was started again
    proactor().core().disarm(deadline_);
    // The callback may destroy the server.
    if (const auto drained = std::exchange(on_drained_, nullptr)) drained();
  } else if (!held_.empty() && live_ < limit_) {
    Connection connection = std::move(held_.front());
    held_.pop_front();
    if (!held_.empty()) notify_later_(notice_room);
    start_one(std::move(connection));
  } else {
    pause_or_resume();
  }
}

void ServerCore::trouble(const Address& address, std::error_code error) {
  ++errors_;
  // A copy, because it may be replaced or destroyed by itself.
  if (const auto callback = on_trouble_) callback(address, error);
}

void ServerCore::forget(Listener& listener) noexcept {
  listeners_.erase(std::find(listeners_.begin(), listeners_.end(), &listener));
  tell_if_drained();
}

// The proactor shuts down: nobody who rests opens any more.
void ServerCore::loop_closing_down() noexcept {
  proactor().core().disarm(deadline_);
  held_.clear();
  leave_resting();
}

ServerBase::ServerBase(Proactor& proactor, Make make)
    : core_(std::make_unique<ServerCore>(proactor, std::move(make), *this)) {}

ServerBase::ServerBase(Proactor& proactor, Make make, std::string_view address)
    : ServerBase(proactor, std::move(make)) {
  const Address where = Address::parse(address);
  if (const std::error_code error = core_->listen(address, nullptr, {})) {
    refuse(error, "cannot listen on " + where.to_string());
  }
}

ServerBase::~ServerBase() = default;

std::error_code ServerBase::listen(std::string_view address, std::string* detail,
                                   const ListenOptions& options) {
  return core_->listen(address, detail, options);
}
std::error_code ServerBase::listen(Socket listening) { return core_->listen(std::move(listening)); }
std::vector<Address> ServerBase::addresses() const { return core_->addresses(); }
std::size_t ServerBase::live() const noexcept { return core_->live(); }
void ServerBase::set_limit(std::size_t connections) noexcept { core_->set_limit(connections); }
std::size_t ServerBase::limit() const noexcept { return core_->limit(); }
std::uint64_t ServerBase::refused() const noexcept { return core_->refused(); }
void ServerBase::drain(Duration deadline, std::function<void()> drained) {
  core_->drain(deadline, std::move(drained));
}
void ServerBase::set_error_callback(std::function<void(const Address&, std::error_code)> callback) {
  core_->set_error_callback(std::move(callback));
}
std::uint64_t ServerBase::errors() const noexcept { return core_->errors(); }

}  // namespace proa
