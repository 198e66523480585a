// Every verb of a handler in every state has one outcome: that of its table in docs/STATES.md.
// Streams and files have a program of their own.

#include <sys/socket.h>

#include <array>
#include <csignal>
#include <memory>
#include <proa/proa.hpp>
#include <set>
#include <string>
#include <utility>

#include "accept_rig.hpp"
#include "raw.hpp"
#include "states_rig.hpp"
#include "states_tables.hpp"
#include "support/catch.hpp"
#include "support/plain.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::Socket;

class TimerDriver final : public Driven<proa::TimerHandler> {
 public:
  using Driven::Driven;
  void enter(World&, const std::string& state) override {
    if (state == "armed" || state == "closing") start(1h);
    if (state == "closing") {
      close();
      due = {"on_closed()"};
    }
  }
  void call(World& world, const std::string& verb) override {
    if (verb == "start()") start(0s);
    if (verb == "start_at()") start_at(world.system().now());
    if (verb == "start_every()") start_every(1ms);
    if (verb == "start_every(0)") start_every(0s);
    if (verb == "stop()") stop();
    if (verb == "close()") close();
  }

 private:
  void on_timer(std::uint64_t) override {
    hear("on_timer()");
    stop();
  }
};

TEST_CASE("each verb of a timer in each state does what its table says", "[R6][states]") {
  check_states(timer_states, making<TimerDriver>());
}

// One end of a pair of sockets, which has room, and nothing to read until the other end writes.
class PollDriver final : public Driven<proa::PollHandler> {
 public:
  using Driven::Driven;
  void enter(World&, const std::string& state) override {
    if (state == "open" || state == "watching" || state == "closing") CHECK(!open(near_.number));
    if (state == "watching") watch_input(true);
    if (state == "closing") {
      close();
      due = {"on_closed()"};
    }
  }
  void call(World&, const std::string& verb) override {
    if (verb == "open()") note_returned(open(near_.number));
    if (verb == "open() of what is not open") note_returned(open(-1));
    if (verb == "watch_input(true)") watch_input(true);
    if (verb == "watch_output(true)") watch_output(true);
    if (verb == "watch_input(false)") watch_input(false);
    if (verb == "watch_output(false)") watch_output(false);
    if (verb == "close()") close();
    if (verb.find("(true)") != std::string::npos) far_.write("x");
  }

 private:
  void on_ready(const proa::Poll& ready) override {
    hear("on_ready()");
    watch_input(false);
    watch_output(false);
    CHECK(ready.ready());
  }
  static std::array<int, 2> make_pair() {
    std::array<int, 2> made{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, made.data()) == 0);
    return made;
  }

  const std::array<int, 2> pair_ = make_pair();
  const Raw near_{pair_[0]};
  const Raw far_{pair_[1]};
};

TEST_CASE("each verb of a PollHandler in each state does what its table says", "[R6][states]") {
  check_states(poll_states, making<PollDriver>());
}

class ReconnectorDriver final : public Driver, public proa::Reconnector {
 public:
  explicit ReconnectorDriver(World& world) : Reconnector(*world, {1ns, proa::Duration::max(), 0}) {}
  ~ReconnectorDriver() override = default;
  void enter(World&, const std::string& state) override {
    if (state != "waiting" && state != "closing") return;
    for (int i = 0; i < 62; ++i) {  // from then on it waits for years
      stop();
      failed();
    }
    if (state == "closing") {
      close();
      due = {"on_closed()"};
    }
  }
  void call(World&, const std::string& verb) override {
    if (verb == "failed()") failed();
    if (verb == "succeeded()") succeeded();
    if (verb == "stop()") stop();
    if (verb == "close()") close();
  }
  void close() override { Reconnector::close(); }
  bool idle() const override { return !is_open(); }

 private:
  void on_attempt() override { hear("on_attempt()"); }
  void on_closed() override { hear("on_closed()"); }
};

TEST_CASE("each verb of a reconnector in each state does what its table says", "[R6][states]") {
  check_states(reconnector_states, making<ReconnectorDriver>());
}

class NotifierDriver final : public Driven<proa::Notifier> {
 public:
  using Driven::Driven;
  void enter(World&, const std::string& state) override {
    if (state == "open" || state == "closing") start();
    if (state == "closing") {
      close();
      due = {"on_closed()"};
    }
  }
  void call(World& world, const std::string& verb) override {
    if (verb.find("notify()") == 0) notify();
    if (verb == "notify() before start()") world.turn();
    if (verb.find("start()") != std::string::npos) start();
    if (verb == "stop()") stop();
    if (verb == "notify() before stop()") stop();
    if (verb == "close()") close();
  }

 private:
  void on_notify() override { hear("on_notify()"); }
};

TEST_CASE("each verb of a notifier in each state does what its table says", "[R6][states]") {
  check_states(notifier_states, making<NotifierDriver>());
}

class SignalDriver final : public Driven<proa::SignalHandler> {
 public:
  using Driven::Driven;
  void enter(World&, const std::string& state) override {
    if (state == "started" || state == "closing") REQUIRE(!start(SIGUSR2));
    if (state == "closing") {
      close();
      due = {"on_closed()"};
    }
  }
  void call(World&, const std::string& verb) override {
    if (verb == "start()") listen(SIGUSR1);
    if (verb == "start() of what is no signal") listen(SIGKILL);
    if (verb == "stop()") {
      stop();
      // Nobody listens any more: it would end the program.
      struct sigaction action {};
      REQUIRE(::sigaction(SIGUSR2, nullptr, &action) == 0);
      if (action.sa_handler != SIG_DFL) hear("listens still");
    }
    if (verb == "close()") close();
  }

 private:
  void listen(int signal) {
    const std::error_code error = start(signal);
    note_returned(error);
    if (!error) ::raise(signal);
  }
  void on_signal(int, std::uint64_t) override { hear("on_signal()"); }
};

TEST_CASE("each verb of a signal handler in each state does what its table says", "[R6][states]") {
  check_states(signal_states, making<SignalDriver>());
}

class AcceptDriver final : public Driven<proa::AcceptHandler> {
 public:
  using Driven::Driven;
  void enter(World& world, const std::string& state) override {
    if (state == "idle" || state == "shut down") return;
    if (state == "failed") return fail_to_accept(world);
    REQUIRE(!listen(Address::loopback(0)));
    world.turn();
    if (state == "paused") pause();
    if (state == "finishing") {
      finish();
      due = {"on_closed()"};
    }
    if (state == "closing") {
      close();
      due = {"on_closed()"};
    }
  }
  void call(World& world, const std::string& verb) override {
    const bool takes = paused() ? verb == "resume()" || verb == "finish()" : verb == "finish()";
    if (takes && !failed_ && address().is_set() && due.empty()) fill_backlog(world, address(), 1);
    if (verb == "pause()") pause();
    if (verb == "resume()") resume();
    if (verb == "finish()") finish();
    if (verb == "close()") close();
    if (verb != "listen()") return;
    const std::error_code error = listen(Address::loopback(0));
    note_returned(error);
    if (!error) fill_backlog(world, address(), 1);
  }

 private:
  void on_accept(Socket, const Address&) override { hear("on_accept()"); }
  // A socket that does not listen.
  void fail_to_accept(World& world) {
    std::error_code error;
    REQUIRE(!listen(Socket::open(*world, Address::Family::ipv4, proa::Transport::stream, error)));
    world.run_until("it has failed", [&] { return !heard.empty(); });
    failed_ = true;
  }

  bool failed_ = false;
};

TEST_CASE("each verb of a listener in each state does what its table says", "[R6][states]") {
  check_states(accept_states, making<AcceptDriver>());
}

class DatagramDriver final : public Driven<proa::DatagramHandler> {
 public:
  explicit DatagramDriver(World& world) : Driven(world), sender_(*world) {}

  void enter(World&, const std::string& state) override {
    if (state == "idle" || state == "shut down") return;
    REQUIRE(!sender_.bind(Address::loopback(0)));
    if (state == "connected") REQUIRE(!connect(sender_.address()));
    if (state != "connected") REQUIRE(!bind(Address::loopback(0)));
    if (state == "receiving stopped") stop_receiving();
    if (state == "finishing") {
      send(proa::Bytes("x", 1), Address::loopback(9));
      finish();
      due = {"on_sent()", "on_closed()"};
    }
    if (state == "closing") {
      close();
      due = {"on_closed()"};
    }
  }
  void call(World&, const std::string& verb) override {
    const std::uint64_t before = errors();
    const bool was_open = is_open() && !closing();
    if (!sender_.is_open() && !proactor().shutting_down())
      REQUIRE(!sender_.bind(Address::loopback(0)));
    const Address to = socket().peer_address().is_set() ? Address() : Address::loopback(9);
    if (verb == "bind()") {
      const std::error_code error = bind(Address::loopback(0));
      note_returned(error);
      if (!error) stimulate();
    } else if (verb == "connect()") {
      const Address peer = sender_.is_open() ? sender_.address() : Address::loopback(9);
      const std::error_code error = connect(peer);
      note_returned(error);
      if (!error) stimulate();
    } else if (verb == "connect() without an address") {
      note_returned(connect(Address()));
    } else if (verb == "stop_receiving()") {
      stop_receiving();
      if (was_open) stimulate();
    } else if (verb == "start_receiving()") {
      stop_receiving();
      start_receiving();
      if (was_open) stimulate();
    } else if (verb == "send()") {
      send(proa::Bytes("x", 1), to);
    } else if (verb == "send_segments()") {
      send_segments(proa::Bytes("xy", 2), 1, to);
    } else if (verb == "join()" || verb == "leave()") {
      const Address group = Address::parse("239.1.2.3:0");
      const std::uint32_t loopback = loopback_interface();
      const std::error_code error = join(group, loopback);
      if (verb == "join()") return note_returned(error);
      note_returned(leave(group, loopback));
    } else if (verb == "set_multicast()") {
      note_returned(set_multicast(loopback_interface(), 1, true));
    } else if (verb == "set_limit()") {
      set_limit(1);
    } else if (verb == "drain()") {
      drain();
    } else if (verb == "finish()") {
      finish();
    } else if (verb == "close()") {
      close();
    }
    if (errors() != before) hear("counted in errors()");
  }
  void close() override {
    Driven::close();
    sender_.close();
  }
  bool idle() const override { return Driven::idle() && !sender_.is_open(); }

 private:
  struct Sender final : proa::DatagramHandler {
    using DatagramHandler::DatagramHandler;
    ~Sender() override = default;
    void on_receive(proa::Buffer&, const Address&, const proa::DatagramInfo&) override {}
  };

  void stimulate() { sender_.send(proa::Bytes("x", 1), address()); }
  void on_receive(proa::Buffer&, const Address&, const proa::DatagramInfo&) override {
    hear("on_receive()");
  }
  void on_sent(const Address&, const proa::Result& result) override {
    hear(result.error == proa::Error::closing ? "on_sent(closing)" : "on_sent()");
  }

  Sender sender_;
};

TEST_CASE("each verb of a datagram handler in each state does what its table says",
          "[R6][states]") {
  check_states(datagram_states, making<DatagramDriver>());
}

class ServerDriver final : public Driver {
 public:
  explicit ServerDriver(World& world) { make(world); }

  void enter(World& world, const std::string& state) override {
    if (!server_) make(world);
    if (state == "new" || state == "shut down") return;
    if (state == "at the limit") server_->set_limit(1);
    REQUIRE(!server_->listen("127.0.0.1:0"));
    world.turn();
    if (state == "at the limit") {
      fill_backlog(world, server_->addresses()[0], 2);
      world.run_until("one is live", [&] { return server_->live() == 1; });
    }
    if (state == "draining") {
      server_->drain(1h, [this] { hear("the first callback"); });
      due = {"the first callback"};
    }
    if (state == "drained") {
      bool drained = false;
      server_->drain(1h, [&] { drained = true; });
      world.run_until("it has drained", [&] { return drained; });
    }
    state_ = state;
  }
  void call(World& world, const std::string& verb) override {
    if (verb == "listen()") {
      const std::error_code error = server_->listen("127.0.0.1:0");
      note_returned(error);
      if (!error) fill_backlog(world, server_->addresses().back(), 1);
    } else if (verb == "set_limit() raised") {
      server_->set_limit(10);
    } else if (verb == "set_error_callback()") {
      server_->set_error_callback([this](const Address&, std::error_code) { hear("an error"); });
    } else if (verb == "drain()") {
      if (state_ == "serving") fill_backlog(world, server_->addresses()[0], 1);
      server_->drain(1h, [this] { hear("drained"); });
    }
  }
  void close() override {
    server_.reset();
    for (Served* const each : served_) each->close();
  }
  bool idle() const override { return served_.empty(); }

 private:
  class Served final : public proa::StreamHandler {
   public:
    Served(proa::Proactor& proactor, ServerDriver& driver, Socket socket)
        : StreamHandler(proactor, std::move(socket)), driver_(driver) {
      driver_.served_.insert(this);
    }

   private:
    ~Served() override { driver_.served_.erase(this); }
    void on_read(proa::Buffer&) override {}
    void on_drain() override {
      driver_.hear("on_drain()");
      close();
    }
    void on_closed() override { delete this; }

    ServerDriver& driver_;
  };

  void make(World& world) {
    server_ = std::make_unique<proa::Server<Served>>(
        *world, [this, &world](Socket socket, const Address&) {
          hear("a handler");
          return new Served(*world, *this, std::move(socket));
        });
  }

  std::string state_;
  std::set<Served*> served_;  // until they are gone
  std::unique_ptr<proa::Server<Served>> server_;
};

TEST_CASE("each verb of a server in each state does what its table says", "[R6][states]") {
  check_states(server_states, making<ServerDriver>());
}

}  // namespace
