#pragma once

// The part of a Server that does not depend on the type of its handlers. A handler itself, so that
// the loop can call it: it starts what was held and tells of the end of a drain from there.

#include <list>
#include <proa/server.hpp>

#include "base/list.hpp"
#include "handler/handler_loop.hpp"

namespace proa {
inline namespace v0 {

class ServerCore final : public Handler {
 public:
  using Make = std::function<Handler*(Socket, const Address&)>;

  /// `server` is what the program knows it by.
  ServerCore(Proactor& proactor, Make make, const ServerBase& server);
  ~ServerCore() override;

  // ServerBase's own methods; see there.
  std::error_code listen(std::string_view text, std::string* detail, const ListenOptions& options);
  std::error_code listen(Socket listening);
  std::vector<Address> addresses() const;
  std::size_t live() const noexcept { return live_; }
  void set_limit(std::size_t limit) noexcept;
  std::size_t limit() const noexcept { return limit_; }
  std::uint64_t refused() const noexcept { return refused_; }
  void drain(Duration deadline, std::function<void()> drained);
  void set_error_callback(std::function<void(const Address&, std::error_code)> callback) {
    check_("set_error_callback");
    on_trouble_ = std::move(callback);
  }
  std::uint64_t errors() const noexcept { return errors_; }

  /// A live handler is closed; on_closed() follows.
  void gone() noexcept;
  /// A live handler has come to rest without on_closed(), as a timer does that has fired: it is not
  /// live, but may be again.
  void rests(Handler& handler) noexcept;
  void wakes(Handler& handler) noexcept;
  /// A handler that rests is destroyed. One is listed only while the server is open, so the
  /// proactor is not shut down.
  static void forget_resting(Handler& handler) noexcept {
    List<Handler, OpenHook>::remove(handler);
  }

 private:
  class Listener;
  enum class Serving : std::uint8_t {
    all,
    drains,   // drain() was called: the backlog is taken, and that is all
    overdue,  // its deadline has passed: the same, but nothing is waited for
  };
  struct Connection {
    Socket socket;
    Address peer;
  };
  // What dispatch() is asked for, in the terms of Handler.
  static constexpr HandlerNotice notice_room = notice_open;
  static constexpr HandlerNotice notice_empty = notice_read;

  template <class Listen>
  std::error_code add_listener(Listen listen);
  void accepted(Socket socket, const Address& peer);
  void start_one(Connection connection);
  void trouble(const Address& address, std::error_code error);
  void forget(Listener& listener) noexcept;
  void leave_resting() noexcept;
  void drop_beyond_limit() noexcept;
  std::uint16_t end_notices() const noexcept;
  void pause_or_resume() noexcept;
  bool has_drained() const noexcept;
  void tell_if_drained() noexcept;
  void deadline_passed(const Result& result);
  void loop_dispatch(HandlerNotice notice) override;
  void loop_closing_down() noexcept override;
  void loop_leave_process() noexcept override { leave_resting(); }
  HandlerName loop_known_as() const noexcept override { return {"Server", &server_object_}; }

  const ServerBase& server_object_;
  const Make make_;
  std::function<void(const Address&, std::error_code)> on_trouble_;
  std::function<void()> on_drained_;
  On<Timer, &ServerCore::deadline_passed> deadline_{*this};
  std::vector<Listener*> listeners_;  // they delete themselves when they are closed
  std::list<Connection> held_;        // accepted beyond the limit
  List<Handler, OpenHook> resting_;   // in no list of the core's
  std::size_t live_ = 0;
  std::size_t limit_ = ServerBase::unlimited;
  std::uint64_t refused_ = 0;
  std::uint64_t errors_ = 0;
  bool paused_ = false;
  Serving serving_ = Serving::all;
  bool in_factory_ = false;
};

}  // namespace v0
}  // namespace proa
