// Misuse aborts in every build, through the hook, and names the object.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <new>
#include <optional>
#include <proa/file_requests.hpp>
#include <proa/misuse.hpp>
#include <proa/notifier.hpp>
#include <proa/server.hpp>
#include <proa/stream_filter.hpp>
#include <proa/stream_handler.hpp>
#include <proa/worker_pool.hpp>
#include <thread>

#include "support/death.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

#define CHECK_SAYS(message, part)   \
  do {                              \
    INFO("it says: " << (message)); \
    CHECK(contains(message, part)); \
  } while (false)

std::string address_of(const void* object) {
  char text[32];
  std::snprintf(text, sizeof text, "%p", object);
  return text;
}

TEST_CASE("X04: use from a foreign thread", "[R9][X04]") {
  Timing timer;
  const auto tried_elsewhere = [&](const std::function<void(proa::Proactor&)>& use) {
    return message_of([&] {
      auto proactor = make_proactor();
      if (proactor->submit(timer.request, proactor->system().now() + 1h)) return;
      proactor->poll();
      std::thread([&] { use(*proactor); }).join();
    });
  };
  Timing other;
  const std::string submitted = tried_elsewhere([&](proa::Proactor& proactor) {
    if (proactor.submit(other.request, proa::never)) return;
  });
  CHECK_SAYS(submitted, "Proactor 0x");
  CHECK_SAYS(submitted, "submit() on a foreign thread");
  CHECK_SAYS(tried_elsewhere([&](proa::Proactor& p) { p.cancel(timer.request); }),
             "cancel() on a foreign thread");
  CHECK_SAYS(tried_elsewhere([&](proa::Proactor& p) { p.run(); }), "run() on a foreign thread");
  CHECK_SAYS(tried_elsewhere([&](proa::Proactor& p) { p.run_once(0ns); }),
             "run_once() on a foreign thread");
  CHECK_SAYS(tried_elsewhere([&](proa::Proactor& p) { p.poll(); }), "poll() on a foreign thread");
  CHECK_SAYS(tried_elsewhere([&](proa::Proactor& p) { p.shutdown(1s); }),
             "shutdown() on a foreign thread");
}

TEST_CASE("a proactor destroyed on a foreign thread without shutdown", "[R9]") {
  const std::string message = message_of([] {
    auto proactor = make_proactor();
    proactor->poll();
    std::thread([&] { proactor.reset(); }).join();
  });
  CHECK_SAYS(message, "Proactor 0x");
  CHECK_SAYS(message, "foreign thread");
}

TEST_CASE("a pending request submitted or changed again", "[R3]") {
  Timing timer;
  const std::string submitted = message_of([&] {
    auto proactor = make_proactor();
    for (int i = 0; i < 2; ++i) {
      if (proactor->submit(timer.request, proactor->system().now() + 1h)) return;
    }
  });
  CHECK_SAYS(submitted, "Timer " + address_of(&timer.request));
  CHECK_SAYS(submitted, "submit while it was pending");

  Read read;
  const std::string prepared = message_of([&] {
    auto proactor = make_proactor();
    std::error_code error;
    proa::Socket socket =
        proa::Socket::open(*proactor, proa::Address::Family::local, proa::Transport::stream, error);
    if (proactor->submit(read.from(socket.descriptor()))) return;
    read.from(socket.descriptor());
  });
  CHECK_SAYS(prepared, "Recv " + address_of(&read.request));
  CHECK_SAYS(prepared, "prepare while it was pending");
}

TEST_CASE("a proactor destroyed before its WorkerPool", "[R6]") {
  const std::string message = message_of([] {
    auto proactor = make_proactor();
    const proa::WorkerPool pool(*proactor);
    proactor.reset();
  });
  CHECK_SAYS(message, "destroyed before a WorkerPool of it");
}

TEST_CASE("a proactor destroyed before what was made with it", "[R6]") {
  const std::string kept = message_of([] {
    auto proactor = make_proactor();
    const proa::KeepAlive keep(*proactor);
    proactor.reset();
  });
  CHECK_SAYS(kept, "destroyed before a KeepAlive of it");
  const std::string owned = message_of([] {
    auto proactor = make_proactor();
    std::error_code error;
    proa::Socket first =
        proa::Socket::open(*proactor, proa::Address::Family::local, proa::Transport::stream, error);
    const proa::Socket moved = std::move(first);
    proactor.reset();
  });
  CHECK_SAYS(owned, "destroyed while 1 of its Sockets and Files are open");
}

TEST_CASE("native_handle() of a proactor that is not to be embedded", "[embedding]") {
  const std::string message = message_of([] {
    auto proactor = make_proactor();
    static_cast<void>(proactor->native_handle());
  });
  CHECK_SAYS(message, "Proactor 0x");
  CHECK_SAYS(message, "native_handle() without Options::embedded");
}

TEST_CASE("a pending request destroyed", "[R6]") {
  const std::string message = message_of([] {
    auto proactor = make_proactor();
    std::optional<Timing> timer(std::in_place);
    if (proactor->submit(timer->request, proactor->system().now() + 1h)) return;
    timer.reset();
  });
  CHECK_SAYS(message, "Timer 0x");
  CHECK_SAYS(message, "destroyed while it was pending");
}

TEST_CASE("misuse of a request on a file names what it does", "[R3][R6]") {
  struct Cutting {
    void done(const proa::Result&) {}
    proa::On<proa::Truncate, &Cutting::done> request{*this};
  };
  const bool destroyed = GENERATE(true, false);
  const std::string message = message_of([&] {
    auto proactor = make_proactor();
    auto cutting = std::make_unique<Cutting>();
    cutting->request.prepare(proa::Descriptor{0, proa::DescriptorKind::file}, 0);
    if (proactor->submit(cutting->request)) return;
    destroyed ? cutting.reset()
              : cutting->request.prepare(proa::Descriptor{0, proa::DescriptorKind::file}, 1);
  });
  CHECK_SAYS(message, "Truncate 0x");
  CHECK_SAYS(message, destroyed ? "destroyed while it was pending" : "prepare while it was");
}

TEST_CASE("a request without a callback", "[R2]") {
  const std::string message = message_of([] {
    auto proactor = make_proactor();
    proa::Timer timer;
    if (proactor->submit(timer, proactor->system().now())) return;
  });
  CHECK_SAYS(message, "submitted without a callback");
}

struct Bell : proa::Notifier {
  using Notifier::Notifier;
  ~Bell() override = default;
  void on_notify() override {}
};

TEST_CASE("a live handler destroyed", "[R6]") {
  const std::string opened = message_of([] {
    auto proactor = make_proactor();
    Bell bell(*proactor);
    bell.start();
  });
  CHECK_SAYS(opened, "Notifier 0x");
  CHECK_SAYS(opened, "destroyed before on_closed()");
  CHECK_SAYS(opened, "Proactor::shutdown() first");
  const std::string closing = message_of([] {
    auto proactor = make_proactor();
    Bell bell(*proactor);
    bell.start();
    bell.close();
  });
  CHECK_SAYS(closing, "destroyed before on_closed()");
}

struct Reader : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void on_read(proa::Buffer&) override {}
};

// The program knows its server by the object that it made, whatever that is made of.
TEST_CASE("misuse of a server names the server", "[R9]") {
  using Server = proa::Server<Reader>;
  std::string said;
  proa::Proactor* last_made = nullptr;
  const auto tried = [&](const std::function<void(Server&)>& use) {
    alignas(Server) static unsigned char place[sizeof(Server)];  // of the same address in the child
    said = "Server " + address_of(place);
    return message_of([&] {
      auto proactor = make_proactor();
      last_made = proactor.get();
      auto* const server = new (place) Server(*proactor);
      proactor->poll();
      use(*server);
    });
  };
  const auto elsewhere = [&](const std::function<void(Server&)>& use) {
    return tried([&](Server& server) { std::thread([&] { use(server); }).join(); });
  };
  CHECK_SAYS(elsewhere([](Server& server) { (void)server.listen("127.0.0.1:0"); }), said);
  CHECK_SAYS(elsewhere([](Server& server) { server.set_limit(1); }), said);
  CHECK_SAYS(elsewhere([](Server& server) { server.drain(1s); }), said);
  CHECK_SAYS(elsewhere([](Server& server) {
               (void)server.listen("127.0.0.1:0");
               server.~Server();
             }),
             said);
  CHECK_SAYS(tried([&](Server& server) {
               server.~Server();
               new (&server) Server(*last_made, Server::Factory());
             }),
             said);
  // Its listener's descriptor, given to another one.
  CHECK_SAYS(tried([&](Server& server) {
               std::error_code error;
               const int number = ::socket(AF_INET, SOCK_STREAM, 0);
               if (::listen(number, 1) != 0) return;
               for (int i = 0; i < 2; ++i) {
                 if (server.listen(proa::Socket::borrow(*last_made, number, error))) return;
               }
             }),
             said + " and " + said);
}

struct Protocol {
  virtual ~Protocol() = default;
  int version = 1;
};
struct Session : Protocol, proa::StreamHandler {
  explicit Session(proa::Proactor& proactor) : StreamHandler(proactor) {}
  void on_read(proa::Buffer&) override {}
};

TEST_CASE("misuse of a handler names the program's object", "[R9]") {
  alignas(Session) static unsigned char place[sizeof(Session)];
  const std::string message = message_of([&] {
    auto proactor = make_proactor();
    auto* const session = new (place) Session(*proactor);
    proactor->poll();
    std::thread([&] { session->write("x"); }).join();
  });
  CHECK_SAYS(message, "StreamHandler " + address_of(place));
}

TEST_CASE("a handler that never started anything may just be destroyed", "[R6]") {
  World world;
  const Bell bell(*world);
  CHECK(!bell.is_open());
}

TEST_CASE("the loop entered again from a callback", "[R1]") {
  const auto entered_again = [](const std::function<void(proa::Proactor&)>& use) {
    return message_of([&] {
      auto proactor = make_proactor();
      if (!proactor->post([&] { use(*proactor); })) return;
      proactor->run();
    });
  };
  const std::string message = entered_again([](proa::Proactor& p) { p.run(); });
  CHECK_SAYS(message, "Proactor 0x");
  CHECK_SAYS(message, "run() inside a callback");
  CHECK_SAYS(entered_again([](proa::Proactor& p) { p.run_once(0ns); }), "inside a callback");
  CHECK_SAYS(entered_again([](proa::Proactor& p) { p.poll(); }), "inside a callback");
  CHECK_SAYS(entered_again([](proa::Proactor& p) { p.shutdown(1s); }), "inside a callback");
  CHECK_SAYS(message_of([] {
               auto proactor = make_proactor();
               if (!proactor->post([&] { proactor.reset(); })) return;
               proactor->run();
             }),
             "~Proactor() inside a callback");
}

TEST_CASE("a server destroyed in its own factory", "[R6]") {
  struct Served : proa::StreamHandler {
    using StreamHandler::StreamHandler;
    ~Served() override = default;
    void on_read(proa::Buffer&) override {}
  };
  CHECK_SAYS(message_of([] {
               auto proactor = make_proactor();
               std::unique_ptr<proa::Server<Served>> server;
               const auto factory = [&](const proa::Socket&, const proa::Address&) -> Served* {
                 server.reset();
                 return nullptr;
               };
               server = std::make_unique<proa::Server<Served>>(*proactor, factory);
               if (server->listen("127.0.0.1:0")) return;
               Served client(*proactor);
               client.connect(server->addresses().at(0));
               proactor->run();
             }),
             "destroyed in its own factory");
}

TEST_CASE("a filter that speaks before it stands anywhere", "[filter]") {
  struct Early : proa::StreamFilter {
    using StreamFilter::send_end;
    void on_received(proa::Buffer) noexcept override {}
    void on_written(proa::Buffer) noexcept override {}
  };
  CHECK_SAYS(message_of([] { Early().send_end(); }), "send_end() before set_filter()");
}

struct Posted {
  void run() {}
  proa::OnPost<&Posted::run> post{*this};
};

TEST_CASE("a queued post posted again or destroyed", "[R9]") {
  CHECK_SAYS(message_of([] {
               auto proactor = make_proactor();
               Posted posted;
               if (proactor->post(posted.post) && proactor->post(posted.post)) return;
             }),
             "posted while it was queued");
  CHECK_SAYS(message_of([] {
               auto proactor = make_proactor();
               Posted posted;
               if (proactor->post(posted.post)) return;
             }),
             "destroyed while it was queued");
}

TEST_CASE("without a hook the process is aborted all the same", "[R6]") {
  const std::string message = message_of([] {
    proa::set_misuse_hook(nullptr);
    ::close(2);
    auto proactor = make_proactor();
    Bell bell(*proactor);
    bell.start();
  });
  CHECK_SAYS(message, "died: ");
}

TEST_CASE("a request cancelled through another proactor than has it", "[R4]") {
  Timing timer;
  const std::string timers = message_of([&] {
    auto one = make_proactor();
    auto other = make_proactor();
    other->cancel(timer.request);  // an idle one is nobody's
    if (one->submit(timer.request, one->system().now() + 1h)) return;
    other->cancel(timer.request);
  });
  CHECK_SAYS(timers, "Timer " + address_of(&timer.request));
  CHECK_SAYS(timers, "cancel() through another proactor than has it");

  Read read;
  const std::string receives = message_of([&] {
    auto one = make_proactor();
    auto other = make_proactor();
    std::error_code error;
    proa::Socket socket =
        proa::Socket::open(*one, proa::Address::Family::local, proa::Transport::stream, error);
    if (one->submit(read.from(socket.descriptor()))) return;
    other->cancel(read.request);
  });
  CHECK_SAYS(receives, "Recv " + address_of(&read.request));
  CHECK_SAYS(receives, "cancel() through another proactor than has it");
}

TEST_CASE("a request goes from one proactor to another, and each may cancel it", "[R4]") {
  Timing timer;
  auto one = make_proactor();
  auto other = make_proactor();
  for (proa::Proactor* const each : {one.get(), other.get(), one.get()}) {
    timer.results.clear();
    REQUIRE(!each->submit(timer.request, each->system().now() + 1h));
    each->cancel(timer.request);
    CHECK(each->run() == 1);
    REQUIRE(timer.done());
    CHECK(timer.error() == std::errc::operation_canceled);
  }
}

}  // namespace
