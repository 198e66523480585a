// A server, a client and a worker in one program, on each backend that works here. Nothing in it
// needs exceptions or RTTI.
#include <cstdio>
#include <proa/proa.hpp>
#include <string>

#include "sum.hpp"

using namespace std::chrono_literals;

namespace {

struct Echo final : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
  void on_closed() override { delete this; }
};

struct Client final : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void ask(const proa::Address& server) {
    connect(server, proa::after(proactor().now(), 10s));
    write("ping");
  }
  void on_read(proa::Buffer& data) override {
    answer += data.text();
    if (answer.size() == 4) finish();
  }
  void on_closed() override { then(); }
  std::string answer;
  std::function<void()> then;
};

/// An empty string, or what went wrong.
std::string try_backend(proa::Proactor& proactor) {
  std::string detail;
  proa::Server<Echo> server(proactor);
  if (server.listen("127.0.0.1:0", &detail)) return detail;
  Client client(proactor);
  client.then = [&] { server.drain(1s); };
  client.ask(server.addresses().front());
  proa::WorkerPool pool(proactor);
  Sum sum;
  sum.work.prepare<&Sum::add>(sum);
  if (pool.run(sum.work)) return "the pool takes no work";
  proactor.run();
  if (client.answer != "ping") return "the answer is \"" + client.answer + '"';
  return sum.right() ? "" : "the work is not done";
}

}  // namespace

int main() {
  int worked = 0;
  for (const char* backend : {"uring", "epoll", "kqueue"}) {
    proa::Options options;
    options.backend = backend;
    options.fallback = false;
    std::error_code error;
    std::string detail;
    const auto proactor = proa::Proactor::create(options, error, &detail);
    if (!proactor) {
      std::printf("%s: %s\n", backend, detail.c_str());
      continue;
    }
    const std::string wrong = try_backend(*proactor);
    std::printf("%s: %s\n", backend, wrong.empty() ? "works" : wrong.c_str());
    if (!wrong.empty()) return 1;
    ++worked;
  }
  return worked > 0 ? 0 : 1;
}
