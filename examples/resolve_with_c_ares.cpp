// c-ares inside run(): its sockets are watched by PollHandlers, and its timeouts are a timer of the
// proactor. Resolves names at the same time, and prints their addresses.
// Arguments: "-" or a server, as in 127.0.0.1:5353, then names.
#include <ares.h>
#include <netdb.h>
#include <sys/time.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <proa/address.hpp>
#include <proa/poll_handler.hpp>
#include <proa/timer_handler.hpp>

/// A channel of c-ares whose queries go on while the proactor runs.
class Resolver : public proa::TimerHandler {
 public:
  explicit Resolver(proa::Proactor& proactor) : TimerHandler(proactor) {
    ares_options options = {};
    options.sock_state_cb = watch;
    options.sock_state_cb_data = this;
    error_ = ares_init_options(&channel_, &options, ARES_OPT_SOCK_STATE_CB);
  }
  ~Resolver() override {
    if (error_ == ARES_SUCCESS) ares_destroy(channel_);
    stop();
  }
  int error() const { return error_; }
  ares_channel channel() const { return channel_; }

  void resolve(const char* name, ares_addrinfo_callback done, void* argument) {
    ares_addrinfo_hints hints = {};
    hints.ai_family = AF_UNSPEC;
    ares_getaddrinfo(channel_, name, nullptr, &hints, done, argument);
    set_timer();
  }

 private:
  struct Watcher : proa::PollHandler {
    Watcher(Resolver& resolver, ares_socket_t socket)
        : PollHandler(resolver.proactor()), resolver_(resolver), socket_(socket) {}
    void on_ready(const proa::Poll& ready) override {
      const bool in = ready.direction() == proa::Direction::in;
      resolver_.act(in ? socket_ : ARES_SOCKET_BAD, in ? ARES_SOCKET_BAD : socket_);
    }
    void on_closed() override { delete this; }

   private:
    Resolver& resolver_;
    const ares_socket_t socket_;
  };

  // c-ares closes a socket that it is interested in no more.
  static void watch(void* self, ares_socket_t socket, int readable, int writable) {
    auto& resolver = *static_cast<Resolver*>(self);
    Watcher*& watcher = resolver.watchers_[socket];
    if (!readable && !writable) {
      if (watcher) watcher->close();
      resolver.watchers_.erase(socket);
      return;
    }
    if (!watcher) {
      watcher = new Watcher(resolver, socket);
      // Without a descriptor for it the query ends by its timeout.
      (void)watcher->open(socket);
    }
    watcher->watch_input(readable != 0);
    watcher->watch_output(writable != 0);
  }

  void on_timer(std::uint64_t) override { act(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }
  void act(ares_socket_t readable, ares_socket_t writable) {
    ares_process_fd(channel_, readable, writable);
    set_timer();
  }
  void set_timer() {
    timeval left{};
    if (!ares_timeout(channel_, nullptr, &left)) return stop();
    start(std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec));
  }

  ares_channel channel_ = nullptr;
  std::map<ares_socket_t, Watcher*> watchers_;
  int error_ = ARES_SUCCESS;
};

namespace {

int failed = 0;

void resolved(void* name, int status, int, ares_addrinfo* found) {
  if (status != ARES_SUCCESS) {
    std::printf("%s: %s\n", static_cast<const char*>(name), ares_strerror(status));
    ++failed;
    return;
  }
  for (const ares_addrinfo_node* node = found->nodes; node; node = node->ai_next) {
    char text[NI_MAXHOST];
    getnameinfo(node->ai_addr, node->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
    std::printf("%s: %s\n", static_cast<const char*>(name), text);
  }
  ares_freeaddrinfo(found);
}

}  // namespace

int main(int argc, char** argv) {
  ares_library_init(ARES_LIB_INIT_ALL);
  {
    proa::Proactor proactor;
    Resolver resolver(proactor);
    if (resolver.error() != ARES_SUCCESS) return 1;
    const bool own = argc > 1 && std::strcmp(argv[1], "-") != 0;
    if (own && ares_set_servers_ports_csv(resolver.channel(), argv[1]) != ARES_SUCCESS) return 2;
    for (int i = 2; i < argc; ++i) resolver.resolve(argv[i], resolved, argv[i]);
    proactor.run();
  }
  ares_library_cleanup();
  return failed == 0 ? 0 : 1;
}
