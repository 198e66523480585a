#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <proa/accept_handler.hpp>
#include <proa/address.hpp>
#include <proa/detail/api.hpp>
#include <proa/proactor.hpp>
#include <proa/socket.hpp>
#include <proa/time.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace proa {
inline namespace v0 {

class ServerCore;

/// What all servers have in common; use Server<H>. Everything belongs to the proactor's thread, and
/// no method calls back (R1): callbacks come from the loop.
class PROA_API ServerBase {
 public:
  static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

  ServerBase(const ServerBase&) = delete;
  ServerBase& operator=(const ServerBase&) = delete;

  /// Listens on one more address, in the text form of Address ("0.0.0.0:7", "[::1]:7",
  /// "unix:/run/echo.sock", "unix:@name"). On failure `*detail`, if asked for, is a sentence that
  /// names it. Errors: those of Address::parse() and AcceptHandler::listen(); Error::closing once
  /// drain() was called.
  [[nodiscard]] std::error_code listen(std::string_view address, std::string* detail = nullptr,
                                       const ListenOptions& options = {});
  /// The same with a socket that listens already (AcceptHandler::listen(Socket)).
  [[nodiscard]] std::error_code listen(Socket listening);
  /// Where it listens, with the ports that the system chose.
  std::vector<Address> addresses() const;

  /// Handlers that the server made and that are open: until on_closed(), or until they come to rest
  /// without it, as a timer does that has fired. Such a one is live again when it is started again.
  std::size_t live() const noexcept;
  /// At most so many live handlers; `unlimited` by default, which leaves it to the limit on
  /// descriptors (RLIMIT_NOFILE, AcceptHandler::on_paused()). At the limit accepting stops, and
  /// connections wait in the kernel's backlog; those it had handed over by then are held, unread,
  /// until there is room. Lowering it closes nobody.
  void set_limit(std::size_t connections) noexcept;
  std::size_t limit() const noexcept;
  /// Connections closed at once: the factory returned nullptr, or memory was short.
  std::uint64_t refused() const noexcept;

  /// Stops serving. What had come is still served: every connection that waits in a backlog, or is
  /// held, gets its handler, as far as set_limit() and the supply of descriptors allow within
  /// `within`; a listener is closed when nobody waits there. Every live handler's on_drain() is
  /// called, once, from the loop, after on_open(). What is left when `within` has passed is closed:
  /// a stream gets what had come by then, and sends what the kernel has room for. When no handler
  /// is live any more and the addresses are free again, `drained` is called, once; it may destroy
  /// the server. A second call replaces the time and, unless it is empty, the callback; on_drain()
  /// does not come again.
  /// No effect once the proactor was shut down: `drained` is not called then.
  void drain(Duration within, std::function<void()> drained = {});

  /// Called when something goes wrong with accepting on an address. Out of descriptors or memory
  /// (EMFILE, ENFILE, ENOBUFS, ENOMEM): accepting goes on by itself, as AcceptHandler does. Any
  /// other error: that listener is closed. Both are counted, with or without a callback.
  void set_error_callback(std::function<void(const Address&, std::error_code)> callback);
  std::uint64_t errors() const noexcept;

 protected:
  /// Makes the handler of a connection, or returns nullptr.
  using Make = std::function<Handler*(Socket, const Address&)>;

  /// For Server<H>.
  ServerBase(Proactor& proactor, Make make);
  ServerBase(Proactor& proactor, Make make, std::string_view address);
  ~ServerBase();

 private:
  std::unique_ptr<ServerCore> core_;
};

/// Accepts connections and makes a handler for each; H is derived from Handler, mostly by way of
/// StreamHandler. The handlers own themselves (`void on_closed() override { delete this; }`); the
/// server only knows which are live. One that is not destroyed when its on_closed() has returned is
/// counted (Counters::left_behind), and a library that was built without NDEBUG writes one line to
/// stderr about the first.
///
///     proa::Proactor proactor;
///     proa::Server<Echo> server(proactor, "0.0.0.0:7");
///     proactor.run();
///
/// Destroying the server closes its listeners; live handlers go on without it. To destroy it in its
/// own factory is misuse; it must not outlive its proactor while handlers are live. An exception
/// of the factory leaves run(); the connection is closed then.
template <class H>
class Server : public ServerBase {
  static_assert(std::is_base_of_v<Handler, H>, "Server<H>: H is derived from a handler of proa");
  static_assert(!std::is_base_of_v<Handler, H> || std::is_convertible_v<H*, Handler*>,
                "Server<H>: H is derived publicly, as in class H : public proa::StreamHandler");

 public:
  /// Makes the handler of a connection, open already, or returns nullptr to refuse it: the socket
  /// is then closed. A handler that is closed again, or not opened, when it is returned, is not an
  /// error; one that is not open is not counted among the live. The handler belongs to the server's
  /// proactor. To serve the connection by another one, the factory releases the socket, posts its
  /// number there, where Socket::adopt() takes it, and returns nullptr.
  using Factory = std::function<H*(Socket, const Address& peer)>;

  /// Makes handlers by H(Proactor&, Socket) and listens on one address. Throws std::system_error
  /// that names the address.
  Server(Proactor& proactor, std::string_view address)
      : ServerBase(proactor, constructing(proactor), address) {}
  /// Does not listen yet. An empty factory is misuse.
  Server(Proactor& proactor, Factory factory) : ServerBase(proactor, std::move(factory)) {}
  /// The same, making handlers by H(Proactor&, Socket).
  explicit Server(Proactor& proactor) : ServerBase(proactor, constructing(proactor)) {}

 private:
  static Factory constructing(Proactor& proactor) {
    static_assert(!std::is_abstract_v<H>,
                  "Server<H>: H lacks a callback that it must have, such as "
                  "void on_read(proa::Buffer&) override");
    static_assert(
        std::is_abstract_v<H> || std::is_constructible_v<H, Proactor&, Socket>,
        "Server<H>: H needs the constructor H(proa::Proactor&, proa::Socket), or give the "
        "server a factory");
    return [&proactor](Socket socket, const Address&) {
      return new (std::nothrow) H(proactor, std::move(socket));
    };
  }
};

}  // namespace v0
}  // namespace proa
