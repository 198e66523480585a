// A datagram echo server to be measured: `udp_server [-p port] [--backend name] [--gso]`. What
// arrives goes back in the buffer it came in; with --gso many datagrams in one.
#include <getopt.h>

#include <cstdio>
#include <proa/proa.hpp>
#include <string>

namespace {

struct Echo final : proa::DatagramHandler {
  using DatagramHandler::DatagramHandler;
  void on_receive(proa::Buffer& data, const proa::Address& source,
                  const proa::DatagramInfo& info) override {
    if (info.segment == 0) return send(std::move(data), source);
    send_segments(std::move(data), info.segment, source);
  }
};

void usage(std::FILE* to) {
  std::fputs(
      "usage: udp_server [-p port] [--backend name] [--gso]\n"
      "Echoes UDP on 127.0.0.1:port (8080; 0 for any) until it is killed.\n",
      to);
}

}  // namespace

int main(int argc, char** argv) {
  std::string port = "8080";
  proa::Options options;
  proa::DatagramOptions with;
  with.receive_buffer = 8 << 20;
  const option long_options[] = {{"port", required_argument, nullptr, 'p'},
                                 {"backend", required_argument, nullptr, 'b'},
                                 {"gso", no_argument, nullptr, 'g'},
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
      case 'g':
        with.coalesce = true;
        options.buffer_size = 66048;
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
    std::fprintf(stderr, "udp_server: %s\n", detail.c_str());
    return 1;
  }
  const proa::Address address = proa::Address::parse("127.0.0.1:" + port, error, &detail);
  Echo echo(*proactor);
  if (error || echo.bind(address, with, &detail)) {
    std::fprintf(stderr, "udp_server: %s\n", detail.c_str());
    return 1;
  }
  std::printf("listening on %s (%s)\n", echo.address().to_string().c_str(),
              proactor->backend().name.c_str());
  std::fflush(stdout);
  proactor->run();
}
