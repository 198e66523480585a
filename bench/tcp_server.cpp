// An echo server to be measured: `tcp_server [-p port] [--backend name]`. What arrives goes back in
// the buffer it came in.
#include <getopt.h>

#include <cstdio>
#include <cstdlib>
#include <proa/proa.hpp>
#include <string>

namespace {

struct Echo final : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
  void on_closed() override { delete this; }
};

void usage(std::FILE* to) {
  std::fputs(
      "usage: tcp_server [-p port] [--backend name] [--read-timeout seconds]\n"
      "                  [--spin microseconds]\n"
      "Echoes on 127.0.0.1:port (8080; 0 for any) until it is killed.\n",
      to);
}

}  // namespace

int main(int argc, char** argv) {
  std::string port = "8080";
  proa::Options options;
  double read_timeout = 0;
  const option long_options[] = {{"port", required_argument, nullptr, 'p'},
                                 {"backend", required_argument, nullptr, 'b'},
                                 {"read-timeout", required_argument, nullptr, 't'},
                                 {"spin", required_argument, nullptr, 's'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {}};
  for (int c; (c = getopt_long(argc, argv, "p:b:h", long_options, nullptr)) != -1;) {
    switch (c) {
      case 'p':
        port = optarg;
        break;
      case 'b':
        options.backend = optarg;
        options.fallback = false;
        break;
      case 't':
        read_timeout = std::atof(optarg);
        break;
      case 's':
        options.spin = std::chrono::microseconds(std::atol(optarg));
        break;
      case 'h':
        usage(stdout);
        return 0;
      default:
        usage(stderr);
        return 2;
    }
  }

  std::error_code error;
  std::string detail;
  const auto proactor = proa::Proactor::create(options, error, &detail);
  if (!proactor) {
    std::fprintf(stderr, "tcp_server: %s\n", detail.c_str());
    return 1;
  }
  const auto timeout =
      std::chrono::duration_cast<proa::Duration>(std::chrono::duration<double>(read_timeout));
  proa::Server<Echo> server(*proactor, [&](proa::Socket socket, const proa::Address&) {
    auto* const echo = new Echo(*proactor, std::move(socket));
    if (timeout > proa::Duration::zero()) echo->set_read_timeout(timeout);
    return echo;
  });
  if (server.listen("127.0.0.1:" + port, &detail)) {
    std::fprintf(stderr, "tcp_server: %s\n", detail.c_str());
    return 1;
  }
  std::printf("listening on %s (%s)\n", server.addresses().front().to_string().c_str(),
              proactor->backend().name.c_str());
  std::fflush(stdout);
  proactor->run();
}
