// An echo server to be measured: `tcp_server [-p port] [--backend name]`. What arrives goes back in
// the buffer it came in. With -s every MiB is answered with one byte.
#include <getopt.h>

#include <cstdio>
#include <cstdlib>
#include <proa/proa.hpp>
#include <string>

#include "arguments.hpp"

namespace {

struct Echo final : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
  void on_closed() override { delete this; }
};

struct Sink final : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void on_read(proa::Buffer& data) override {
    constexpr std::size_t message = std::size_t{1} << 20;
    unanswered += data.size();
    if (unanswered < message) return;
    data.truncate(unanswered / message);
    unanswered %= message;
    write(std::move(data));
  }
  void on_closed() override { delete this; }
  std::size_t unanswered = 0;
};

void usage(std::FILE* to) {
  std::fputs(
      "usage: tcp_server [-p port] [-s] [-V] [--backend name] [--read-timeout seconds]\n"
      "                  [--spin microseconds]\n"
      "Echoes on 127.0.0.1:port (8080; 0 for any) until it is killed; with -s answers every MiB\n"
      "with one byte. -V prints the library's version.\n",
      to);
}

struct Settings {
  std::string port = "8080";
  proa::Options options;
  proa::Duration read_timeout{};
  bool sink = false;
};

Settings parse(int argc, char** argv) {
  static const option kLong[] = {{"port", required_argument, nullptr, 'p'},
                                 {"backend", required_argument, nullptr, 'b'},
                                 {"read-timeout", required_argument, nullptr, 't'},
                                 {"spin", required_argument, nullptr, 'l'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {}};
  Settings settings;
  for (int c; (c = getopt_long(argc, argv, "p:b:shV", kLong, nullptr)) != -1;) {
    switch (c) {
      case 'p':
        settings.port = optarg;
        break;
      case 'b':
        settings.options.backend = optarg;
        settings.options.fallback = false;
        break;
      case 't':
        settings.read_timeout = std::chrono::duration_cast<proa::Duration>(
            std::chrono::duration<double>(bench::to_seconds("read-timeout", optarg)));
        break;
      case 'l':
        settings.options.spin =
            std::chrono::microseconds(bench::to_number("spin", optarg, 0, 1000000));
        break;
      case 's':
        settings.sink = true;
        break;
      case 'V':
        std::printf("proa %s\n", proa::version());
        std::exit(0);
      case 'h':
        usage(stdout);
        std::exit(0);
      default:
        usage(stderr);
        std::exit(EX_USAGE);
    }
  }
  if (optind < argc) bench::bad_usage(std::string("unexpected argument '") + argv[optind] + "'");
  return settings;
}

template <class Handler>
int serve(proa::Proactor& proactor, const Settings& settings) {
  std::string detail;
  proa::Server<Handler> server(proactor, [&](proa::Socket socket, const proa::Address&) {
    auto* const handler = new Handler(proactor, std::move(socket));
    if (settings.read_timeout > proa::Duration::zero()) {
      handler->set_read_timeout(settings.read_timeout);
    }
    return handler;
  });
  if (server.listen("127.0.0.1:" + settings.port, &detail)) {
    std::fprintf(stderr, "tcp_server: %s\n", detail.c_str());
    return 1;
  }
  std::printf("listening on %s (%s)\n", server.addresses().front().to_string().c_str(),
              proactor.backend().name.c_str());
  std::fflush(stdout);
  proactor.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = parse(argc, argv);
  std::error_code error;
  std::string detail;
  const auto proactor = proa::Proactor::create(settings.options, error, &detail);
  if (!proactor) {
    std::fprintf(stderr, "tcp_server: %s\n", detail.c_str());
    return 1;
  }
  return settings.sink ? serve<Sink>(*proactor, settings) : serve<Echo>(*proactor, settings);
}
